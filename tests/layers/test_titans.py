"""Self-modifying Titans without self-modification are Titans: `FastWeight` with `FAMILY["titans"]`, weights copied over."""

from dataclasses import replace

import pytest
import torch

from nlcore.layers import FAMILY, FastWeight, SelfModifyingTitans
from nlcore.layers.learning import given
from nlcore.memory import Decay, GradientDescent

TITANS = dict(adaptive=(), learns=given, rule=GradientDescent(), retention=Decay(), momentum=True, reads="after")
DIM, HEADS, HIDDEN, CHUNK = 12, 2, 5, 4


def pair(small=0.02):
    """Both layers with the same function. Rates are small, so that no budget bites; theta is one a head."""
    torch.manual_seed(0)
    ours = SelfModifyingTitans(DIM, HEADS, HIDDEN, (CHUNK, CHUNK), **TITANS).double()
    setting = replace(FAMILY["titans"], eta_max=ours.eta_max * CHUNK)  # it divides eta by the chunk
    theirs = FastWeight(DIM, HEADS, setting, HIDDEN, CHUNK).double()
    with torch.no_grad():
        torch.nn.init.eye_(ours.w_in.weight)
        ours.convolution.normal_()
        for plain in (ours.w_eta, ours.w_alpha):
            plain.weight.normal_()
        theirs.convolution.copy_(ours.convolution)
        theirs.w_qkv.weight.copy_(torch.cat([ours.w_q.weight, ours.w_k.weight, ours.w_v.weight]))
        assert theirs.made == ("eta", "alpha", "theta")
        theirs.w_rates.weight.copy_(torch.cat([ours.w_eta.weight, ours.w_alpha.weight, torch.zeros(HEADS, DIM)]))
        theirs.w_rates.bias.copy_(torch.cat([ours.bias_eta, ours.bias_alpha, ours.theta]))
        for start, weight in zip(theirs.starts, ours.memory.weights):
            start.copy_(weight[0])
        theirs.w_out.weight.copy_(ours.w_out.weight)
    ours.eta_scale = theirs.eta_scale = small
    return ours, theirs


def gradients(layer, y, x):
    """Of every parameter that both have, under ours' names."""
    weigh = torch.randn(y.shape, generator=torch.Generator().manual_seed(2), dtype=y.dtype)
    names, parameters = zip(*layer.named_parameters())
    found = dict(zip(("x", *names), torch.autograd.grad((y * weigh).sum(), [x, *parameters])))
    if isinstance(layer, FastWeight):
        q, k, v = found.pop("w_qkv.weight").chunk(3)
        eta, alpha, _ = found.pop("w_rates.weight").chunk(3)
        biases = dict(zip(("bias_eta", "bias_alpha", "theta"), found.pop("w_rates.bias").chunk(3)))
        made = {f"w_{name}.weight": grad for name, grad in dict(q=q, k=k, v=v, eta=eta, alpha=alpha).items()}
        starts = {f"memory.w{i + 1}": found.pop(f"starts.{i}")[None] for i in range(2)}
        found |= biases | made | starts
    else:
        del found["w_in.weight"]  # the other layer has none
    return found


@pytest.mark.parametrize("length", [1, CHUNK - 1, CHUNK, CHUNK + 1, 19])
def test_outputs_states_and_gradients_are_those_of_the_family(length):
    ours, theirs = pair()
    x = torch.randn(2, length, DIM, dtype=torch.double, requires_grad=True)
    (y, state, _), (z, inner, _) = ours(x), theirs(x)
    assert (y - z).abs().max() < 1e-10
    if length % CHUNK == 0:  # between, ours waits with the open chunk's tokens, theirs has written them
        for one, other in zip(state.memory.memory + state.memory.momentum, inner.inner.memory + inner.inner.momentum):
            assert (one[:, 0] - other).abs().max() < 1e-10
    one, other = gradients(ours, y, x), gradients(theirs, z, x)
    assert one.keys() == other.keys()
    for name in one:
        assert (one[name] - other[name]).abs().max() < 1e-10 * max(1, other[name].abs().max()), name


def test_with_large_rates_the_budget_tells_them_apart():
    """The control: the two are not equal whatever is done."""
    ours, theirs = pair(1.0)
    with torch.no_grad():
        ours.bias_eta.fill_(10.0)
        theirs.w_rates.bias[:HEADS] = 10.0
        x = torch.randn(2, 19, DIM, dtype=torch.double)
        assert (ours(x)[0] - theirs(x)[0]).abs().max() > 1e-4
