"""Generalised Gradient Descent: its special cases, its argmin against Newton's method, and that it descends."""

import copy

import pytest
import torch
from torch import nn

from nlcore.memory import L2, DotProduct, Huber, Lp
from nlcore.memory.proximal import proximal_step
from nlcore.optim import DeltaGradientDescent, GeneralizedGradientDescent, LayerInputs, StayNear, StayNearAndSmall
from nlcore.optim.generalized_gradient_descent import write_values

OBJECTIVES = {"dot": DotProduct(), "l2": L2(), "huber": Huber(0.5), "l1.5": Lp(1.5), "l3": Lp(3.0)}
RETENTIONS = {
    "near 1": StayNear(), "near 4": StayNear(4), "small 1": StayNearAndSmall(), "small 4": StayNearAndSmall(4, 0.05)
}


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(5, 6), nn.Tanh(), nn.Linear(6, 3)).double()


def loss_of(model, x):
    return ((model(x) - x[:, :3].sin()).square().sum(-1) / 2).mean()


def train(model, make, steps, clip=None):
    x, losses = normal(32, 5, seed=3), []
    with LayerInputs(model, surprises=True) as inputs:
        optimizer = make(model.parameters(), inputs)
        for _ in range(steps):
            optimizer.zero_grad()
            loss = loss_of(model, x)
            loss.backward()
            if clip:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
            losses.append(loss.item())
    return losses


def apart(model, other):
    return max((p - q).abs().max().item() for p, q in zip(model.parameters(), other.parameters()))


@pytest.mark.parametrize("name", OBJECTIVES)
@pytest.mark.parametrize("count", [1, 4, 12])
def test_the_argmin_is_one(name, count):
    """The problem bends up by 1 / rate at least, so its minimum is no further than rate times the slope left."""
    objective, rate = OBJECTIVES[name], 0.4
    x, u, centre = normal(count, 5), normal(count, 3, seed=1), normal(3, 5, seed=2)
    found = write_values(objective, x, u, centre, rate, inner_steps=500).requires_grad_()
    problem = objective.loss(x @ found.mT, u).mean() + (found - centre).square().sum() / (2 * rate)
    (slope,) = torch.autograd.grad(problem, found)
    assert rate * slope.norm() < (1e-12 if name in ("dot", "l2") else 1e-6)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_a_step_ends_at_the_argmin(name):
    layer = nn.Linear(5, 3, bias=False).double()
    with LayerInputs(layer, surprises=True) as inputs:
        optimizer = GeneralizedGradientDescent(layer.parameters(), inputs, 2.0, OBJECTIVES[name])
        (layer(normal(16, 5)) - normal(16, 3, seed=1)).square().mean().backward()
        before, seen = layer.weight.detach().clone(), inputs.of(layer.weight)
        found = write_values(OBJECTIVES[name], seen.x, -16 * seen.delta, before, 2.0, 5000)
        optimizer.step()
    assert (layer.weight - found).norm() < 1e-3 * (found - before).norm()


def test_no_inner_step_is_refused():
    layer = nn.Linear(5, 3)
    with pytest.raises(ValueError, match="inner_steps is 0"):
        GeneralizedGradientDescent(layer.parameters(), LayerInputs(layer, surprises=True), inner_steps=0)


@pytest.mark.parametrize("name", ["dot", "l2"])
def test_one_inner_step_is_exact_for_the_dot_product_and_l2(name):
    given = OBJECTIVES[name], normal(7, 5), normal(7, 3, seed=1), normal(3, 5, seed=2), 0.4
    assert (write_values(*given, inner_steps=1) - write_values(*given, inner_steps=500)).abs().max() < 1e-12


@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_no_inner_step_raises_the_problem(objective):
    x, u, centre = normal(9, 5) * 3, normal(9, 3, seed=1) * 10, normal(3, 5, seed=2)

    def problem(weight):
        return (objective.loss(x @ weight.mT, u).mean() + (weight - centre).square().sum() / (2 * 5.0)).item()

    values = [problem(write_values(objective, x, u, centre, 5.0, inner_steps=n)) for n in range(12)]
    assert all(later <= earlier + 1e-12 for earlier, later in zip(values, values[1:]))
    assert values[-1] < values[0]


@pytest.mark.parametrize("clip", [None, 0.05])
def test_with_the_dot_product_it_is_sgd(clip):
    ours, plain = network(), network()
    train(ours, lambda params, inputs: GeneralizedGradientDescent(params, inputs, 0.3, DotProduct()), 20, clip)
    train(plain, lambda params, inputs: ClearingSGD(params, inputs), 20, clip)
    assert apart(ours, plain) < 1e-12


