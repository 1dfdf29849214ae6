"""Delta Gradient Descent: exact against the proximal problem solved as one, its limits, and where it settles."""

import copy

import pytest
import torch
from torch import nn

from nlcore.memory.proximal import proximal_step
from nlcore.optim import DeltaGradientDescent, LayerInputs, delta_rate, delta_step, settle


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def problem(norm, count, inputs=5, outputs=3):
    """Weight, inputs of the given norm, and values."""
    x = nn.functional.normalize(normal(count, inputs, seed=1), dim=-1) * norm
    return normal(outputs, inputs), x, normal(count, outputs, seed=2)


def solved(weight, x, u, eta):
    """The minimiser of eq. 56 for a batch, from its normal equations."""
    eye = torch.eye(x.shape[1], dtype=x.dtype)
    return torch.linalg.solve(x.mT @ x / len(x) + eye / eta, u.mT @ x / len(x) + weight / eta, left=False)


@pytest.mark.parametrize("norm", [0.01, 0.5, 1.0, 3.0, 100.0])
@pytest.mark.parametrize("count", [1, 2, 4, 5, 6, 40])
@pytest.mark.parametrize("eta", [1e-3, 0.5, 20.0])
def test_a_step_is_the_proximal_problems_solution_at_any_norm(norm, count, eta):
    weight, x, u = problem(norm, count)
    ours = delta_step(weight, -u.mT @ x / count, x, eta)
    expected = solved(weight, x, u, eta)
    assert (ours - expected).abs().max() < 1e-10 * (1 + expected.abs().max())


def test_a_step_is_newtons_solution_of_the_problem_as_written():
    weight, x, u = problem(2.0, 7)
    newton = proximal_step(lambda w: (x @ w.mT - u).square().sum() / 2 / len(x), weight, 0.5)
    assert (delta_step(weight, -u.mT @ x / len(x), x, 0.5) - newton).abs().max() < 1e-10


@pytest.mark.parametrize("norm", [0.3, 1.0, 4.0])
def test_for_one_input_it_is_equation_57_with_the_corrected_rate(norm):
    weight, x, u = problem(norm, 1)
    eta, eye = 0.7, torch.eye(5, dtype=torch.float64)
    rate, key, value = delta_rate(eta, x).item(), x[0], u[0]
    by_hand = weight @ (eye - rate * torch.outer(key, key)) + rate * torch.outer(value, key)
    assert (delta_step(weight, -u.mT @ x, x, eta) - by_hand).abs().max() < 1e-12
    printed = weight @ (eye - eta / (1 + eta) * torch.outer(key, key)) + eta / (1 + eta) * torch.outer(value, key)
    gap = (printed - solved(weight, x, u, eta)).abs().max()
    assert gap < 1e-12 if norm == 1.0 else gap > 1e-2


def test_the_printed_derivation_ascends_and_swaps_the_weight():
    """Eq. 114-121 as printed: the gradient's sign is lost, and eta stands where 1 / eta belongs."""
    weight, x, u = problem(1.0, 1)
    key, gradient, eta = x[0], -u[0], 4.0
    outer, eye = torch.outer(key, key), torch.eye(5, dtype=torch.float64)
    printed = torch.linalg.solve(outer + eta * eye, torch.outer(gradient, key) + eta * weight, left=False)  # 116
    assert (printed - solved(weight, x, gradient[None], 1 / eta)).abs().max() < 1e-12
    by_120 = weight @ (eye - outer / (1 + eta)) - (1 / (eta + eta**2) - 1 / eta) * torch.outer(gradient, key)
    assert (by_120 - printed).abs().max() < 1e-12  # at norm 1 its lambda and lambda^2 are one number
    right = delta_step(weight, -u.mT @ x, x, eta)
    assert ((right - weight) @ key).dot(u[0] - weight @ key) > 0
    assert (printed @ key - gradient).norm() < (weight @ key - gradient).norm()  # it learns the gradient itself


def test_lambda_must_be_squared_in_120():
    weight, x, u = problem(2.0, 1)
    key, gradient, eta, size = x[0], -u[0], 0.5, 2.0
    outer, eye = torch.outer(key, key), torch.eye(5, dtype=torch.float64)
    from_116 = torch.linalg.solve(outer + eta * eye, torch.outer(gradient, key) + eta * weight, left=False)
    for power, right in ((1, False), (2, True)):
        beta = size**power / (size**2 * eta + eta**2) - 1 / eta
        by_120 = weight @ (eye - outer / (size**2 + eta)) - beta * torch.outer(gradient, key)
        assert torch.allclose(by_120, from_116, atol=1e-12) == right


