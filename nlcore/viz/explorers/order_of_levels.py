"""Order of levels: four parts of a training run, sorted by how often they change and by who needs whom."""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from nlcore.levels import Component, every, order
from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.controls import choice, stops
from nlcore.viz.theme import COLOURS, REFERENCE, Look, level_looks, momentum_look

NAMES = ("memory", "momentum", "weights", "average")
LOOKS = level_looks(["memory", "weights"])
LOOKS |= {"momentum": momentum_look("weights"), "average": Look(COLOURS[6], "dashdot", "D")}
"""The average is no level of Hope."""
TOKENS = 64
NEVER = 0
PERIODS = (1, 4, 16, 64, NEVER)
"""Tokens between two updates."""
NEEDS: dict[str, tuple[tuple[str, str], ...]] = {
    "nobody needs anybody": (),
    "the weights need the momentum": (("weights", "momentum"),),
    "and the average needs the weights": (("weights", "momentum"), ("average", "weights")),
    "and the momentum needs the average": (("weights", "momentum"), ("average", "weights"), ("momentum", "average")),
}
"""In words -> who needs whom at one instant, as `order` takes it. The last is a circle."""


@dataclass(frozen=True)
class Sorted:
    """The four parts in levels; level 1 is the slowest."""

    periods: dict[str, int]
    alone: dict[str, int]
    """Part -> its level, if frequency alone decides."""
    levels: dict[str, int]
    """Part -> its level by Def. 2; empty where there is no order."""
    trouble: str
    """Why there is no order; "" where there is one."""


def compute(memory: int, momentum: int, weights: int, average: int, needs: str) -> Sorted:
    """Sorts the parts, each given by its period in tokens (`NEVER`: not updated), by `order`.

    Raises ValueError for a period below 0, and for needs that there are not.
    """
    periods = dict(zip(NAMES, (memory, momentum, weights, average)))
    if needs not in NEEDS or min(periods.values()) < 0:
        given = f"{needs!r}, periods {list(periods.values())}"
        raise ValueError(f"{given}: take one of {', '.join(NEEDS)}, and periods of 0 or more")
    components = [Component(name, Fraction(1, period) if period else 0) for name, period in periods.items()]
    alone = _numbered(order(components))
    try:
        return Sorted(periods, alone, _numbered(order(components, NEEDS[needs])), "")
    except ValueError:
        return Sorted(periods, alone, {}, "a circle: none can be computed first")


def _numbered(levels: tuple[tuple[Component, ...], ...]) -> dict[str, int]:
    return {c.name: number for number, level in zip(range(len(levels), 0, -1), levels) for c in level}


def chart(found: Sorted) -> Chart:
    """When each part is updated, fastest on top; and its level, by Def. 2 and, as a cross, by frequency alone."""
    by = found.levels or found.alone
    rows = sorted(NAMES, key=lambda name: (-by[name], NAMES.index(name)))
    tokens, columns = np.arange(1, TOKENS + 1), np.arange(float(len(NAMES)))
    updates, points = [], []
    for at, name in enumerate(NAMES):
        period = found.periods[name]
        when = np.where(tokens % period == 0, tokens, np.nan) if period else np.full(TOKENS, np.nan)
        updates.append(Line(name, when, np.full(TOKENS, -float(rows.index(name))), LOOKS[name], style="points"))
        level = np.array([found.levels.get(name, np.nan)], dtype=float)
        points.append(Line(name, columns[at : at + 1], level, LOOKS[name], style="points", size=11.0))
    crosses = np.array([found.alone[name] for name in NAMES], dtype=float)
    alone = Line("", columns, crosses, REFERENCE, style="points", size=17.0)
    many, few = (len(set(levels.values())) for levels in (found.levels, found.alone))
    return (
        Plot(f"Updates while {TOKENS} tokens are read", "tokens read", "", tuple(updates), x_range=(0, TOKENS + 2),
             y_range=(0.5 - len(NAMES), 0.5), y_ticks={-float(at): name for at, name in enumerate(rows)}),
        Plot(f"Levels: {many or 'none'} (crosses, by frequency alone: {few})", "", "level (1: slowest)",
             (alone, *points), x_range=(-0.5, len(NAMES) - 0.5), y_range=(0.5, len(NAMES) + 0.5),
             x_ticks=dict(enumerate(NAMES)), y_ticks={float(n): str(n) for n in range(1, len(NAMES) + 1)},
             note=found.trouble),
    )  # fmt: skip


def order_of_levels() -> Explorer[Sorted]:
    """The explorer: how often each of four parts is updated, and who needs whom at one instant."""
    periods = [(every(period or math.inf, "tokens"), period) for period in PERIODS]
    first = {"memory": 1, "momentum": 16, "weights": 16, "average": 16}
    return Explorer(
        compute,
        {name: stops(name.capitalize(), first[name], periods) for name in NAMES}
        | {"needs": choice("At one instant", "nobody needs anybody", list(NEEDS))},
        chart,
        alt="Left, a row of marks for each part over 64 tokens: the memory is updated at every token; momentum, "
        "weights and average at every sixteenth. Right, their levels: the memory stands on level 2, the other three together "
        "on level 1, by Def. 2 and by frequency alone.",
        try_this="Let the weights need the momentum: which part moves? Then let the momentum wait for 64 tokens, and "
        "see whether the need still counts. What becomes of the order when everybody needs somebody?",
        name="order_of_levels",
    )
