"""The memories that chapter 06 compares: six matrices, each a setting of one type, and attention, which keeps the pairs."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from nlcore.memory import L2, AssociativeMemory, Decay, DotProduct, GradientDescent, Linear, Oja, Omega, Rates
from nlcore.memory.objectives import Objective
from nlcore.memory.rules import Rule
from nlcore.viz.theme import Look, looks


@dataclass(frozen=True)
class Setting:
    """What a matrix is besides its width."""

    objective: Objective
    rule: Rule
    fades: bool = False
    """It is multiplied by a retention below 1 at each write; the others keep everything."""


SETTINGS = {
    "sum": Setting(DotProduct(), GradientDescent()),
    "decay": Setting(DotProduct(), GradientDescent(), fades=True),
    "delta": Setting(L2(), GradientDescent()),
    "gated": Setting(L2(), GradientDescent(), fades=True),
    "Oja": Setting(DotProduct(), Oja()),
    "Omega": Setting(L2(), Omega((1.0,) * 4)),
}
ATTENTION, WINDOW = "attention", "window"
NAMES = (*SETTINGS, ATTENTION, WINDOW)
LOOKS = looks((*SETTINGS, ATTENTION)) | {WINDOW: Look("#000000", "dashed", "P")}
"""The window is attention cut short: the same ink, with a dash of its own."""
BANDWIDTH = 0.05
"""Of attention, for keys of length one: narrower changes nothing any more."""


def window(width: int) -> int:
    """How many pairs have the bytes of a matrix: d x d numbers against 2 d a pair."""
    return width // 2


def pairs(count: int, streams: int, width: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Random keys and values, (count, streams, width) each, all of length one."""
    draw = torch.Generator().manual_seed(seed)
    k, v = normalize(torch.randn(2, count, streams, width, generator=draw), dim=-1)
    return k, v


def states(setting: Setting, k: Tensor, v: Tensor, eta: Tensor, alpha: float = 1.0) -> Iterator[Tensor]:
    """The matrix before the first write and after each, T + 1 of (*batch, d, d), one after the other.

    k, v: (T, *batch, d). eta: (*batch,), or one that is broadcast. alpha: retention, for a setting that fades.
    """
    width, batch = k.shape[-1], k.shape[1:-1]
    memory = AssociativeMemory(Linear(width, width), setting.objective, setting.rule, Decay())
    kept = torch.full(batch, alpha if setting.fades else 1.0, dtype=k.dtype)
    state = memory.start(batch)
    yield state.memory[0]
    for key, value in zip(k, v):
        state, _ = memory.write(state, key, value, Rates(eta.expand(batch), kept))
        yield state.memory[0]


def attend(q: Tensor, k: Tensor, v: Tensor, bandwidth: float) -> Tensor:
    """Softmax attention's answers (..., Q, d_v) to queries (..., Q, d), of pairs (..., T, d) and (..., T, d_v) (eq. 62).

    Values averaged with the weights `s(k, q) = exp(k . q / bandwidth)`: Nadaraya and Watson's estimator. With a
    bandwidth of sqrt(d) it is what Transformers do. Raises ValueError for one that is not above 0.
    """
    if not bandwidth > 0:
        raise ValueError(f"the bandwidth is {bandwidth}: give one above 0")
    return torch.softmax(q @ k.mT / bandwidth, dim=-1) @ v
