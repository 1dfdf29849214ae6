"""Adam's family against torch's own, 200 steps of a small network in float64; Lion and SignSGD against plain loops."""

import copy

import pytest
import torch
from torch import nn

from nlcore.optim import Adam, AMSGrad, Lion, NAdam, RAdam, RMSProp

PAIRS = {
    "Adam": (lambda p: Adam(p, lr=3e-3), lambda p: torch.optim.Adam(p, lr=3e-3)),
    "Adam, other betas": (
        lambda p: Adam(p, lr=3e-3, betas=(0.8, 0.95), eps=1e-4),
        lambda p: torch.optim.Adam(p, lr=3e-3, betas=(0.8, 0.95), eps=1e-4),
    ),
    "AdamW": (lambda p: Adam(p, lr=3e-3, weight_decay=0.1), lambda p: torch.optim.AdamW(p, lr=3e-3, weight_decay=0.1)),
    "AMSGrad": (
        lambda p: AMSGrad(p, lr=3e-3, weight_decay=0.1),
        lambda p: torch.optim.AdamW(p, lr=3e-3, weight_decay=0.1, amsgrad=True),
    ),
    "NAdam": (
        lambda p: NAdam(p, lr=3e-3, weight_decay=0.1),
        lambda p: torch.optim.NAdam(p, lr=3e-3, weight_decay=0.1, decoupled_weight_decay=True),
    ),
    "RAdam": (
        lambda p: RAdam(p, lr=3e-3, weight_decay=0.1),
        lambda p: torch.optim.RAdam(p, lr=3e-3, weight_decay=0.1, decoupled_weight_decay=True),
    ),
    "RMSProp": (lambda p: RMSProp(p, lr=1e-3), lambda p: torch.optim.RMSprop(p, lr=1e-3)),
    "RMSProp, centered": (lambda p: RMSProp(p, lr=1e-3, centered=True), lambda p: torch.optim.RMSprop(p, lr=1e-3, centered=True)),
    "RMSProp, momentum": (
        lambda p: RMSProp(p, lr=1e-4, centered=True, momentum=0.9),
        lambda p: torch.optim.RMSprop(p, lr=1e-4, centered=True, momentum=0.9),
    ),
    "Adam, up": (lambda p: Adam(p, lr=1e-4, maximize=True), lambda p: torch.optim.Adam(p, lr=1e-4, maximize=True)),
}  # fmt: skip


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()


def train(model, optimizer, steps=200):
    draw = torch.Generator().manual_seed(1)
    for _ in range(steps):
        x = torch.randn(16, 6, generator=draw, dtype=torch.float64)
        optimizer.zero_grad()
        (model(x) - x[:, :3].sin()).square().mean().backward()
        optimizer.step()
    return nn.utils.parameters_to_vector(model.parameters()).detach()


@pytest.mark.parametrize("name", PAIRS)
def test_it_is_torchs(name):
    ours, theirs = PAIRS[name]
    a, b = network(), network()
    torch.testing.assert_close(train(a, ours(a.parameters())), train(b, theirs(b.parameters())), rtol=0, atol=1e-10)


def test_torchs_plain_adam_decays_through_the_memories_and_ours_does_not():
    a, b = network(), network()
    ours = train(a, Adam(a.parameters(), lr=3e-3, weight_decay=0.1))
    theirs = train(b, torch.optim.Adam(b.parameters(), lr=3e-3, weight_decay=0.1))
    assert (ours - theirs).abs().max() > 1e-3


def test_rmsprop_is_adam_without_its_first_memory_and_its_correction():
    model, other = network(), network()
    beta, t = 0.9, 0
    rmsprop, adam = RMSProp(model.parameters(), beta=beta, eps=0), Adam(other.parameters(), betas=(0, beta), eps=0)
    for t in range(1, 20):
        for group in adam.param_groups:
            group["lr"] = 1e-2 / (1 - beta**t) ** 0.5
        for p, q in zip(model.parameters(), other.parameters()):
            p.grad = q.grad = torch.randn(p.shape, generator=torch.Generator().manual_seed(t), dtype=p.dtype)
        rmsprop.step()
        adam.step()
    for p, q in zip(model.parameters(), other.parameters()):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-12)


def test_sign_sgd_is_adam_that_remembers_nothing():
    p = torch.zeros(4, dtype=torch.float64, requires_grad=True)
    p.grad = torch.tensor([3.0, -1e-9, 0.0, 2e5], dtype=torch.float64)
    Adam([p], lr=0.1, betas=(0, 0), eps=1e-30).step()
    torch.testing.assert_close(p.detach(), -0.1 * p.grad.sign(), rtol=0, atol=1e-16)


def test_lion_is_the_plain_loop():
    model = network()
    found = copy.deepcopy(model)
    lion = Lion(found.parameters(), lr=1e-3, betas=(0.8, 0.95), weight_decay=0.2)
    m = [torch.zeros_like(p) for p in model.parameters()]
    for t in range(30):
        draw = torch.Generator().manual_seed(t)
        for i, (p, q) in enumerate(zip(model.parameters(), found.parameters())):
            g = torch.randn(p.shape, generator=draw, dtype=p.dtype)
            q.grad = g
            with torch.no_grad():
                p.copy_(p - 1e-3 * 0.2 * p - 1e-3 * torch.sign(0.8 * m[i] + 0.2 * g))
            m[i] = 0.95 * m[i] + 0.05 * g
        lion.step()
    for p, q in zip(model.parameters(), found.parameters()):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-14)


def test_a_parameter_that_waits_keeps_its_own_count():
    """Bias correction goes by a parameter's own gradients, as in torch."""
    def run(make):
        p, q = (torch.ones(2, dtype=torch.float64, requires_grad=True) for _ in range(2))
        optimizer = make([p, q])
        for t in range(6):
            p.grad = torch.full_like(p, 0.3 * t - 1)
            q.grad = p.grad.clone() if t >= 3 else None
            optimizer.step()
        return torch.cat([p, q]).detach()

    torch.testing.assert_close(run(Adam), run(torch.optim.Adam), rtol=0, atol=1e-14)
    # torch keeps the product of NAdam's mu in single precision
    torch.testing.assert_close(run(NAdam), run(torch.optim.NAdam), rtol=0, atol=1e-10)


@pytest.mark.parametrize("make", (Adam, Lion, NAdam))
def test_a_memory_that_would_never_forget_is_refused(make):
    with pytest.raises(ValueError, match=r"betas is \(0.9, 1.0\): a mean keeps"):
        make([torch.ones(1, requires_grad=True)], betas=(0.9, 1.0))
