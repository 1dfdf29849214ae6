"""The decayed delta recurrence, a chunk at a time: matrix products and one triangular solve.

The derivation is in this folder's README; names are those of the README.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nlcore.ops.decay import remaining


def shifted(rows: Tensor) -> Tensor:
    """Row t - 1 in place of row t, zeros first: what held before token t was written."""
    return F.pad(rows, (0, 0, 1, 0))[..., :-1, :]


class Decays:
    """How much of the past is left at each token of a chunk; shared by all matrices with these rates.

    `log_alpha` (..., C), at most 0 and finite; `theta` (...), or None for no momentum.
    """

    def __init__(self, log_alpha: Tensor, theta: Tensor | None = None) -> None:
        self.alpha, self.ratios = log_alpha.exp(), remaining(log_alpha)
        self.ratios_before = shifted(self.ratios)
        self.g = log_alpha.cumsum(-1).exp()[..., None]
        self.g_before = F.pad(self.g, (0, 0, 1, 0), value=1.0)[..., :-1, :]
        self.spread, self.c, self.first = self.ratios, None, 1.0
        if theta is not None:
            self.first = 1 - theta[..., None]  # of all that a step's echoes add up to, what comes at once
            steps = torch.arange(log_alpha.shape[-1], device=log_alpha.device)
            powers = theta[..., None, None] ** (steps[:, None] - steps[None, :]).clamp(min=0)
            self.powers, self.decays = powers.tril(), theta[..., None] ** (steps + 1)
            self.spread = self.ratios @ self.powers
            self.c = self.ratios @ self.decays[..., None]


class Opened(NamedTuple):
    """One matrix and the tokens of a chunk that has begun: all that is taken at the chunk's start."""

    x: Tensor
    """Keys (..., C, in)."""
    delta: Tensor
    """Gradients at the matrix's output (..., C, out)."""
    weight: Tensor
    """`W_0` (..., out, in)."""
    momentum: Tensor | None
    """`m_0` (..., out, in), or None."""
    start: Tensor | None
    """What retention pulls to (..., out, in), or None."""
    answers: Tensor
    """`x W_0^T` (..., C, out)."""
    overlap: Tensor
    """`x x^T` (..., C, C)."""


class Tokenwise:
    """The matrix that each token of a chunk reads, never formed: what it keeps of others, and thin writes.

        g_t W_0 + (1 - g_t) W_start + c_t m_0 - sum_s coefficients_ts written_s x_s^T

    with one pair of `coefficients` (..., C, C), 0 for s > t, and `written` (..., C, out) for each of `writes`;
    `g` and `c` are (..., C, 1), `c` None without momentum.
    """

    def __init__(self, opened: Opened, g: Tensor, c: Tensor | None, writes: list[tuple[Tensor, Tensor]]) -> None:
        self.opened, self.g, self.c, self.writes = opened, g, c, writes

    def answers(self, q: Tensor) -> Tensor:
        """What the chunk's last n tokens read at their queries (..., n, in): (..., n, out)."""
        opened, last = self.opened, slice(-q.shape[-2], None)
        overlap, g = q @ opened.x.mT, self.g[..., last, :]
        answers = g * (q @ opened.weight.mT)
        if opened.start is not None:
            answers = answers + (1 - g) * (q @ opened.start.mT)
        if opened.momentum is not None:
            answers = answers + self.c[..., last, :] * (q @ opened.momentum.mT)
        return answers - sum((coefficients[..., last, :] * overlap) @ written for coefficients, written in self.writes)

    def before(self) -> "Tokenwise":
        """The same, each token reading what stood before its own write."""
        g, c = F.pad(self.g, (0, 0, 1, 0), value=1.0)[..., :-1, :], None if self.c is None else shifted(self.c)
        return Tokenwise(self.opened, g, c, [(shifted(coefficients), written) for coefficients, written in self.writes])


