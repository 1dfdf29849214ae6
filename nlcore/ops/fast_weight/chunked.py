"""The fast-weight recurrence, a chunk at a time: matrix products, and one triangular solve where writes ask the matrix.

The derivation is in this folder's README; names are those of the README.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


def remaining(log_rates: Tensor) -> Tensor:
    """What token t still holds of what was there after token s: (..., C, C) of rates (..., C), 0 for s > t."""
    log_total = log_rates.cumsum(-1)
    gaps = log_total[..., :, None] - log_total[..., None, :]
    later = torch.ones(gaps.shape[-2:], dtype=torch.bool, device=gaps.device).triu(1)
    return gaps.masked_fill(later, -torch.inf).exp()


class Shares(NamedTuple):
    """How much of what came before the matrix holds, at each token of a chunk."""

    start: Tensor
    """g: of the chunk's first matrix, (..., C, 1)."""
    momentum: Tensor | None
    """c: of the chunk's first momentum, (..., C, 1); None without."""
    writes: Tensor
    """B: of each token's write, (..., C, C)."""

    def before(self) -> "Shares":
        """The same before each token's own write: the row above, and the chunk's start for the first."""
        above = [None if x is None else F.pad(x, (0, 0, 1, 0))[..., :-1, :] for x in self]
        above[0] = F.pad(self.start, (0, 0, 1, 0), value=1.0)[..., :-1, :]
        return Shares(*above)

    def per_pair(self, pairs: int) -> "Shares":
        """The same with a row for each of a token's pairs."""
        return Shares(*(None if x is None else x.repeat_interleave(pairs, -2) for x in self))


class Decays:
    """What a chunk's retention and momentum leave of the past; shared by all matrices with these rates.

    `log_alpha` and `log_theta` (..., C), at most 0 and finite; `log_theta` None for no momentum.
    """

    def __init__(self, log_alpha: Tensor, log_theta: Tensor | None = None) -> None:
        self.log_alpha = log_alpha
        left, start = remaining(log_alpha), log_alpha.cumsum(-1).exp()[..., None]
        if log_theta is None:
            self.after, self.echoes, self.echo = Shares(start, None, left), None, None
        else:
            echoes = remaining(log_theta)
            first = log_theta.cumsum(-1).exp()[..., None]
            self.after = Shares(start, left @ first, left @ echoes)
            self.echoes, self.echo = echoes[..., -1, :], first[..., -1:, :]
        self.before = self.after.before()


