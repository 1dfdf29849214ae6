"""Proximal steps against gradient descent, against the closed form of a quadratic, and against a plain descent."""

import pytest
import torch

from nlcore.memory import follow_the_leader, proximal_step, steepest_step


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


W, X, V = normal(3, 4), normal(4, seed=1), normal(3, seed=2)


def squared(w):
    return (w @ X - V).square().sum() / 2


def curved(w):
    """Not quadratic, and not convex either."""
    return (torch.tanh(w @ X) - V).square().sum() / 2


def gradient(loss, w):
    w = w.clone().requires_grad_()
    return torch.autograd.grad(loss(w), w)[0]


@pytest.mark.parametrize("loss", [squared, curved])
def test_steepest_descent_and_follow_the_leader_are_gradient_descent(loss):
    """Eq. 1 to 3: three ways, one trajectory, for a constant rate."""
    weight = w = W.clone().requires_grad_()
    sgd = torch.optim.SGD([weight], lr=0.1)
    gradients = []
    for _ in range(8):
        gradients.append(gradient(loss, w))
        w = steepest_step(gradients[-1], w, 0.1)
        sgd.zero_grad()
        loss(weight).backward()
        sgd.step()
        assert (w - weight).abs().max() < 1e-12
        assert (follow_the_leader(gradients, W, 0.1) - weight).abs().max() < 1e-12


def test_follow_the_leader_parts_from_descent_when_the_rate_changes():
    first, second = gradient(squared, W), gradient(squared, W - 0.1 * gradient(squared, W))
    there = W - 0.1 * first - 0.05 * second
    assert (follow_the_leader((first, second), W, 0.05) - there).norm() == pytest.approx(0.05 * first.norm().item())
    assert (follow_the_leader((0.1 * first, 0.05 * second), W, 1.0) - there).abs().max() < 1e-12


@pytest.mark.parametrize("eta", [0.01, 0.3, 10.0])
def test_a_quadratic_is_solved_exactly(eta):
    """One pair under L2: the step is `eta / (1 + eta ||x||^2)`, and the system solved by hand gives the same."""
    by_formula = W - eta / (1 + eta * X @ X) * torch.outer(W @ X - V, X)
    by_solving = torch.linalg.solve(torch.outer(X, X) + torch.eye(4, dtype=W.dtype) / eta, torch.outer(V, X) + W / eta, left=False)
    assert (by_formula - by_solving).abs().max() < 1e-12
    assert (proximal_step(squared, W, eta) - by_formula).abs().max() < 1e-12


def test_another_loss_is_minimised_by_inner_steps():
    """Against plain gradient descent on the same problem, which needs no Hessian."""
    eta, w = 0.3, W.clone().requires_grad_()
    inner = torch.optim.SGD([w], lr=0.02)
    for _ in range(4000):
        inner.zero_grad()
        (curved(w) + (w - W).square().sum() / (2 * eta)).backward()
        inner.step()
    found = proximal_step(curved, W, eta)
    assert (found - w).abs().max() < 1e-10
    assert (found - W + eta * gradient(curved, found)).abs().max() < 1e-12  # implicit: the gradient at the end


@pytest.mark.parametrize("loss", [squared, curved])
def test_the_gradient_step_is_its_linearisation(loss):
    """They differ in second order: half the rate, a quarter of the difference."""
    differences = [
        (proximal_step(loss, W, eta) - W + eta * gradient(loss, W)).norm() for eta in (2e-3, 1e-3, 5e-4)
    ]
    for longer, shorter in zip(differences, differences[1:]):
        assert longer / shorter == pytest.approx(4, rel=0.05)


def test_it_works_in_single_precision_and_leaves_the_start_alone():
    before = W.float()
    found = proximal_step(lambda w: (w @ X.float() - V.float()).square().sum() / 2, before, 0.3)
    assert torch.equal(before, W.float()) and found.dtype == torch.float32 and not found.requires_grad
    assert (found.double() - proximal_step(squared, W, 0.3)).abs().max() < 1e-5


def test_what_has_no_minimum_is_one_sentence():
    with pytest.raises(ValueError, match="rate above 0"):
        proximal_step(squared, W, 0.0)
    with pytest.raises(ValueError, match="take an eta below 2.0"):
        proximal_step(lambda w: -w.square().sum(), W, 2.0)
    with pytest.raises(ValueError, match="not solved in 1 inner"):
        proximal_step(curved, W, 0.3, steps=1)


@pytest.mark.parametrize("sign, factor", [(1, 0.5), (-1, 1.5)])
def test_the_step_of_definitions_3_and_4_descends_only_with_the_corrected_sign(sign, factor):
    """Erratum of eq. 19-20: with the printed `-grad` the error grows; with `+grad` it is eq. 9, 31 and 112."""
    eta, w = 0.5 / (X @ X).item(), W
    for _ in range(3):
        delta = w @ X - V
        new = proximal_step(lambda w: sign * (w @ X) @ delta, w, eta)
        assert (new - steepest_step(sign * torch.outer(delta, X), w, eta)).abs().max() < 1e-12
        assert (new @ X - V - factor * delta).abs().max() < 1e-12
        w = new
