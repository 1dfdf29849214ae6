"""Softmax attention: PyTorch's kernel, rotary positions, and a cache that changes nothing."""

import pytest
import torch

from nlcore.layers.attention import Attention, rotate


def test_equals_the_formula():
    torch.manual_seed(0)
    layer, x = Attention(16, 2).double(), torch.randn(2, 9, 16, dtype=torch.float64)
    q, k, v = (part.unflatten(-1, (2, 8)).transpose(1, 2) for part in layer.w_qkv(x).chunk(3, -1))
    q, k = rotate(q, 0), rotate(k, 0)
    scores = (q @ k.mT / 8**0.5).masked_fill(~torch.ones(9, 9, dtype=torch.bool).tril(), -torch.inf)
    expected = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2) @ layer.w_out.weight.mT
    assert (layer(x)[0] - expected).abs().max() < 1e-12


def test_rotary_scores_depend_on_distance_alone():
    q, k = torch.randn(1, 1, 1, 8).double(), torch.randn(1, 1, 1, 8).double()
    scores = [(rotate(q, at + 3) * rotate(k, at)).sum() for at in (0, 5, 100)]
    assert torch.allclose(torch.stack(scores), scores[0].expand(3), atol=1e-12)
    assert not torch.allclose(scores[0], (rotate(q, 4) * rotate(k, 0)).sum(), atol=1e-6)


def test_rotation_is_that_of_complex_numbers():
    x = torch.randn(1, 2, 5, 8, dtype=torch.float64)
    angles = torch.arange(7, 12)[:, None] * 10_000.0 ** (-torch.arange(4) / 4).double()
    turned = torch.complex(x[..., :4], x[..., 4:]) * torch.exp(1j * angles)
    assert (rotate(x, 7) - torch.cat([turned.real, turned.imag], -1)).abs().max() < 1e-12


@pytest.mark.parametrize("split", range(1, 9))
def test_two_calls_equal_one(split):
    torch.manual_seed(0)
    layer, x = Attention(16, 2).double(), torch.randn(2, 9, 16, dtype=torch.float64)
    first, state, _ = layer(x[:, :split])
    second, _, _ = layer(x[:, split:], state)
    assert (torch.cat([first, second], 1) - layer(x)[0]).abs().max() < 1e-12


def test_odd_heads_get_one_sentence():
    with pytest.raises(ValueError, match="into even parts"):
        Attention(15, 3)


def test_a_head_too_wide_gets_one_sentence():
    Attention(256, 1)
    with pytest.raises(ValueError, match="a head of width 512 is too wide .* choose more heads"):
        Attention(1024, 2)