def test_to_first_order_it_is_gradient_descent_with_decay_of_the_outputs():
    weight, x, u = problem(1.5, 6)
    eta = 1e-5
    first = weight - eta * (-u.mT @ x + weight @ x.mT @ x) / 6
    assert (delta_step(weight, -u.mT @ x / 6, x, eta) - first).norm() < 10 * eta**2 * weight.norm()


@pytest.mark.parametrize("count", [3, 5, 8])
def test_settling_is_the_inverse_and_takes_half_precision(count):
    matrix, x, _ = problem(3.0, count)
    inverse = torch.linalg.inv(torch.eye(5, dtype=x.dtype) + 0.9 * x.mT @ x / count)
    assert (settle(matrix, x, 0.9) - matrix @ inverse).abs().max() < 1e-12
    half = settle(matrix.bfloat16(), x.bfloat16(), 0.9)
    assert half.dtype == torch.bfloat16 and torch.allclose(half.double(), matrix @ inverse, atol=0.05)


def test_the_optimizer_is_the_step_on_every_layer_and_gradient_descent_elsewhere():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 3)).double()
    plain, x = copy.deepcopy(model), normal(2, 3, 5)
    with LayerInputs(model) as inputs:
        optimizer = DeltaGradientDescent(model.parameters(), inputs, lr=0.3)
        model(x).square().mean().backward()
        optimizer.step()
    hidden = plain[:3](x)
    plain[3](hidden).square().mean().backward()
    for layer, given in ((0, x), (3, hidden.detach())):
        flat = given.reshape(-1, given.shape[-1])
        weight = plain[layer].weight
        u = -len(flat) * torch.linalg.lstsq(flat.mT, weight.grad.mT).solution  # values with that gradient
        assert (model[layer].weight - solved(weight.detach(), flat, u, 0.3)).abs().max() < 1e-10
    for name in ("0.bias", "1.weight", "3.bias"):
        before = plain.get_parameter(name)
        assert (model.get_parameter(name) - (before - 0.3 * before.grad)).abs().max() < 1e-14


@pytest.mark.parametrize("eta", [0.2, 1.0, 20.0])
def test_with_a_squared_error_it_settles_at_half_of_the_target_at_any_rate(eta):
    target, x = normal(3, 5, seed=4), normal(40, 5, seed=5)
    layer = nn.Linear(5, 3, bias=False).double()
    with LayerInputs(layer) as inputs:
        optimizer = DeltaGradientDescent(layer.parameters(), inputs, lr=eta)
        for _ in range(600):
            optimizer.zero_grad()
            ((layer(x) - x @ target.mT).square().sum(-1) / 2).mean().backward()
            optimizer.step()
    assert (layer.weight - target / 2).abs().max() < 1e-10


def test_a_weight_whose_inputs_were_not_seen_takes_a_gradient_step():
    layer = nn.Linear(5, 3, bias=False).double()
    before = layer.weight.detach().clone()
    with LayerInputs(layer) as inputs:
        optimizer = DeltaGradientDescent(layer.parameters(), inputs, lr=0.3)
        nn.functional.linear(normal(4, 5), layer.weight).square().sum().backward()
        optimizer.step()
    assert (layer.weight - (before - 0.3 * layer.weight.grad)).abs().max() < 1e-14


def test_a_skipped_step_leaves_no_inputs_for_the_next():
    def run(spoil):
        torch.manual_seed(0)
        layer = nn.Linear(5, 3)
        with LayerInputs(layer) as inputs:
            optimizer = DeltaGradientDescent(layer.parameters(), inputs, lr=0.3)
            scaler = torch.amp.GradScaler("cpu", init_scale=2.0**8)
            for step in ((0, 1) if spoil else (1,)):
                optimizer.zero_grad()
                scaler.scale(layer(normal(4, 5, seed=step).float()).square().mean()).backward()
                if step == 0:
                    layer.weight.grad[0, 0] = torch.inf
                scaler.step(optimizer)
                scaler.update()
        return layer.weight

    assert torch.equal(run(True), run(False))
