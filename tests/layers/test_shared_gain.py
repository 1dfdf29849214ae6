"""One gain for six linear memories: the same outputs, memories and gradients as with a state for each."""

import itertools
from dataclasses import replace

import pytest
import torch

from nlcore.layers import SelfModifyingTitans
from nlcore.layers.family import matrix
from nlcore.layers.self_modifying import MAKES
from nlcore.layers.self_modifying_naive import self_modifying_naive
from nlcore.layers.shared_gain import raw_answer, shared_gain
from nlcore.memory import L2, Decay, DeltaGradientDescent, DotProduct, GradientDescent, KeepAll, PullToStart

LENGTHS = (1, 4, 5, 6, 13)


def make(chunk=5, **options):
    """A layer that learns what eq. 93 takes, which its class itself does not offer."""
    torch.manual_seed(0)
    settings = dict(architecture=matrix, projections_share=1.0, adaptive=MAKES) | options
    layer = SelfModifyingTitans(8, 2, 3, (chunk, chunk), **settings).double()
    layer.learning = replace(layer.learning, learns=raw_answer)
    return layer


def memories(layer, state):
    """By name, (B, H, d, d)."""
    groups = [(layer.memory, state.memory)] + [(layer.projections, state.projections)] * (layer.projections is not None)
    return {name: held.memory[0][:, i] for group, held in groups for i, name in enumerate(group.names)}


def compare(layer, length):
    x = torch.randn(2, length, 8, generator=torch.Generator().manual_seed(1), dtype=torch.double).requires_grad_()
    y, state, _ = layer(x)
    z, gain = shared_gain(layer, x)
    assert (y - z).abs().max() < 1e-10
    starts = dict(zip(layer.memory.names, layer.memory.weights[0]))
    if layer.projections is not None:
        starts |= dict(zip(layer.projections.names, layer.projections.weights[0]))
    held = memories(layer, state)
    assert held.keys() == starts.keys()
    for name in held:
        assert (held[name] - starts[name] @ gain).abs().max() < 1e-10, name
    weigh, inputs = torch.randn_like(y), [x, *layer.parameters()]
    one, other = (torch.autograd.grad((out * weigh).sum(), inputs, allow_unused=True, materialize_grads=True) for out in (y, z))
    for a, b in zip(one, other):
        assert (a - b).abs().max() < 1e-10 * max(1, a.abs().max())


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("retention", [PullToStart(), Decay()])
@pytest.mark.parametrize("chunk", [1, 5])
def test_one_gain_is_all_memories(chunk, retention, length):
    compare(make(chunk, retention=retention), length)


@pytest.mark.parametrize("reads", ["boundary", "before", "after"])
def test_with_every_other_choice(reads):
    choices = itertools.product((L2(), DotProduct()), (DeltaGradientDescent(), GradientDescent()), (MAKES[:2], ()))
    for objective, rule, adaptive in choices:
        compare(make(objective=objective, rule=rule, adaptive=adaptive, reads=reads, retention=KeepAll()), 13)


def test_the_layer_that_it_is_compared_with_is_the_token_loop():
    layer, x = make(), torch.randn(2, 13, 8, dtype=torch.double)
    assert (layer(x)[0] - self_modifying_naive(layer, x)[0]).abs().max() < 1e-10


def test_values_of_length_one_have_no_shared_gain():
    """The control: with the values that the class takes, the memories part."""
    layer, x = make(), torch.randn(2, 13, 8, dtype=torch.double)
    safe = SelfModifyingTitans(8, 2, 3, (5, 5), architecture=matrix, projections_share=1.0, adaptive=MAKES).double()
    safe.load_state_dict(layer.state_dict())
    held = memories(safe, safe(x)[1])
    gains = torch.stack([torch.linalg.solve(safe.projections.weights[0][i], held[name]) for i, name in enumerate(MAKES)])
    assert (gains - gains[:1]).abs().max() > 1e-3


@pytest.mark.parametrize("options", [dict(momentum=True), dict(projections_share=0.1), dict(narrow_rates=True)])
def test_memories_that_share_no_gain_are_one_sentence(options):
    with pytest.raises(ValueError, match="share no gain: build the layer with architecture=matrix"):
        shared_gain(make(**options), torch.randn(1, 4, 8, dtype=torch.double))