class Chunk:
    """One matrix over the tokens of a chunk, `W_t = g_t W_0 + c_t m_0 - sum_{s<=t} B_ts sum_i p_si x_si^T`.

    Args:
        x: keys (..., C, n, in), n pairs a token.
        d: offsets (..., C, n, out): the part of the gradient at the matrix's output that does not depend on it.
        eta: rates (..., C, n).
        scale: s, (..., C), at which the matrix before the token is asked for the other part; None where there is none.
        decays: those of the chunk.
        weight, momentum: W_0 and m_0, (..., out, in); no momentum is None.

    All tensors receive gradient.
    """

    def __init__(
        self,
        x: Tensor,
        d: Tensor,
        eta: Tensor,
        scale: Tensor | None,
        decays: Decays,
        weight: Tensor,
        momentum: Tensor | None = None,
    ) -> None:
        self.pairs, self.decays, self.weight, self.momentum = x.shape[-2], decays, weight, momentum
        self.x, self.d = x.flatten(-3, -2), d.flatten(-3, -2)
        self.scale = None if scale is None else scale.repeat_interleave(self.pairs, -1)[..., None]
        eta = eta.flatten(-2)[..., None]
        if scale is None:
            self.p = eta * self.d
        else:
            before, asks = decays.before.per_pair(self.pairs), eta * self.scale
            system = asks * before.writes.repeat_interleave(self.pairs, -1) * (self.x @ self.x.mT)
            right = asks * self._kept(self.x, before, weight, momentum) + eta * self.d
            # The diagonal is taken as ones, whatever stands there.
            self.p = torch.linalg.solve_triangular(system, right, upper=False, unitriangular=True)

    def answers(self, q: Tensor) -> Tensor:
        """`W_t q_t` for queries (..., C, in): (..., C, out)."""
        return self._read(q, self.decays.after, self.weight, self.momentum, self.x, self.p)

    def newest_gradients(self) -> Tensor:
        """The gradient at the matrix's output of each token's last pair, `s_t W_{t-1} x_t + d_t`: (..., C, out)."""
        if self.scale is None:
            return self.d[..., self.pairs - 1 :: self.pairs, :]
        last = slice(self.pairs - 1, None, self.pairs)
        asked = self._read(self.x[..., last, :], self.decays.before, self.weight, self.momentum, self.x, self.p)
        return self.scale[..., last, :] * asked + self.d[..., last, :]

    def final(self) -> tuple[Tensor, Tensor | None]:
        """Matrix and momentum after the chunk's last token, each (..., out, in)."""
        g, c, left = (None if w is None else w[..., -1:, :] for w in self.decays.after)
        weight = g * self.weight - self._sum(left)
        if self.momentum is None:
            return weight, None
        momentum = self.decays.echo * self.momentum - self._sum(self.decays.echoes[..., None, :])
        return weight + c * self.momentum, momentum

    def states(self) -> Tensor:
        """The matrix after every token, (..., C, out, in): as many numbers as the closed form is there to avoid."""
        g, c, left = self.decays.after
        written = (left.repeat_interleave(self.pairs, -1)[..., None, :] * self.p.mT[..., None, :, :]) @ self.x[..., None, :, :]
        kept = g[..., None] * self.weight[..., None, :, :]
        return kept - written if c is None else kept + c[..., None] * self.momentum[..., None, :, :] - written

    def _sum(self, left: Tensor) -> Tensor:
        """`sum_s left_s sum_i p_si x_si^T` for one row of weights, (..., 1, C)."""
        return (left.repeat_interleave(self.pairs, -1).mT * self.p).mT @ self.x

    @staticmethod
    def _kept(q: Tensor, shares: Shares, weight: Tensor, momentum: Tensor | None) -> Tensor:
        kept = shares.start * (q @ weight.mT)
        return kept if momentum is None else kept + shares.momentum * (q @ momentum.mT)

    def _read(
        self, q: Tensor, shares: Shares, weight: Tensor, momentum: Tensor | None, keys: Tensor, values: Tensor
    ) -> Tensor:
        left = shares.writes.repeat_interleave(self.pairs, -1)
        return self._kept(q, shares, weight, momentum) - (left * (q @ keys.mT)) @ values


class OjaChunk(Chunk):
    """A chunk of Oja's rule with the dot product, `W_t = alpha_t W_{t-1} - eta_t v (W_{t-1}^T v - k)^T`.

    It is `Chunk` for the transposed matrix, which learns to answer `v` with `k`; what it tells is told of W itself.

    Args:
        k, v: keys (..., C, 1, in) and values (..., C, 1, out).
        eta: rates (..., C, 1).
        decays, weight: those of `Chunk`, without momentum.
    """

    def __init__(self, k: Tensor, v: Tensor, eta: Tensor, decays: Decays, weight: Tensor) -> None:
        super().__init__(v, -k, eta, torch.ones_like(decays.log_alpha), decays, weight.mT)

    def answers(self, q: Tensor) -> Tensor:
        """`W_t q_t` for queries (..., C, in): (..., C, out)."""
        return self._read(q, self.decays.after, self.weight.mT, None, self.p, self.x)

    def newest_gradients(self) -> Tensor:
        """The dot product's, `-v_t`: (..., C, out)."""
        return -self.x

    def final(self) -> tuple[Tensor, None]:
        """The matrix after the chunk's last token, (..., out, in)."""
        return super().final()[0].mT, None

    def states(self) -> Tensor:
        """The matrix after every token, (..., C, out, in)."""
        return super().states().mT
