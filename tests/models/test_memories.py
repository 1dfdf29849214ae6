"""A model without one of its levels: it computes what that level's absence means, and comes back whole."""

from dataclasses import replace

import pytest
import torch

from nlcore.models import PRESETS, build, state_bytes, without
from nlcore.models.memories import frozen_memories, set_memory_rate

PRESET = replace(PRESETS["tiny"], dim=32, heads=2, hidden=8, chunks=(16, 64), context=64)
TOKENS = torch.arange(96).remainder(7)[None]


@pytest.fixture
def model():
    return build("hope", PRESET, 16)


@pytest.mark.parametrize("level", ["memory", "projections", "cms-1", "cms-2", "cms-3"])
def test_a_level_is_missed_and_comes_back(model, level):
    whole = model(TOKENS).logits
    with without(model, level):
        assert not torch.allclose(model(TOKENS).logits, whole)
    assert torch.equal(model(TOKENS).logits, whole)


def test_without_both_in_context_levels_nothing_is_written(model):
    with frozen_memories(model):
        frozen = model(TOKENS).logits
    with without(model, "memory"), without(model, "projections"):
        torch.testing.assert_close(model(TOKENS).logits, frozen)


def test_a_level_of_the_chain_that_is_left_out_hands_its_input_on(model):
    link = model.blocks[0].channel.levels["cms-2"]
    x = torch.randn(1, 4, PRESET.dim)
    with without(model, "cms-2"):
        assert link(x) is x


def test_the_model_is_whole_again_after_an_error(model):
    whole = model(TOKENS).logits
    for level in ("memory", "cms-1"):
        with pytest.raises(RuntimeError), without(model, level):
            raise RuntimeError
    assert torch.equal(model(TOKENS).logits, whole)


@pytest.mark.parametrize("level", ["weights", "cms-9", "nothing"])
def test_a_level_that_cannot_be_left_out_is_one_sentence(model, level):
    with pytest.raises(ValueError, match="there is no level"), without(model, level):
        pass


def test_a_rate_set_before_is_there_again_afterwards(model):
    groups = [block.mixer.memory for block in model.blocks]
    for group in groups:
        group.eta_scale = 0.5
    with without(model, "memory"):
        assert {group.eta_scale for group in groups} == {0.0}
    assert {group.eta_scale for group in groups} == {0.5}
    set_memory_rate(model, 0.5)
    with frozen_memories(model):
        pass
    assert {block.mixer.eta_scale for block in model.blocks} == {0.5}


def test_fast_weights_can_be_left_out_and_come_back():
    model = build("gated-deltanet", PRESET, 16)
    whole = model(TOKENS).logits
    with without(model, "memory"):
        assert not torch.allclose(model(TOKENS).logits, whole)
    assert torch.equal(model(TOKENS).logits, whole)
    with pytest.raises(ValueError, match="there is no level 'projections'"), without(model, "projections"):
        pass


@pytest.mark.parametrize("rows", [1, 3])
def test_what_a_state_weighs(rows):
    """Per row, in float32: matrices and the convolution's tail; attention grows with the text, a window up to its length."""
    matrices, tail, block = 2 * 16 * 16, 3 * 32, 4 * PRESET.depth
    of = {"deltanet": matrices + tail, "linear-attention": matrices + 2 * 16 + tail, "transformer": 2 * 96 * 32}
    of |= {"omega": matrices + 2 * 2 * 3 * 16 + tail, "sliding-window": 2 * (PRESET.chunks[1] - 1) * 32}
    of |= {"titans": 3 * 2 * 2 * 16 * PRESET.hidden + tail}  # weights, momentum, and where the chunk began
    for name, floats in of.items():
        model = build(name, PRESET, 16)
        state = model(TOKENS.expand(rows, -1)).state
        assert state_bytes(model, state) == block * floats, name
