"""Every optimizer of the course, and a small network to train.

A new one adds a line to OPTIMIZERS: its name, and a function of the model and of the parameters
(or groups) to train.
"""

import contextlib

import torch
from torch import nn

from nlcore import probe
from nlcore.memory import Huber
from nlcore.optim import (
    AMSGrad, AdaGrad, Adam, DeepMomentum, DeltaGradientDescent, DeltaMomentum, FullAdaGrad,
    GeneralizedGradientDescent, LayerInputs, Lion, Momentum, MultiscaleMomentumMuon, Muon, NAdam, RAdam,
    RMSProp, SignedPower, StayNear,
)  # fmt: skip


def matrices(params):
    """Only the matrices among parameters, or in each group of them, for an optimizer that takes no others."""
    params = list(params)
    if isinstance(params[0], dict):
        return [group | {"params": matrices(group["params"])} for group in params]
    return [p for p in params if (p[1] if isinstance(p, tuple) else p).ndim == 2]


OPTIMIZERS = {
    "momentum": lambda model, params: Momentum(params, lr=0.02),
    "nesterov, decayed": lambda model, params: Momentum(params, lr=0.02, nesterov=True, weight_decay=1e-2),
    "momentum of features": lambda model, params: Momentum(params, lr=0.005, values=SignedPower(0.5)),
    "delta momentum, literal": lambda model, params: DeltaMomentum(params, lr=0.02, form="literal"),
    "delta momentum, bounded": lambda model, params: DeltaMomentum(params, lr=0.02, form="bounded", weight_decay=1e-2),
    "delta momentum, exact": lambda model, params: DeltaMomentum(params, lr=0.02, form="exact"),
    "deep momentum": lambda model, params: DeepMomentum(params, lr=0.2),
    "delta gradient descent": lambda model, params: DeltaGradientDescent(params, LayerInputs(model), lr=0.3),
    "generalised gradient descent": lambda model, params: GeneralizedGradientDescent(
        params, LayerInputs(model, surprises=True), 0.3, Huber(), StayNear(3)
    ),
    "adam": lambda model, params: Adam(params, lr=3e-3),
    "adam, decayed": lambda model, params: Adam(params, lr=3e-3, weight_decay=1e-2),
    "sign descent": lambda model, params: Adam(params, lr=1e-3, betas=(0, 0), eps=1e-30, weight_decay=1e-2),
    "amsgrad": lambda model, params: AMSGrad(params, lr=3e-3),
    "nadam": lambda model, params: NAdam(params, lr=3e-3),
    "radam": lambda model, params: RAdam(params, lr=1e-2),
    "rmsprop": lambda model, params: RMSProp(params, lr=3e-3),
    "rmsprop, all memories": lambda model, params: RMSProp(params, lr=5e-4, centered=True, momentum=0.9),
    "momentum, dampened": lambda model, params: Momentum(params, lr=0.05, dampening=0.5),
    "lion": lambda model, params: Lion(params, lr=1e-3),
    "adagrad": lambda model, params: AdaGrad(params, lr=0.05),
    "full adagrad": lambda model, params: FullAdaGrad(params, lr=0.05),
    "muon": lambda model, params: Muon(matrices(params), lr=0.02),
    "m3": lambda model, params: MultiscaleMomentumMuon(params, lr=1e-3, period=4),
    "m3, printed": lambda model, params: MultiscaleMomentumMuon(params, lr=0.003, period=4, decay="none"),
}  # fmt: skip


class Small(nn.Module):
    """Parameters of 0, 1, 2 and 4 dimensions."""

    def __init__(self):
        super().__init__()
        self.filter = nn.Conv2d(1, 3, 3, bias=False)
        self.inner = nn.Linear(12, 8)
        self.outer = nn.Linear(8, 4)
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, x):
        return self.scale * self.outer(torch.tanh(self.inner(self.filter(x).flatten(1))))


def small():
    torch.manual_seed(0)
    return Small()


def loss_at(model, step):
    draw = torch.Generator().manual_seed(step)
    x = torch.randn(16, 1, 4, 4, generator=draw)
    return (model(x) - x.flatten(1)[:, :4].tanh()).square().mean()


def train(model, optimizer, steps, listening=False):
    losses = []
    for step in steps:
        optimizer.zero_grad()
        loss = loss_at(model, step)
        loss.backward()
        with probe.listen() if listening else contextlib.nullcontext():
            optimizer.step()
        losses.append(loss.item())
    return losses


def same(a, b):
    return all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