class ClearingSGD(torch.optim.SGD):
    """torch's own, in a loop that keeps the inputs of a step only."""

    def __init__(self, params, inputs):
        super().__init__(params, lr=0.3)
        self.inputs = inputs

    def zero_grad(self):
        super().zero_grad()
        self.inputs.clear()


@pytest.mark.parametrize("objective", [L2(), Huber(1e6), Lp(2.0)])
def test_with_l2_it_is_delta_gradient_descent(objective):
    ours, delta = network(), network()
    train(ours, lambda params, inputs: GeneralizedGradientDescent(params, inputs, 0.3, objective, inner_steps=20), 20, 0.1)
    train(delta, lambda params, inputs: DeltaGradientDescent(params, inputs, 0.3), 20, 0.1)
    assert apart(ours, delta) < 1e-10


@pytest.mark.parametrize("retention", RETENTIONS.values(), ids=RETENTIONS)
@pytest.mark.parametrize("objective", OBJECTIVES.values(), ids=OBJECTIVES)
def test_it_descends(objective, retention):
    losses = train(network(), lambda p, i: GeneralizedGradientDescent(p, i, 0.2, objective, retention), 60)
    assert losses[-1] < 0.75 * losses[0]


@pytest.mark.parametrize("retention", RETENTIONS.values(), ids=RETENTIONS)
def test_retention_is_the_penalty_as_written(retention):
    """One step with L2 against Newton's method on the objective and the penalty over a window kept by hand."""
    layer, eta, c = nn.Linear(5, 3, bias=False).double(), 0.3, retention.states
    decay = getattr(retention, "decay", 0.0)
    history = [layer.weight.detach().clone()] * c
    with LayerInputs(layer, surprises=True) as inputs:
        optimizer = GeneralizedGradientDescent(layer.parameters(), inputs, eta, L2(), retention)
        for step in range(6):
            optimizer.zero_grad()
            x = normal(4, 5, seed=step)
            (layer(x) - x[:, :3]).square().sum().backward()
            u = -4 * 2 * (layer(x) - x[:, :3]).detach()

            def penalised(w):
                near = sum((w - old).square().sum() for old in history[-c:]) / c / (2 * eta)
                return L2().loss(x @ w.mT, u).mean() + near + decay * w.square().sum() / 2

            expected = proximal_step(penalised, layer.weight, 1e8)
            optimizer.step()
            assert (layer.weight - expected).abs().max() < 1e-6
            history.append(layer.weight.detach().clone())


@pytest.mark.parametrize("c", [1, 2, 4])
def test_the_mean_of_c_states_goes_down_a_steady_slope_at_two_by_c_plus_one(c):
    weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))  # no layer's: it follows the dot product and the retention
    with LayerInputs(nn.Linear(1, 1), surprises=True) as inputs:
        optimizer = GeneralizedGradientDescent([weight], inputs, 0.1, DotProduct(), StayNear(c))
        for _ in range(200):
            before = weight.item()
            weight.grad = torch.ones_like(weight)
            optimizer.step()
    assert before - weight.item() == pytest.approx(0.1 * 2 / (c + 1), rel=1e-9)


def test_huber_and_lp_write_less_of_an_outlier():
    x, u, centre = normal(1, 5), torch.tensor([[50.0]], dtype=torch.float64), torch.zeros(1, 5, dtype=torch.float64)
    size = {name: write_values(rule, x, u, centre, 0.1, 50).norm().item() for name, rule in OBJECTIVES.items()}
    assert size["huber"] < size["l1.5"] < size["l2"] < size["dot"]
    assert size["huber"] == pytest.approx(0.1 * 0.5 * x.norm().item())


def test_a_parameter_without_inputs_follows_the_dot_product_and_the_retention():
    model = network()
    plain = copy.deepcopy(model)
    train(model, lambda params, inputs: GeneralizedGradientDescent(params, inputs, 0.3, L2(), StayNearAndSmall(1, 0.5)), 1)
    loss_of(plain, normal(32, 5, seed=3)).backward()
    before = plain[0].bias
    assert (model[0].bias - (before - 0.3 * before.grad) / (1 + 0.3 * 0.5)).abs().max() < 1e-12


def test_bad_choices_get_one_sentence():
    model = network()
    with LayerInputs(model) as inputs, pytest.raises(ValueError, match="surprises=True"):
        GeneralizedGradientDescent(model.parameters(), inputs)
    with pytest.raises(ValueError, match="states is 0"):
        StayNear(0)
    with pytest.raises(ValueError, match="decay is -1"):
        StayNearAndSmall(1, -1)
