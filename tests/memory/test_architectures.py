"""Architectures: a deep network's layer gradients are autograd's, whatever its depth and activation."""

import pytest
import torch
import torch.nn.functional as F

from nlcore.memory import L2, DeepMLP, DotProduct, Linear, NarrowMLP, ResidualMLP

WIDTHS = [(4, 3), (4, 6, 3), (5, 4, 6, 3), (4, 4, 4, 4, 4, 4)]


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) / 2


def drawn(network, batch=()):
    return tuple(normal(*batch, *shape, seed=i) for i, shape in enumerate(network.shapes()))


@pytest.mark.parametrize("activation", [F.silu, torch.tanh, torch.sigmoid, torch.relu, lambda z: F.softmax(z, -1)])
@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("objective", [DotProduct(), L2()])
def test_layer_gradients_of_any_depth_are_autograds(widths, activation, objective):
    network = DeepMLP(widths, activation)
    weights = tuple(w.requires_grad_() for w in drawn(network, (2,)))
    x, v = normal(2, 5, widths[0], seed=7), normal(2, 5, widths[-1], seed=8)
    outputs = []
    answer = x
    for w in reversed(weights):  # a plain forward pass, written again, to see each layer's output
        answer = (activation(answer) if outputs else answer) @ w.mT
        outputs.append(answer)
    assert (network.read(weights, x) - answer).abs().max() < 1e-12
    outputs.reverse()
    in_weights, in_outputs = (
        torch.autograd.grad(objective.loss(answer, v).sum(), to, retain_graph=True) for to in (weights, outputs)
    )
    layers = network.gradients(weights, x, lambda answer: objective.gradient(answer, v))
    assert len(layers) == len(weights)
    for layer, output, grad, delta in zip(layers, outputs, in_weights, in_outputs):
        assert (layer.output - output).abs().max() < 1e-12
        assert (layer.delta - delta).abs().max() < 1e-12
        assert (layer.delta.mT @ layer.x - grad).abs().max() < 1e-12


@pytest.mark.parametrize("residual", [False, True])
def test_two_layers_written_out_are_the_deep_network(residual):
    """`NarrowMLP` is two layers with one output, `ResidualMLP` the same with the input added to what the objective sees."""
    ours = ResidualMLP(4, 5) if residual else NarrowMLP(4, 5)
    deep = DeepMLP((4, 5, 4 if residual else 1))
    weights, x = drawn(ours, (2,)), normal(2, 6, 4, seed=7)
    v, skip = normal(2, 6, deep.widths[-1], seed=8), x if residual else 0
    assert ours.shapes() == deep.shapes()
    assert (ours.read(weights, x) - skip - deep.read(weights, x)).abs().max() < 1e-12
    found = ours.gradients(weights, x, lambda answer: answer - v)
    expected = deep.gradients(weights, x, lambda moved: moved + skip - v)
    for one, other in zip(found, expected, strict=True):
        assert all((a - b).abs().max() < 1e-12 for a, b in zip(one, other))


def test_one_layer_is_linear():
    deep, linear = DeepMLP((4, 3)), Linear(4, 3)
    weights, x, v = drawn(linear), normal(5, 4, seed=7), normal(5, 3, seed=8)
    assert deep.shapes() == linear.shapes()
    assert torch.equal(deep.read(weights, x), linear.read(weights, x))
    one, other = (m.gradients(weights, x, lambda answer: answer - v)[0] for m in (deep, linear))
    assert all(torch.equal(a, b) for a, b in zip(one, other))


def test_gradients_are_differentiable_and_run_under_vmap_and_no_grad():
    network = DeepMLP((3, 4, 2))
    weights, x, v = drawn(network), normal(2, 3, seed=7), normal(2, 2, seed=8)

    def outer_products(w1, w2, x):
        layers = network.gradients((w1, w2), x, lambda answer: answer - v)
        return tuple(layer.delta.mT @ layer.x for layer in layers)

    assert torch.autograd.gradcheck(outer_products, [t.clone().requires_grad_() for t in (*weights, x)])
    plain = outer_products(*weights, x)
    with torch.no_grad():
        assert all(torch.equal(a, b) for a, b in zip(outer_products(*weights, x), plain))
    many = tuple(torch.stack([w, 2 * w]) for w in weights)
    mapped = torch.vmap(outer_products, (0, 0, None))(*many, x)
    assert all((a[0] - b).abs().max() < 1e-12 for a, b in zip(mapped, plain))


@pytest.mark.parametrize("widths", [(4,), (), (4, 0, 3)])
def test_widths_that_make_no_network_get_one_sentence(widths):
    with pytest.raises(ValueError, match="at least an input and an output width"):
        DeepMLP(widths)


@pytest.mark.parametrize("activation", [F.silu, torch.tanh, torch.relu])
@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_the_answer_depends_on_no_layer_more_than_its_curvature(widths, activation, scale):
    """Against the Jacobian by autograd; and the bound is no wide one."""
    network, x = DeepMLP(widths, activation), normal(widths[0], seed=7)
    weights = tuple(scale * w for w in drawn(network))
    bounds = network.curvatures(weights)
    assert len(bounds) == len(weights) and bounds[0] == 1
    for layer, bound in enumerate(bounds[1:], start=1):

        def after(output):
            for w in reversed(weights[:layer]):
                output = w @ activation(output)
            return output

        output = x
        for w in reversed(weights[layer:]):
            output = w @ (output if output is x else activation(output))
        jacobian = torch.autograd.functional.jacobian(after, output)
        assert torch.linalg.matrix_norm(jacobian, 2) ** 2 <= bound
        exact = torch.stack([1.21 * torch.linalg.matrix_norm(w, 2) ** 2 for w in weights[:layer]]).prod()
        assert exact <= bound * (1 + 1e-12) and bound <= exact * 2**layer


def test_curvatures_of_nothing_have_a_gradient():
    w1, w2 = torch.zeros(3, 5, requires_grad=True), torch.ones(5, 3)
    (gradient,) = torch.autograd.grad(ResidualMLP(3, 5).curvatures((w1, w2))[1], w1)
    assert gradient.isfinite().all()
