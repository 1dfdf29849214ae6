"""Continuum memory: MLPs of which each is updated at its own frequency, one after the other or side by side."""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, vmap

from nlcore.layers.norm import rms_norm
from nlcore.layers.swiglu import SwiGLU
from nlcore.regions import region

ORDERS = ("fast first", "slow first")

Weights = Mapping[str, Tensor]
"""A module's parameters by name, of which each row of a batch has its own: (B, ...)."""


class PlainLink(nn.Module):
    """`x + W_out silu(W_in RMSNorm(x))`: a link of two matrices, without a gate."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.norm = rms_norm(dim)
        self.w_in = nn.Linear(dim, hidden, bias=False)
        self.w_out = nn.Linear(hidden, dim, bias=False)

    @region
    def forward(self, x: Tensor) -> Tensor:
        """(B, T, dim) to (B, T, dim)."""
        return x + self.w_out(F.silu(self.w_in(self.norm(x))))


LINKS = {"plain": PlainLink, "gated": SwiGLU}


def per_row(module: nn.Module, weights: Weights, x: Tensor) -> Tensor:
    """`module` on each row of `x` (B, ...), with that row's own weights in the place of the module's.

    The module has to treat rows alike and apart, as an MLP does.
    """
    return vmap(lambda own, row: functional_call(module, dict(own), (row,)))(dict(weights), x)


class ContinuumMemory(nn.Module):
    """The sequential continuum memory system: a chain of levels (eq. 70-71 and 73).

    Level s is updated once in its period, with the errors gathered in between; all starts
    are learnt by the slowest level, the training run itself. The layer only computes. Who
    keeps the time: `LevelOptimizer` where periods are outer steps, `nlcore.models.InContext`
    where they are tokens. In the nested system (eq. 72) the same chain computes; there
    `NestedLevelOptimizer`, or the same `InContext`, lets levels restart.

    A gated link is the channel layer of Transformer++, so that one level of period 1 is
    Transformer++ itself: what several levels gain or lose beside it is theirs alone.

    Args:
        dim: width.
        hidden: hidden width of every level.
        count: number of levels, cms-1 (slowest) to cms-`count` (fastest), as the paper counts.
        order: which level reads the input first. Eq. 70 applies f_1 first, while 7.1
            calls level 1 the slowest; the default lets the fastest read first.
        links: "gated", or "plain" for the MLP that eq. 70 can also be read as.

    Raises ValueError for an order or links of another name.
    """

    def __init__(self, dim: int, hidden: int, count: int, order: str = "fast first", links: str = "gated") -> None:
        super().__init__()
        if order not in ORDERS:
            raise ValueError(f"order is {order!r}: choose one of {', '.join(map(repr, ORDERS))}")
        if links not in LINKS:
            raise ValueError(f"links is {links!r}: choose one of {', '.join(LINKS)}")
        self.levels = nn.ModuleDict({f"cms-{level}": LINKS[links](dim, hidden) for level in range(count, 0, -1)})
        self.order = order

    def forward(self, x: Tensor, weights: Mapping[str, Weights] | None = None) -> Tensor:
        """(B, T, dim) to (B, T, dim), through every level; `weights`: see `answer`."""
        names = list(self.levels)
        for name in names if self.order == "fast first" else reversed(names):
            x = self.answer(name, x, weights)
        return x

    def answer(self, name: str, x: Tensor, weights: Mapping[str, Weights] | None) -> Tensor:
        """One level on (B, T, dim): with `weights[name]`, each row's own, if they are there; else with the level's."""
        level = self.levels[name]
        return per_row(level, weights[name], x) if weights and name in weights else level(x)


class HeadwiseContinuumMemory(ContinuumMemory):
    """The independent, head-wise system: levels side by side and their learnt weighted sum (eq. 74, starts as in 73).

    `y = x + sum_s w_s (MLP_s(x) - x)`: the sum weighs what each level adds, so that the residual stays as it is
    whatever the weights. Each `w_s` begins at 1, where one level alone is the chain of one level. Levels that stand
    side by side have no order. The weights of the sum belong to no level of the continuum.

    Args: as of `ContinuumMemory`.
    """

    def __init__(self, dim: int, hidden: int, count: int, links: str = "gated") -> None:
        super().__init__(dim, hidden, count, links=links)
        self.shares = nn.Parameter(torch.ones(count))

    def forward(self, x: Tensor, weights: Mapping[str, Weights] | None = None) -> Tensor:
        """(B, T, dim) to (B, T, dim); `weights`: see `answer`."""
        added = [self.answer(name, x, weights) - x for name in self.levels]
        return x + sum(share * part for share, part in zip(self.shares, added))
