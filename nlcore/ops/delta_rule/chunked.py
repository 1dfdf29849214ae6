"""The decayed delta recurrence, a chunk at a time: matrix products and one triangular solve.

The derivation is in this folder's README; names are those of the README.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def _decay_ratios(log_alpha: Tensor) -> Tensor:
    """`g_t / g_s` for s <= t and 0 above the diagonal: (..., C, C), every entry at most 1.

    Formed from logs: quotients of products underflow, differences of sums do not.
    """
    log_g = log_alpha.cumsum(-1)
    gaps = log_g[..., :, None] - log_g[..., None, :]
    above = torch.ones_like(gaps, dtype=torch.bool).triu(1)
    return gaps.masked_fill(above, -torch.inf).exp()


def _momentum_powers(theta: Tensor, length: int) -> tuple[Tensor, Tensor]:
    """`theta^(s-r)` for r <= s, 0 above the diagonal (..., C, C); and `theta^s`, s = 1..C."""
    steps = torch.arange(length, device=theta.device)
    gaps = steps[:, None] - steps[None, :]
    powers = theta[..., None, None] ** gaps.clamp(min=0)
    return powers.tril(), theta[..., None] ** (steps + 1)


def _shift(rows: Tensor) -> Tensor:
    """Row t - 1 in place of row t, zeros first: what held before token t was written."""
    return F.pad(rows, (0, 0, 1, 0))[..., :-1, :]


class Chunk:
    """One chunk of the recurrence, solved: the writes of its tokens as two thin matrices.

    After token t the state is `kept_t(W_0) + c_t m_0 - sum_s (B_ts e_s + G_ts p_s) x_s^T`
    with `e_s = eta_s delta_s` and `p_s = eta_s W_{s-1} x_s`, for s up to t. Arguments
    are those of `delta_rule_naive`, for one chunk; the solve is done here.
    """

    def __init__(
        self,
        x: Tensor,
        delta: Tensor,
        eta: Tensor,
        log_alpha: Tensor,
        weight: Tensor,
        momentum: Tensor | None = None,
        theta: Tensor | None = None,
        start: Tensor | None = None,
    ) -> None:
        self.x, self.weight, self.momentum, self.start = x, weight, momentum, start
        self.pushes = eta[..., None] * delta
        self.ratios = _decay_ratios(log_alpha)
        self.g = log_alpha.cumsum(-1).exp()[..., None]
        if momentum is None:
            self.spread, self.carry = self.ratios, None
        else:
            self.powers, self.decays = _momentum_powers(theta, x.shape[-2])
            self.spread = self.ratios @ self.powers
            self.carry = self.ratios @ self.decays[..., None]
        self.erased = self._solve(eta[..., None], log_alpha.exp()[..., None])

    def _solve(self, eta: Tensor, alpha: Tensor) -> Tensor:
        """`p_t = eta_t W_{t-1} x_t` for every token: a unit lower-triangular system."""
        overlap = self.x @ self.x.mT
        answers = self._linear_part(self.x, _shift(self.g - 1) + 1, self._carried_before())
        answers = answers - (_shift(self.spread) * overlap) @ self.pushes
        system = eta * _shift(self.ratios) * overlap
        # `unitriangular` takes the diagonal as ones, whatever stands there.
        return torch.linalg.solve_triangular(system, eta * answers, upper=False, unitriangular=True)

    def _carried_before(self) -> Tensor | None:
        return None if self.carry is None else _shift(self.carry)

    def _linear_part(self, q: Tensor, g: Tensor, carry: Tensor | None) -> Tensor:
        """What `W_0`, its start and the momentum carried in answer to each token of `q`."""
        answers = g * (q @ self.weight.mT)
        if self.start is not None:
            answers = answers + (1 - g) * (q @ self.start.mT)
        if carry is not None:
            answers = answers + carry * (q @ self.momentum.mT)
        return answers

    def answers(self, q: Tensor) -> Tensor:
        """`W_t q_t` for queries (..., C, in), each after its own token's write."""
        overlap = q @ self.x.mT
        written = (self.spread * overlap) @ self.pushes + (self.ratios * overlap) @ self.erased
        return self._linear_part(q, self.g, self.carry) - written

    def final(self) -> tuple[Tensor, Tensor | None]:
        """Weight and momentum after the chunk's last token, each (..., out, in)."""
        g = self.g[..., -1:, :]
        last = self.spread[..., -1, :, None] * self.pushes + self.ratios[..., -1, :, None] * self.erased
        weight = g * self.weight - last.mT @ self.x
        if self.start is not None:
            weight = weight + (1 - g) * self.start
        if self.momentum is None:
            return weight, None
        weight = weight + self.carry[..., -1:, :] * self.momentum
        newest = self.powers[..., -1, :, None] * self.pushes
        momentum = self.decays[..., -1, None, None] * self.momentum - newest.mT @ self.x
        return weight, momentum


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
        part = Chunk(
            x[..., tokens, :], delta[..., tokens, :], eta[..., tokens], log_alpha[..., tokens],
            weight, momentum, theta, start,
        )  # fmt: skip
        if q is not None:
            answers.append(part.answers(q[..., tokens, :]))
        weight, momentum = part.final()
    return (torch.cat(answers, -2) if q is not None else None), weight, momentum
