"""A state kept over an outer step: the same numbers, no gradient into what came before, and starts that move."""

import pytest
import torch
from torch.utils._pytree import tree_leaves

from nlcore.layers import SelfModifyingTitans
from nlcore.layers.self_modifying import MAKES
from nlcore.memory import Decay, DotProduct, KeepAll
from nlcore.models import MODELS, build
from tests.train.small import small

KINDS = dict(plain={}, momentum=dict(momentum=True), six=dict(adaptive=MAKES), printed=dict(retention=Decay()))
KINDS |= dict(before=dict(reads="before"), after=dict(reads="after"), kept=dict(retention=KeepAll()))
KINDS |= dict(dot=dict(objective=DotProduct(), reads="after"))


def tensors(state):
    return [leaf for leaf in tree_leaves(state) if isinstance(leaf, torch.Tensor)]


def model_of(kind):
    torch.manual_seed(0)
    return build(kind, small().preset, 64)


def layer(kind):
    torch.manual_seed(0)
    return SelfModifyingTitans(16, 2, 8, (4, 8), **KINDS[kind]).double()


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize("cut", [3, 8, 21])
def test_what_is_read_after_it_is_what_two_calls_give(kind, cut):
    model, tokens = model_of(kind), torch.randint(64, (2, 32))
    state = model(tokens[:, :cut]).state
    kept = model.detach(state)
    assert not any(x.requires_grad for x in tensors(kept))
    assert all(x.untyped_storage().nbytes() == x.nbytes for x in tensors(kept))  # no activation stays for its sake
    after = model.attach(kept)
    for one, other in zip(tree_leaves(after), tree_leaves(state), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-6)
    torch.testing.assert_close(model(tokens[:, cut:], after).logits, model(tokens[:, cut:], state).logits, rtol=0, atol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_an_outer_step_moves_the_memories_with_their_starts(kind):
    mixer, x = layer(kind), torch.randn(2, 13, 16, dtype=torch.double)
    state = mixer(x)[1]
    before = [w.clone() for w in state.memory.memory + state.projections.memory]
    kept = mixer.detach(state)
    moves = [torch.randn_like(w) for group in (mixer.memory, mixer.projections) for w in (group.w1, group.w2)]
    with torch.no_grad():
        for group, pair in ((mixer.memory, moves[:2]), (mixer.projections, moves[2:])):
            group.w1 += pair[0]
            group.w2 += pair[1]
    after = mixer.attach(kept)
    for start, group in ((after.memory.start, mixer.memory), (after.projections.start, mixer.projections)):
        assert all(torch.equal(s[0], w) and s.requires_grad for s, w in zip(start, (group.w1, group.w2)))
    tied = mixer.learning.tied  # without a pull they stand where they were
    for new, old, move in zip(after.memory.memory + after.projections.memory, before, moves, strict=True):
        torch.testing.assert_close(new, old + move if tied else old, rtol=0, atol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
def test_no_gradient_goes_back_and_each_parameter_gets_one(kind):
    """Not into the piece before. Into starts that pull as in a fresh state; where they do not pull, none is left."""
    mixer = layer(kind)
    first, second = (torch.randn(2, length, 16, dtype=torch.double, requires_grad=True) for length in (13, 16))
    state = mixer.attach(mixer.detach(mixer(first)[1]))
    mixer(second, state)[0].square().sum().backward()
    assert first.grad is None and second.grad.abs().max() > 0
    without = {name for name, p in mixer.named_parameters() if p.grad is None or p.grad.abs().max() == 0}
    loose = {f"{group}.{w}" for group in ("memory", "projections") for w in ("w1", "w2")}
    assert without == (set() if mixer.learning.tied else loose)


def test_at_eta_zero_a_carried_memory_is_a_fresh_one():
    mixer = layer("plain")
    mixer.eta_scale = 0.0
    kept = mixer.detach(mixer(torch.randn(2, 16, 16, dtype=torch.double))[1])
    fresh = mixer.detach(mixer.start(2, torch.double))
    for group in ("memory", "projections"):
        for one, other in zip(getattr(kept, group).memory, getattr(fresh, group).memory, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
