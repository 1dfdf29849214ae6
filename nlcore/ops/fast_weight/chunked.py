"""The fast-weight recurrence, a chunk at a time: matrix products, and one triangular solve where writes ask the matrix.

The derivation is in this folder's README; names are those of the README.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from nlcore.ops.decay import remaining


class Shares(NamedTuple):
    """How much of what came before a matrix holds, a row a token."""

    kept: tuple[Tensor, ...]
    """g and, with momentum, c: of the chunk's first matrix and momentum, (..., C, 1)."""
    writes: Tensor
    """B: of each token's write, (..., C, C)."""


class Decays:
    """What retention and momentum leave of the past at the tokens of a chunk; shared by all matrices with these rates.

    `log_alpha` and `log_theta` (..., C), at most 0 and finite; `log_theta` None for no momentum.
    """

    def __init__(self, log_alpha: Tensor, log_theta: Tensor | None = None) -> None:
        g, left = log_alpha.cumsum(-1).exp()[..., None], remaining(log_alpha)
        self.shares = (Shares((g,), left),)
        """Of the matrix after each token and, with momentum, of the momentum."""
        if log_theta is not None:
            first, echoes = log_theta.cumsum(-1).exp()[..., None], remaining(log_theta)
            moved = Shares((torch.zeros_like(first), first), echoes)
            self.shares = (Shares((g, left @ first), left @ echoes), moved)
        after = self.shares[0]
        above = [F.pad(x, (0, 0, 1, 0), value=float(i == 0))[..., :-1, :] for i, x in enumerate(after.kept)]
        self.before = Shares(tuple(above), F.pad(after.writes, (0, 0, 1, 0))[..., :-1, :])
        """Of the matrix before each token: the row above, and the chunk's start for the first."""


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
        self.pairs, self.decays = x.shape[-2], decays
        self.first = [w for w in (weight, momentum) if w is not None]
        self.right, self.d, eta = x.flatten(-3, -2), d.flatten(-3, -2), eta.flatten(-2)[..., None]
        self.scale = None if scale is None else scale.repeat_interleave(self.pairs, -1)[..., None]
        if scale is None:
            self.left = eta * self.d
        else:
            asks, before = eta * self.scale, decays.before
            kept = tuple(share.repeat_interleave(self.pairs, -2) for share in before.kept)
            system = self._of_pairs(before.writes).repeat_interleave(self.pairs, -2) * (self.right @ self.right.mT)
            # The diagonal is taken as ones, whatever stands there.
            self.left = torch.linalg.solve_triangular(
                asks * system, asks * self._kept(self.right, kept) + eta * self.d, upper=False, unitriangular=True
            )

    def answers(self, q: Tensor) -> Tensor:
        """`W_t q_t` for queries (..., C, in): (..., C, out)."""
        return self._read(q, self.decays.shares[0])

    def gradients(self) -> Tensor:
        """The gradient at the matrix's output of each token's last pair, `s_t W_{t-1} x_t + d_t`: (..., C, out)."""
        last = slice(self.pairs - 1, None, self.pairs)
        if self.scale is None:
            return self.d[..., last, :]
        return self.scale[..., last, :] * self._read(self.right[..., last, :], self.decays.before) + self.d[..., last, :]

    def final(self) -> list[Tensor]:
        """The matrix after the chunk's last token and, with momentum, the momentum, (..., out, in)."""
        rows = [Shares(tuple(x[..., -1:, :] for x in kept), writes[..., -1:, :]) for kept, writes in self.decays.shares]
        return [self._matrices(row).squeeze(-3) for row in rows]

    def states(self) -> Tensor:
        """The matrix after every token, (..., C, out, in): as many numbers as the closed form is there to avoid."""
        return self._matrices(self.decays.shares[0])

    def _matrices(self, shares: Shares) -> Tensor:
        kept = sum(share[..., None] * w[..., None, :, :] for share, w in zip(shares.kept, self.first))
        weighed = self._of_pairs(shares.writes)[..., None, :] * self.left.mT[..., None, :, :]
        return kept - weighed @ self.right[..., None, :, :]

    def _read(self, q: Tensor, shares: Shares) -> Tensor:
        return self._kept(q, shares.kept) - (self._of_pairs(shares.writes) * (q @ self.right.mT)) @ self.left

    def _kept(self, q: Tensor, shares: tuple[Tensor, ...]) -> Tensor:
        return sum(share * (q @ w.mT) for share, w in zip(shares, self.first))

    def _of_pairs(self, writes: Tensor) -> Tensor:
        """Shares of each pair, (..., C, C n), from those of each token."""
        return writes.repeat_interleave(self.pairs, -1)


class OjaChunk(Chunk):
    """A chunk of Oja's rule with the dot product, `W_t = alpha_t W_{t-1} - eta_t v (W_{t-1}^T v - k)^T`, no momentum.

    The transposed matrix learns to answer `v` with `k` by the delta rule; then all is told of W itself. Keys
    (..., C, 1, in), values (..., C, 1, out), rates (..., C, 1).
    """

    def __init__(self, k: Tensor, v: Tensor, eta: Tensor, decays: Decays, weight: Tensor) -> None:
        super().__init__(v, -k, eta, torch.ones_like(eta[..., 0]), decays, weight.mT)
        self.first, self.left, self.right = [weight], self.right, self.left
        self.scale, self.d = None, -self.left
