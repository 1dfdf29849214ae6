"""The decayed delta recurrence, a chunk at a time: matrix products and one triangular solve.

The derivation is in this folder's README; names are those of the README.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def shifted(rows: Tensor) -> Tensor:
    """Row t - 1 in place of row t, zeros first: what held before token t was written."""
    return F.pad(rows, (0, 0, 1, 0))[..., :-1, :]


class Decays:
    """How much of the past is left at each token of a chunk; shared by all matrices with these rates.

    `log_alpha` (..., C), at most 0 and finite; `theta` (...), or None for no momentum.
    """

    def __init__(self, log_alpha: Tensor, theta: Tensor | None = None) -> None:
        log_g = log_alpha.cumsum(-1)
        gaps = log_g[..., :, None] - log_g[..., None, :]
        above = torch.ones(gaps.shape[-2:], dtype=torch.bool, device=gaps.device).triu(1)
        # Quotients of products underflow; differences of sums do not.
        self.ratios = gaps.masked_fill(above, -torch.inf).exp()
        self.ratios_before = shifted(self.ratios)
        self.g = log_g.exp()[..., None]
        self.g_before = F.pad(self.g, (0, 0, 1, 0), value=1.0)[..., :-1, :]
        self.carry = None
        if theta is not None:
            steps = torch.arange(log_alpha.shape[-1], device=log_alpha.device)
            powers = theta[..., None, None] ** (steps[:, None] - steps[None, :]).clamp(min=0)
            self.powers, self.decays = powers.tril(), theta[..., None] ** (steps + 1)
            self.spread = self.ratios @ self.powers
            self.carry = self.ratios @ self.decays[..., None]


class Tokenwise:
    """The matrix that each token of a chunk reads, never formed: what it keeps of others, and thin writes.

        g_t W_0 + (1 - g_t) W_start + c_t m_0 - sum_s coefficients_ts written_s x_s^T

    with one pair of `coefficients` (..., C, C), 0 for s > t, and `written` (..., C, out) for each of `writes`.
    """

    x: Tensor
    weight: Tensor
    momentum: Tensor | None
    start: Tensor | None
    g: Tensor
    carry: Tensor | None
    writes: list[tuple[Tensor, Tensor]]

    def answers(self, q: Tensor) -> Tensor:
        """What the chunk's last n tokens read at their queries (..., n, in): (..., n, out)."""
        last = slice(-q.shape[-2], None)
        overlap, g = q @ self.x.mT, self.g[..., last, :]
        answers = g * (q @ self.weight.mT)
        if self.start is not None:
            answers = answers + (1 - g) * (q @ self.start.mT)
        if self.momentum is not None:
            answers = answers + self.carry[..., last, :] * (q @ self.momentum.mT)
        return answers - sum((coefficients[..., last, :] * overlap) @ written for coefficients, written in self.writes)


class Chunk(Tokenwise):
    """One chunk of the recurrence, solved: the writes of its tokens as thin matrices.

    Without momentum the state after token t is `kept_t(W_0) - sum_s G_ts (p_s + e_s) x_s^T`,
    with it `kept_t(W_0) + c_t m_0 - sum_s (B_ts e_s + G_ts p_s) x_s^T`, for s up to t, with
    `e_s = eta_s delta_s` and `p_s = eta_s W_{s-1} x_s`.

    Arguments are those of `delta_rule_naive`, for one chunk; `answers` is `x weight^T` and
    `overlap` is `x x^T` where the caller has them already.
    """

    def __init__(
        self,
        x: Tensor,
        delta: Tensor,
        eta: Tensor,
        decays: Decays,
        weight: Tensor,
        momentum: Tensor | None = None,
        start: Tensor | None = None,
        answers: Tensor | None = None,
        overlap: Tensor | None = None,
    ) -> None:
        self.x, self.decays, self.weight, self.momentum, self.start = x, decays, weight, momentum, start
        self.g, self.carry = decays.g, decays.carry
        eta = eta[..., None]
        overlap = x @ x.mT if overlap is None else overlap
        kept = decays.g_before * (x @ weight.mT if answers is None else answers)
        if start is not None:
            kept = kept + (1 - decays.g_before) * (x @ start.mT)
        system = eta * decays.ratios_before * overlap
        if momentum is None:
            self.writes = [(decays.ratios, self._solve(system, eta * (kept + delta)))]
            return
        pushed = eta * delta
        kept = kept + shifted(decays.carry) * (x @ momentum.mT) - (shifted(decays.spread) * overlap) @ pushed
        self.writes = [(decays.ratios, self._solve(system, eta * kept)), (decays.spread, pushed)]

    @staticmethod
    def _solve(system: Tensor, right: Tensor) -> Tensor:
        """By substitution; `unitriangular` takes the diagonal as ones, whatever stands there."""
        return torch.linalg.solve_triangular(system, right, upper=False, unitriangular=True)

    def final(self) -> tuple[Tensor, Tensor | None]:
        """Weight and momentum after the chunk's last token, each (..., out, in)."""
        g = self.g[..., -1:, :]
        left = sum(coefficients[..., -1, :, None] * written for coefficients, written in self.writes)
        weight = g * self.weight - left.mT @ self.x
        if self.start is not None:
            weight = weight + (1 - g) * self.start
        if self.momentum is None:
            return weight, None
        weight = weight + self.carry[..., -1:, :] * self.momentum
        newest = self.decays.powers[..., -1, :, None] * self.writes[1][1]
        return weight, self.decays.decays[..., -1, None, None] * self.momentum - newest.mT @ self.x


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
    for at in range(0, x.shape[-2], chunk):
        tokens = slice(at, at + chunk)
        decays = Decays(log_alpha[..., tokens], theta)
        part = Chunk(
            x[..., tokens, :], delta[..., tokens, :], eta[..., tokens], decays, weight, momentum, start
        )  # fmt: skip
        if q is not None:
            answers.append(part.answers(q[..., tokens, :]))
        weight, momentum = part.final()
    return (torch.cat(answers, -2) if q is not None else None), weight, momentum
