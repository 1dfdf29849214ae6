"""Continuum memory: a chain of MLPs, each updated at its own frequency."""

import torch.nn.functional as F
from torch import Tensor, nn

from nlcore.layers.norm import rms_norm
from nlcore.layers.swiglu import SwiGLU

ORDERS = ("fast first", "slow first")


class PlainLink(nn.Module):
    """`x + W_out silu(W_in RMSNorm(x))`: a link of two matrices, without a gate."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.norm = rms_norm(dim)
        self.w_in = nn.Linear(dim, hidden, bias=False)
        self.w_out = nn.Linear(hidden, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, dim) to (B, T, dim)."""
        return x + self.w_out(F.silu(self.w_in(self.norm(x))))


LINKS = {"plain": PlainLink, "gated": SwiGLU}


class ContinuumMemory(nn.Module):
    """The sequential continuum memory system, eq. 70-71 and 73.

    Level s is updated once in its period of outer steps, with the errors gathered in
    between; all starts are learnt by the slowest level, the training run itself. The
    layer only computes; `LevelOptimizer` keeps the time.

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

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, dim) to (B, T, dim), through every level."""
        levels = list(self.levels.values())
        for level in levels if self.order == "fast first" else reversed(levels):
            x = level(x)
        return x
