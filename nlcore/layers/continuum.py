"""Continuum memory: a chain of MLPs, each updated at its own frequency."""

from torch import Tensor, nn

from nlcore.layers.swiglu import SwiGLU

ORDERS = ("fast first", "slow first")


class ContinuumMemory(nn.Module):
    """The sequential continuum memory system, eq. 70-71 and 73.

    Level s is updated once in its period of outer steps, with the errors gathered in
    between; all starts are learnt by the slowest level, the training run itself. The
    layer only computes; `LevelOptimizer` keeps the time.

    A link is the channel layer of Transformer++, so that one level of period 1 is
    Transformer++ itself: what several levels gain or lose beside it is theirs alone.

    Args:
        dim: width.
        hidden: hidden width of every level.
        count: number of levels, cms-1 (slowest) to cms-`count` (fastest), as the paper counts.
        order: which level reads the input first. Eq. 70 applies f_1 first, while 7.1
            calls level 1 the slowest; the default lets the fastest read first.
    """

    def __init__(self, dim: int, hidden: int, count: int, order: str = "fast first") -> None:
        super().__init__()
        if order not in ORDERS:
            raise ValueError(f"order is {order!r}: choose one of {', '.join(map(repr, ORDERS))}")
        self.levels = nn.ModuleDict({f"cms-{level}": SwiGLU(dim, hidden) for level in range(count, 0, -1)})
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, dim) to (B, T, dim), through every level."""
        levels = list(self.levels.values())
        for level in levels if self.order == "fast first" else reversed(levels):
            x = level(x)
        return x
