"""The fast-weight recurrence in closed form; the token loop beside it is in tests/layers/test_fast_weight.py."""

import pytest
import torch

from nlcore.ops.delta_rule import delta_rule_naive
from nlcore.ops.fast_weight import Chunk, Decays, OjaChunk


def given(length, pairs=1, keys="random", dtype=torch.float64):
    g = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    x = torch.nn.functional.normalize(normal(2, length, pairs, 6), dim=-1)
    if keys == "repeated":
        x = x[:, :1, :1].expand_as(x)
    rates = dict(eta=torch.sigmoid(normal(2, length, pairs)), log_alpha=-normal(2, length).abs() / 4)
    tensors = dict(x=x, d=normal(2, length, pairs, 5), weight=normal(2, 5, 6), momentum=normal(2, 5, 6), **rates)
    tensors |= dict(log_theta=-normal(2, length).abs(), q=normal(2, length, 6))
    return {name: value.detach().clone().to(dtype).requires_grad_() for name, value in tensors.items()}


def test_asked_at_scale_one_and_without_momentum_it_is_the_delta_recurrence():
    t = given(20)
    names = ("x", "d", "eta", "log_alpha", "weight", "q")
    chunk = Chunk(t["x"], t["d"], t["eta"], torch.ones_like(t["log_alpha"]), Decays(t["log_alpha"]), t["weight"])
    fast = (chunk.answers(t["q"]), chunk.final()[0])
    slow = delta_rule_naive(
        t["x"].squeeze(-2), t["d"].squeeze(-2), t["eta"].squeeze(-1), t["log_alpha"], t["weight"], q=t["q"]
    )[:2]
    weigh = [torch.randn_like(y) for y in fast]
    gradients = [
        torch.autograd.grad(sum((y * w).sum() for y, w in zip(found, weigh)), [t[name] for name in names])
        for found in (fast, slow)
    ]
    assert all((a - b).abs().max() < 1e-12 for a, b in zip(fast + gradients[0], slow + gradients[1], strict=True))


@pytest.mark.parametrize("pairs", [1, 3])
@pytest.mark.parametrize("momentum", [False, True])
@pytest.mark.parametrize("asked", [False, True])
def test_what_is_read_is_read_from_the_states_and_the_last_of_them_is_final(pairs, momentum, asked):
    t = given(9, pairs)
    decays = Decays(t["log_alpha"], t["log_theta"] if momentum else None)
    scale = t["log_alpha"].exp() if asked else None
    chunk = Chunk(t["x"], t["d"], t["eta"], scale, decays, t["weight"], t["momentum"] if momentum else None)
    states = chunk.states()
    assert (chunk.answers(t["q"]) - (states @ t["q"][..., None]).squeeze(-1)).abs().max() < 1e-12
    assert (chunk.final()[0] - states[:, -1]).abs().max() < 1e-12
    before = torch.cat([t["weight"][:, None], states[:, :-1]], 1)
    asked_for = (before @ t["x"][:, :, -1, :, None]).squeeze(-1)
    gradients = t["d"][:, :, -1] + (scale[..., None] * asked_for if asked else 0)
    assert (chunk.gradients() - gradients).abs().max() < 1e-12


def test_of_oja_too():
    t = given(9)
    chunk = OjaChunk(t["x"], t["d"], t["eta"], Decays(t["log_alpha"]), t["weight"])
    states = chunk.states()
    assert (chunk.answers(t["q"]) - (states @ t["q"][..., None]).squeeze(-1)).abs().max() < 1e-12
    assert (chunk.final()[0] - states[:, -1]).abs().max() < 1e-12
    assert torch.equal(chunk.gradients(), -t["d"].squeeze(-2))


@pytest.mark.parametrize("rate", [0.5, 1.0, 1.99])
def test_float32_holds_for_a_run_of_identical_keys(rate):
    """Up to rates near 2, where each write turns the memory on its key around."""
    found = []
    for dtype in (torch.float64, torch.float32):
        t = given(64, keys="repeated", dtype=dtype)
        scale = torch.ones_like(t["log_alpha"])
        eta = torch.full_like(t["eta"], rate)
        chunk = Chunk(t["x"], t["d"], eta, scale, Decays(torch.zeros_like(t["log_alpha"])), t["weight"])
        y = chunk.answers(t["q"])
        found.append([y.double(), *(g.double() for g in torch.autograd.grad(y.sum(), [t["x"], t["d"], t["weight"]]))])
    assert all((a - b).abs().max() / a.abs().max() < 1e-4 for a, b in zip(*found))


def test_decay_that_underflows_stays_finite():
    t = given(64, dtype=torch.float32)
    decays = Decays(torch.full_like(t["log_alpha"], -50.0), torch.full_like(t["log_theta"], -50.0))
    chunk = Chunk(t["x"], t["d"], t["eta"], torch.ones_like(t["log_alpha"]), decays, t["weight"], t["momentum"])
    results = [chunk.answers(t["q"]), *chunk.final()]
    gradients = torch.autograd.grad(sum(r.sum() for r in results), [t[n] for n in ("x", "d", "eta", "weight", "momentum")])
    assert all(r.isfinite().all() for r in results + list(gradients))
