"""The forms of the continuum memory inside a model: chain, nested, side by side, and a chain of either order."""

from dataclasses import replace

import pytest
import torch

from nlcore.layers import ContinuumMemory, HeadwiseContinuumMemory
from nlcore.models import PRESETS, build, parameter_count, without
from nlcore.models.presets import FORMS

SMALL = replace(PRESETS["tiny"], dim=32, depth=2, heads=2, hidden=8, chunks=(4, 8), context=32)
TOKENS = torch.arange(48).remainder(11).view(2, 24)


def make(**choices):
    torch.manual_seed(0)
    return build("hope-attention", replace(SMALL, **choices), 16).double()


@pytest.mark.parametrize("form", FORMS)
def test_a_form_learns_with_every_parameter_is_causal_and_goes_on_from_a_state(form):
    net = make(continuum=form)
    logits = net(TOKENS).logits
    logits.logsumexp(-1).sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in net.parameters())
    changed = TOKENS.clone()
    changed[:, 9] = 15
    moved = (net(changed).logits - logits).abs().amax((0, 2))
    assert not moved[:9].any() and moved[9] > 0
    first = net(TOKENS[:, :7])
    again = torch.cat([first.logits, net(TOKENS[:, 7:], first.state).logits], 1)
    torch.testing.assert_close(again, logits, rtol=0, atol=1e-12)


@pytest.mark.parametrize("form", FORMS)
def test_a_form_has_the_levels_and_the_size_of_the_others(form):
    net, chain = make(continuum=form), make()
    assert net.levels() == chain.levels()
    assert {net.level_of(name) for name, _ in net.named_parameters()} == {"weights", "cms-3", "cms-2", "cms-1"}
    more = parameter_count(net) - parameter_count(chain)
    assert more == (3 * SMALL.depth if form == "head-wise" else 0)


def test_the_nested_form_computes_what_the_chain_computes():
    assert torch.equal(make(continuum="nested")(TOKENS).logits, make()(TOKENS).logits)
    assert not torch.allclose(make(continuum="head-wise")(TOKENS).logits, make()(TOKENS).logits)


def test_the_order_is_an_argument():
    slow, fast = make(order="slow first"), make()
    assert all(torch.equal(p, q) for p, q in zip(slow.parameters(), fast.parameters()))
    assert not torch.allclose(slow(TOKENS).logits, fast(TOKENS).logits)
    assert {type(b.channel) for b in slow.blocks} == {ContinuumMemory} and slow.blocks[0].channel.order == "slow first"


@pytest.mark.parametrize("level", ["cms-3", "cms-1"])
def test_a_level_that_stands_beside_others_can_be_left_out(level):
    net = make(continuum="head-wise")
    whole, memory = net(TOKENS).logits, net.blocks[0].channel
    assert isinstance(memory, HeadwiseContinuumMemory)
    x = torch.randn(1, 3, SMALL.dim, dtype=torch.double)
    with without(net, level):
        assert not torch.allclose(net(TOKENS).logits, whole)
        left = memory(x)
    share = memory.shares[list(memory.levels).index(level)]
    torch.testing.assert_close(left + share * (memory.levels[level](x) - x), memory(x), rtol=0, atol=1e-12)
    assert torch.equal(net(TOKENS).logits, whole)


@pytest.mark.parametrize(
    "choices, sentence",
    [
        (dict(continuum="parallel"), "continuum is 'parallel': choose one of sequential, nested, head-wise"),
        (dict(order="up"), "order is 'up': choose one of 'fast first', 'slow first'"),
        (dict(continuum="head-wise", order="slow first"), "side by side, in no order: leave out the order"),
    ],
)
def test_choices_that_cannot_be_are_one_sentence(choices, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(SMALL, **choices)
