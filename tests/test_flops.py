"""Operations a token: as counted in a whole model, as textbooks have them, and as counted by hand for Hope's memories."""

from dataclasses import replace

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from nlcore import flops
from nlcore.layers import SelfModifyingTitans
from nlcore.models import MODELS, build, parameter_count, preset_of

SIZES = dict(dim=32, depth=2, heads=2, hidden=8, chunks=(4, 8), periods=(1, 2), vocabulary=20, context=40)


@pytest.mark.parametrize("model", MODELS)
def test_one_head_and_short_windows_tell_what_the_whole_model_does(model):
    preset = replace(preset_of("tiny", model), **SIZES)
    whole = build(model, preset, 20)
    with FlopCounterMode(display=False, custom_mapping=flops.COUNTS) as counter:
        whole(torch.zeros(1, 40, dtype=torch.int64)).logits.sum().backward()
    assert flops.per_token(model, preset) * 40 == pytest.approx(counter.get_total_flops(), rel=1e-12)
    computed_again = replace(preset, checkpoint_blocks=True, batch=9, carry=3)
    assert flops.per_token(model, computed_again) == flops.per_token(model, preset)


def test_a_transformer_takes_six_a_weight_and_twelve_a_token_and_unit_of_width():
    preset = preset_of("160m", "transformer")
    with torch.device("meta"):
        model = build("transformer", preset, preset.vocabulary)
    vectors = sum(p.numel() for p in model.parameters() if p.dim() == 1)
    expected = 6 * (parameter_count(model) - vectors) + 12 * preset.depth * preset.context * preset.dim
    assert flops.per_token("transformer", preset) == expected


def wide(d, h, c):
    """Operations forward, a token, of a memory that answers a vector and is written every c tokens, without its reading."""
    learnt, gradients, starts, writes = 4 * d * h, 6 * d * h, 4 * d * h, 4 * d * h
    few, many = sorted((d, h))
    slope = 2 * few * few * many + 2 * few**3  # of the weights at the output, once a chunk
    return learnt + gradients + starts + writes + 2 * c * h + c * (d + h) + 4 * c + slope / c


def narrow(d, h, c):
    """The same of one that answers a number."""
    learnt, gradients, starts, writes = 2 * d * h + 2 * h, 2 * d * h + 4 * h, 2 * d * h + 2 * h, 2 * d * h + 2 * h
    return learnt + gradients + starts + writes + 2 * c * h + c * (1 + h) + 4 * c + (2 * h + 2) / c


@pytest.mark.parametrize("d, h, c", [(16, 8, 4), (12, 20, 6)])
def test_hopes_memories_are_counted_as_by_hand(d, h, c):
    """Wide memories answer, and make k and v; narrow ones make eta and alpha; matrices are w_in, w_q and w_out."""
    reads = 3 * 4 * d * h + 2 * (2 * d * h + 2 * h)
    written = wide(d, h, c) + 2 * wide(d, h, 2 * c) + 2 * narrow(d, h, 2 * c)
    overlaps = 2 * c * d + 2 * (2 * c) * d
    token = reads + written + overlaps + 3 * 2 * d * d
    layer = SelfModifyingTitans(d, 1, h, (c, 2 * c), narrow_rates=True)

    def forward(chunks):
        with FlopCounterMode(display=False, custom_mapping=flops.COUNTS) as counter:
            layer(torch.ones(1, chunks * 2 * c, d))
        return counter.get_total_flops()

    assert forward(3) - forward(2) == 2 * c * token
    # A pass back takes a product for each of a product's two factors.
    both = flops.counted(layer, torch.ones(1, 6 * c, d)) - flops.counted(layer, torch.ones(1, 4 * c, d))
    assert both == pytest.approx(3 * 2 * c * token, rel=0.03)


def test_levels_in_context_are_not_counted():
    with pytest.raises(ValueError, match="levels that learn in context"):
        flops.per_token("hope-attention", replace(preset_of("tiny", "hope-attention"), in_context=(("cms-3", 16, 0.3),)))


def test_a_gpu_is_found_by_its_drivers_name():
    assert flops.gpu_named("NVIDIA H100 80GB HBM3").peak == 989.4e12
    assert flops.gpu_named("NVIDIA H100 PCIe").peak == 756.5e12
    assert flops.gpu_named("NVIDIA A100-SXM4-80GB").peak == 312e12
    assert flops.gpu_named("NVIDIA GeForce RTX 4090") is None