class Chunk(Tokenwise):
    """One chunk of the recurrence, solved: the writes of its tokens as thin matrices.

    Without momentum the state after token t is `kept_t(W_0) - sum_s G_ts eta_s (p_s + delta_s) x_s^T`,
    with it `kept_t(W_0) + c_t m_0 - sum_s eta_s (B_ts delta_s + G_ts p_s) x_s^T`, for s up to t, with
    `p_s = W_{s-1} x_s`.

    `eta` are the rates (..., C), `decays` those of the chunk. Where the rule `erases` nothing (gradient descent),
    every `p` is 0 and there is nothing to solve. All that is given receives gradient.
    """

    def __init__(self, opened: Opened, eta: Tensor, decays: Decays, erases: bool = True) -> None:
        self.opened, self.g, self.c, self.decays, self.eta = opened, decays.g, decays.c, decays, eta
        self.solved = [(decays.spread, opened.delta)]
        """Coefficients (..., C, C) and writes (..., C, out), both without their rates."""
        if erases:
            system = eta[..., None, :] * (decays.ratios_before * opened.overlap)  # many memories share what is in brackets
            kept = self._kept()
            if opened.momentum is None:
                self.solved = [(decays.ratios, self._solve(system, kept + opened.delta))]
            else:
                self.solved.insert(0, (decays.ratios, self._solve(system, kept)))

    @property
    def writes(self) -> list[tuple[Tensor, Tensor]]:
        return [(self.eta[..., None, :] * coefficients, written) for coefficients, written in self.solved]

    def _kept(self) -> Tensor:
        """What each token's key reads of the chunk's start and, with momentum, of the pushes before it."""
        opened, decays = self.opened, self.decays
        if opened.start is None:
            kept = decays.g_before * opened.answers
        else:
            kept = torch.lerp(opened.x @ opened.start.mT, opened.answers, decays.g_before)
        if opened.momentum is None:
            return kept
        kept = kept + shifted(decays.c) * (opened.x @ opened.momentum.mT)
        return kept - (self.eta[..., None, :] * (shifted(decays.spread) * opened.overlap)) @ opened.delta

    @staticmethod
    def _solve(system: Tensor, right: Tensor) -> Tensor:
        """By substitution; `unitriangular` takes the diagonal as ones, whatever stands there."""
        return torch.linalg.solve_triangular(system, right, upper=False, unitriangular=True)

    def final(self) -> tuple[Tensor, Tensor | None]:
        """Weight and momentum after the chunk's last token, each (..., out, in)."""
        opened, decays, g = self.opened, self.decays, self.g[..., -1:, :]
        left = sum((-self.eta * coefficients[..., -1, :])[..., None] * written for coefficients, written in self.solved)
        weight = g * opened.weight if opened.start is None else torch.lerp(opened.start, opened.weight, g)
        weight = weight + left.mT @ opened.x
        if opened.momentum is None:
            return weight, None
        weight = weight + self.c[..., -1:, :] * opened.momentum
        newest = (self.eta * decays.powers[..., -1, :])[..., None] * opened.delta
        return weight, decays.decays[..., -1, None, None] * opened.momentum - newest.mT @ opened.x


def delta_rule_chunked(
    x: Tensor,
    delta: Tensor,
    eta: Tensor,
    log_alpha: Tensor,
    weight: Tensor,
    momentum: Tensor | None = None,
    theta: Tensor | None = None,
    start: Tensor | None = None,
    q: Tensor | None = None,
    chunk: int = 64,
) -> tuple[Tensor | None, Tensor, Tensor | None]:
    """`delta_rule_naive` in chunks of `chunk` tokens; the last one may be shorter.

    Same arguments, same results. Per chunk and memory: O(C^2 (in + out) + C in out)
    operations in a few matrix products, against C sequential rank-one updates.
    """
    answers = []
    given = [x.split(chunk, -2), delta.split(chunk, -2), eta.split(chunk, -1), log_alpha.split(chunk, -1)]
    asked = [None] * len(given[0]) if q is None else q.split(chunk, -2)
    for keys, surprise, rates, log_decays, queries in zip(*given, asked):
        opened = Opened(keys, surprise, weight, momentum, start, keys @ weight.mT, keys @ keys.mT)
        part = Chunk(opened, rates, Decays(log_decays, theta))
        if queries is not None:
            answers.append(part.answers(queries))
        weight, momentum = part.final()
    return (torch.cat(answers, -2) if q is not None else None), weight, momentum
