"""Attention behind a convolution: the same contract as every model's, and what the convolution is for."""

from dataclasses import replace

import pytest
import torch

from nlcore.models import PRESETS, build, state_bytes
from nlcore.models.memories import leaves

from experiments import baselines
from tests.experiments.test_lstm import tokens

SMALL = replace(PRESETS["tiny"], dim=32, depth=2, heads=2, hidden=8, chunks=(4, 8), context=32)
each = pytest.mark.parametrize("model", ["convolved-attention", "convolved-window"])


def make(model, **sizes):
    baselines.register()
    torch.manual_seed(0)
    return build(model, replace(SMALL, **sizes), 50).double()


@each
def test_two_calls_with_the_state_carried_equal_one(model):
    net, x = make(model), tokens()
    whole = net(x).logits
    for cut in (1, 2, 7, 12, 23):
        first = net(x[:, :cut])
        second = net(x[:, cut:], net.attach(net.detach(first.state)))
        assert (torch.cat([first.logits, second.logits], 1) - whole).abs().max() < 1e-12, cut


@each
def test_a_detached_state_has_no_gradient_and_no_view(model):
    kept = leaves(make(model).detach(make(model)(tokens()).state))
    assert not any(part.requires_grad or part._base is not None for part in kept if isinstance(part, torch.Tensor))


@each
@pytest.mark.parametrize("at", [0, 5, 11])
def test_causal(model, at):
    net, x = make(model), tokens(batch=1)
    changed = x.clone()
    changed[:, at] = (changed[:, at] + 1) % 50
    moved = (net(x).logits - net(changed).logits).abs().amax((0, 2))
    assert (moved[:at] == 0).all() and moved[at] > 0


@each
def test_no_parameter_without_gradient(model):
    net = make(model)
    torch.nn.functional.cross_entropy(net(tokens()).logits.flatten(0, 1), tokens(seed=2).flatten()).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().max() > 0, name


def test_the_window_ends_where_it_should():
    """Over one block a token reaches 7 tokens back through the window, and 3 more through the convolution before it."""
    net, x = make("convolved-window", depth=1), tokens(batch=1)
    changed = x.clone()
    changed[:, 5] = (changed[:, 5] + 1) % 50
    moved = (net(x).logits - net(changed).logits).abs().amax((0, 2))
    assert (moved[5:16] > 0).all() and (moved[16:] == 0).all()
    assert state_bytes(net, net(x).state) == 8 * (2 * 7 * 32 + 3 * 32)


def test_without_erasing_deltanet_is_a_sum_under_keys_of_length_one():
    """A loop that only adds, fed with what the layer feeds its memory."""
    layer, x = make("deltanet-without-erasing", depth=1).blocks[0].mixer, torch.randn(2, 9, 32, dtype=torch.float64)
    same = make("deltanet", depth=1).blocks[0].mixer
    shapes, its_shapes = ({name: p.shape for name, p in each.named_parameters()} for each in (same, layer))
    assert shapes == its_shapes
    mixed = torch.nn.functional.conv1d(
        torch.cat([x.new_zeros(2, 3, 32), x], 1).mT, layer.convolution, groups=32
    ).mT
    told = layer.tokens(layer.w_qkv(mixed), layer.w_rates(mixed))
    assert (told.k.norm(dim=-1) - 1).abs().max() < 1e-4
    M, read = torch.zeros(2, 2, 16, 16, dtype=torch.float64), []
    for t in range(9):
        M = M + told.eta[:, :, t, None, None] * told.v[:, :, t, :, None] * told.k[:, :, t, None, :]
        read.append((M @ told.q[:, :, t, :, None])[..., 0])
    assert (layer(x)[1].inner.memory[0] - M).abs().max() < 1e-12
    y = layer.read_out(torch.stack(read, 2)).transpose(1, 2).flatten(2) * torch.nn.functional.silu(layer.w_gate(mixed))
    assert (layer(x)[0] - layer.w_out(y)).abs().max() < 1e-12
