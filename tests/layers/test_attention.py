"""Softmax attention, over everything and over a window: PyTorch's kernel, rotary positions, a cache that changes nothing."""

import pytest
import torch

from nlcore.layers.attention import Attention, SlidingWindow, rotate


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


@pytest.mark.parametrize("window", [1, 4, 9, 20])
def test_a_window_is_the_formula_with_a_banded_mask(window):
    """Eq. 63: a token's answer is a mean over itself and the window - 1 tokens before it."""
    torch.manual_seed(0)
    layer, x = SlidingWindow(16, 2, window).double(), torch.randn(2, 12, 16, dtype=torch.float64)
    q, k, v = (part.unflatten(-1, (2, 8)).transpose(1, 2) for part in layer.w_qkv(x).chunk(3, -1))
    q, k = rotate(q, 0), rotate(k, 0)
    band = torch.ones(12, 12, dtype=torch.bool).tril().triu(1 - window)
    scores = (q @ k.mT / 8**0.5).masked_fill(~band, -torch.inf)
    expected = (scores.softmax(-1) @ v).transpose(1, 2).flatten(2) @ layer.w_out.weight.mT
    assert (layer(x)[0] - expected).abs().max() < 1e-12


def test_a_window_as_long_as_the_text_is_attention():
    torch.manual_seed(0)
    whole, x = Attention(16, 2).double(), torch.randn(2, 12, 16, dtype=torch.float64)
    window = SlidingWindow(16, 2, 12).double()
    window.load_state_dict(whole.state_dict())
    assert (window(x)[0] - whole(x)[0]).abs().max() < 1e-12


@pytest.mark.parametrize("window", [1, 4, 20])
@pytest.mark.parametrize("split", [1, 3, 4, 5, 11])
def test_two_calls_of_a_window_equal_one_and_the_state_is_bounded(window, split):
    torch.manual_seed(0)
    layer, x = SlidingWindow(16, 2, window).double(), torch.randn(2, 12, 16, dtype=torch.float64, requires_grad=True)
    whole, end, _ = layer(x)
    first, state, _ = layer(x[:, :split])
    second, last, _ = layer(x[:, split:], layer.attach(state))
    both = torch.cat([first, second], 1)
    assert (both - whole).abs().max() < 1e-12 and last.position == end.position == 12
    assert all((a - b).abs().max() < 1e-12 if a.numel() else True for a, b in zip(last[:2], end[:2], strict=True))
    assert last.k.shape == last.v.shape == (2, 2, min(window - 1, 12), 8)
    weigh = torch.randn(whole.shape, dtype=whole.dtype)
    one, two = (torch.autograd.grad((y * weigh).sum(), x, retain_graph=True)[0] for y in (whole, both))
    assert (one - two).abs().max() < 1e-12
    kept = layer.detach(state)
    assert not kept.k.requires_grad and kept.k.untyped_storage().nbytes() == kept.k.nbytes


def test_token_by_token_far_beyond_the_window():
    torch.manual_seed(0)
    layer, x = SlidingWindow(16, 2, 4).double(), torch.randn(1, 40, 16, dtype=torch.float64)
    state, outputs = None, []
    for t in range(40):
        y, state, _ = layer(x[:, t : t + 1], state)
        outputs.append(y)
        assert state.k.shape[2] <= 3
    assert (torch.cat(outputs, 1) - layer(x)[0]).abs().max() < 1e-12
    changed = x.clone()
    changed[:, 10] += 1
    moved = (layer(changed)[0] - layer(x)[0]).abs().amax((0, 2)) > 0
    assert moved.nonzero().flatten().tolist() == [10, 11, 12, 13]


def test_an_empty_window_gets_one_sentence():
    with pytest.raises(ValueError, match="the window is 0 tokens: give 1 or more"):
        SlidingWindow(16, 2, 0)


@pytest.mark.parametrize("window", [4, 20])
def test_an_answer_is_the_minimiser_of_the_kernel_weighted_squared_error(window):
    """Eq. 62 and 63, with the query of the newest token, where 63 prints that of each key: autograd's slope is 0 there,
    and any other value costs more."""
    torch.manual_seed(0)
    layer, x = SlidingWindow(8, 1, window).double(), torch.randn(1, 9, 8, dtype=torch.float64)
    layer.w_out.weight.data = torch.eye(8, dtype=torch.float64)
    q, k, v = layer.projections(x, 0)
    kernel = (q[0, 0, -1] @ k[0, 0].T / 8**0.5).exp()[-window:]

    def loss(value):
        return (kernel * (v[0, 0, -window:] - value).square().sum(-1)).sum()

    answer = layer(x)[0][0, -1].detach().requires_grad_()
    (slope,) = torch.autograd.grad(loss(answer), answer)
    assert slope.abs().max() < 1e-10
    assert all(loss(answer + 0.01 * torch.randn(8, dtype=torch.float64)) > loss(answer) for _ in range(20))
