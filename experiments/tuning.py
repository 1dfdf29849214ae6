"""The search for an arm's rate: a grid that grows while its best lies at an edge."""

from collections.abc import Callable
from dataclasses import dataclass

EXTENSIONS = 2
"""How often the grid grows at each of its ends."""


@dataclass(frozen=True)
class Tuning:
    """Where a search stands."""

    grid: tuple[float, ...]
    missing: tuple[float, ...]
    """Rates of the grid without a score; the search is over when there is none."""
    best: float | None
    """None before the end of the search."""

    @property
    def at_edge(self) -> bool:
        """Whether the grid's best lies at its edge, though it grew as far as it may: then it is no best."""
        return self.best in (self.grid[0], self.grid[-1])


def tune(rates: tuple[float, ...], score: Callable[[float], float | None]) -> Tuning:
    """How far the search over `rates` is: `score` gives a rate's score, lower is better, None if it has none yet."""
    grid = list(rates)
    while True:
        missing = tuple(rate for rate in grid if score(rate) is None)
        if missing:
            return Tuning(tuple(grid), missing, None)
        best = min(grid, key=score)
        below, above = grid.index(rates[0]), len(grid) - 1 - grid.index(rates[-1])
        if best == grid[0] and below < EXTENSIONS:
            grid.insert(0, _rounded(grid[0] ** 2 / grid[1]))
        elif best == grid[-1] and above < EXTENSIONS:
            grid.append(_rounded(grid[-1] ** 2 / grid[-2]))
        else:
            return Tuning(tuple(grid), (), best)


def _rounded(rate: float) -> float:
    """Without the last digits that a division leaves: the rate is part of a run's configuration."""
    return float(f"{rate:.6g}")
