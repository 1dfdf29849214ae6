"""Delta Momentum: the exact form solves its proximal problem at any gradient norm; the literal one diverges."""

import pytest
import torch

from nlcore.optim import DeltaMomentum, Momentum


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def run(gradients, form, lr=0.1, **choices):
    """The weight and its momentum after these gradients, whatever the weight is."""
    weight = torch.zeros_like(gradients[0], requires_grad=True)
    optimizer = DeltaMomentum([weight], lr=lr, form=form, **choices)
    for g in gradients:
        weight.grad = g.clone()
        optimizer.step()
    return weight.detach(), optimizer.state[weight]["momentum"]


@pytest.mark.parametrize("scale", [1e-3, 1.0, 30.0, 1e4])
@pytest.mark.parametrize("values", [None, lambda g: draw(4, 4, seed=9) @ g])
def test_exact_solves_the_proximal_problem_at_any_norm(scale, values):
    """(I + beta g g^T) m = alpha m_t + P g, on the flattened gradient, by a dense solve."""
    alpha, beta, lr = 0.8, 0.6, 0.1
    gradients = [scale * draw(4, 3, seed=t) for t in range(6)]
    m, weight = torch.zeros(12, dtype=torch.float64), torch.zeros(12, dtype=torch.float64)
    for g in gradients:
        flat = g.flatten()
        value = (g if values is None else values(g)).flatten()
        m = torch.linalg.solve(torch.eye(12, dtype=torch.float64) + beta * torch.outer(flat, flat), alpha * m + value)
        weight -= lr * m
    ours, momentum = run(gradients, "exact", lr, alpha=alpha, beta=beta, values=values)
    # the dense solve itself loses digits as 1 + beta ||g||^2, its condition number, grows
    precision = 1e-12 * (1 + 1e-4 * beta * flat @ flat)
    assert (momentum.flatten() - m).norm() < precision * m.norm().clamp_min(1)
    assert (ours.flatten() - weight).norm() < precision * weight.norm().clamp_min(1)


def test_exact_is_where_autograd_finds_no_slope():
    g, old, value = draw(7), draw(7, seed=1), draw(7, seed=2)
    m = run([old, g], "exact", alpha=0.9, beta=2.0, values=lambda x: value if torch.equal(x, g) else x)[1]
    before = run([old], "exact", alpha=0.9, beta=2.0)[1]
    m = m.requires_grad_()
    objective = (m - 0.9 * before).square().sum() / 2 + 2.0 * (g @ m) ** 2 / 2 - m @ value
    (slope,) = torch.autograd.grad(objective, m)
    assert slope.abs().max() < 1e-12


def test_exact_in_units_of_b_erases_and_writes_at_the_bounded_rate():
    """`m <- alpha m (I - b' g g^T) + b' P g` with `b' = b / (1 + b ||g||^2)`, m in units of b."""
    alpha, b, P = 0.9, 0.7, 1.5
    gradients = [draw(9, seed=t) for t in range(8)]
    m = torch.zeros(9, dtype=torch.float64)
    for g in gradients:
        bound = b / (1 + b * g @ g)
        m = alpha * m @ (torch.eye(9, dtype=torch.float64) - bound * torch.outer(g, g)) + bound * P * g
    ours = b * run(gradients, "exact", alpha=alpha, beta=b, values=lambda g: P * g)[1]
    assert (ours - m).abs().max() < 1e-12


@pytest.mark.parametrize("form, rate", [("literal", lambda b, g: b), ("bounded", lambda b, g: b / (1 + b * g @ g))])
def test_explicit_forms_are_the_matrix_product(form, rate):
    gradients = [0.4 * draw(9, seed=t) for t in range(8)]
    m = torch.zeros(9, dtype=torch.float64)
    for g in gradients:
        m = (0.9 * torch.eye(9, dtype=torch.float64) - rate(0.7, g) * torch.outer(g, g)) @ m + g
    assert (run(gradients, form, alpha=0.9, beta=0.7)[1] - m).abs().max() < 1e-12


def test_literal_is_equation_49_as_printed():
    """`m <- (alpha - g g^T) m - eta P g, W <- W + m`: beta = 1, eta = lr, m times -eta."""
    eta, gradients = 0.05, [0.3 * draw(6, seed=t) for t in range(10)]
    m, weight = torch.zeros(6, dtype=torch.float64), torch.zeros(6, dtype=torch.float64)
    for g in gradients:
        m = 0.9 * m - g * (g @ m) - eta * g
        weight += m
    assert (run(gradients, "literal", eta, alpha=0.9, beta=1.0)[0] - weight).abs().max() < 1e-13


def test_literal_is_the_autograd_step_on_the_l2_objective():
    """The objective above eq. 48, with beta = lr = eta: a gradient step on `(m . g - P)^2 / 2`, then `W <- W - m`."""
    eta, P, gradients = 0.3, 2.0, [0.5 * draw(6, seed=t) for t in range(10)]
    m = torch.zeros(6, dtype=torch.float64)
    for g in gradients:
        at = m.clone().requires_grad_()
        (slope,) = torch.autograd.grad((at @ g - P) ** 2 / 2, at)
        m = 0.9 * m - eta * slope
    ours = eta * run(gradients, "literal", eta, alpha=0.9, beta=eta, values=lambda g: P * g)[1]
    assert (ours - m).abs().max() < 1e-13


@pytest.mark.parametrize("squared_norm, diverges", [(1.85, False), (1.95, True), (400.0, True)])
def test_literal_diverges_once_the_squared_norm_passes_one_plus_alpha(squared_norm, diverges):
    g = torch.tensor([1.0, 0.0], dtype=torch.float64) * squared_norm**0.5
    sizes = {form: run([g] * 400, form, alpha=0.9, beta=1.0)[1].norm() for form in ("literal", "bounded", "exact")}
    assert not (sizes["literal"] < 1e3) == diverges  # beyond all numbers it is nan
    assert sizes["bounded"] < 10 * squared_norm**0.5 and sizes["exact"] < 1


@pytest.mark.parametrize("form", ["literal", "bounded", "exact"])
def test_without_erasing_it_is_momentum(form):
    gradients = [draw(3, 5, seed=t) for t in range(20)]
    weight = torch.zeros(3, 5, dtype=torch.float64, requires_grad=True)
    plain = Momentum([weight], lr=0.1, alpha=0.8)
    for g in gradients:
        weight.grad = g.clone()
        plain.step()
    assert (run(gradients, form, alpha=0.8, beta=0.0)[0] - weight.detach()).abs().max() < 1e-13


def test_each_parameter_is_one_key_of_its_own():
    """A large gradient erases its own parameter's memory and no other's."""
    weights = [torch.zeros(4, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    optimizer = DeltaMomentum(weights, lr=0.1)
    for t in range(5):
        for weight, scale in zip(weights, (1.0, 100.0)):
            weight.grad = scale * draw(4, seed=t)
        optimizer.step()
    alone = run([draw(4, seed=t) for t in range(5)], "exact")[0]
    assert torch.equal(weights[0].detach(), alone)


def test_another_form_is_refused():
    with pytest.raises(ValueError, match="form is 'plain': choose one of literal, bounded, exact"):
        DeltaMomentum([torch.zeros(2, requires_grad=True)], form="plain")
