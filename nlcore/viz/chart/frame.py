"""What is said on a plot's frame: of what lies outside, of its references, and at its ticks."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from nlcore.viz.axis import axes
from nlcore.viz.chart.plot import Line, Plot, Range
from nlcore.viz.chart.words import decades, short

NAME = (0.4, 0.08)
"""Width and height that a reference's name may take, as shares of the frame."""


@dataclass(frozen=True)
class Exit:
    """Where something lies outside the frame, and what is said there."""

    x: float
    y: float
    words: str
    across: Literal["left", "right"]
    """Which end of the words is at x."""
    up: Literal["top", "middle", "bottom"]
    """Which edge of the words is at y."""


def exits(line: Line, plot: Plot) -> list[Exit]:
    """What of a line is outside the frame: where it starts, and where it ends; or how many points, and how far.

    A line that overflows ends with its last number.
    """
    x, y = (np.asarray(values, dtype=float) for values in (line.x, line.y))
    if line.style == "lying":
        return _long_bars(x, y, plot.x_range)
    if plot.y_range is None:
        return []
    there = np.flatnonzero(~np.isnan(y))
    if plot.x_range is not None:
        there = there[(x[there] >= plot.x_range[0]) & (x[there] <= plot.x_range[1])]
    low, high = plot.y_range
    inside = (y[there] >= low) & (y[there] <= high)

    def told(at: int, of: int, way: str) -> Exit:
        above, late = y[of] > high, axes(plot)[0].share(x[at]) > 0.5
        words = " ".join(filter(None, ("▲" if above else "▼", way if np.isfinite(y[of]) else "", short(y[of]))))
        return Exit(float(x[at]), high if above else low, words, "right" if late else "left", "top" if above else "bottom")

    if line.style in ("points", "bars"):
        out = there[~inside]
        sides = [side for side in (out[y[out] > high], out[y[out] < low]) if len(side)]
        farthest = [side[np.abs(y[side]).argmax()] for side in sides]
        return [
            told(at, at, (f"{len(side)} more, " if len(side) > 1 else "") + ("up to" if y[at] > high else "down to"))
            for at, side in zip(farthest, sides)
        ]
    if not inside.any():
        if line.style == "both" and len(there):  # settings, one beside the other: none is an end
            farthest = there[np.abs(y[there]).argmax()]
            return [told(farthest, farthest, "up to" if y[farthest] > high else "down to")]
        return [told(there[0], there[-1], "ends at")] if len(there) else []
    first, last = there[inside][[0, -1]]
    before, after = there[there < first], there[there > last]
    comes = [told(before[-1], before[0], "starts at")] if len(before) else []
    goes = [told(after[0], after[-1], "ends at")] if len(after) else []
    return comes + goes


def _long_bars(x: np.ndarray, y: np.ndarray, limits: Range | None) -> list[Exit]:
    """Lying bars that do not end in the frame, each told at the edge that it crosses."""
    low, high = limits or (-np.inf, np.inf)
    right = [Exit(high, float(place), f"{short(length)} ▶", "right", "middle") for length, place in zip(x, y) if length > high]
    left = [Exit(low, float(place), f"◀ {short(length)}", "left", "middle") for length, place in zip(x, y) if length < low]
    return right + left


def ticks(given: dict[float, str] | None, log: bool, limits: Range | None) -> dict[float, str] | None:
    """Those given, or powers of ten on a logarithmic axis; None leaves them to who draws."""
    return decades(*limits) if given is None and log and limits is not None else given


def roomy(plot: Plot, at: float) -> tuple[bool, bool]:
    """Where the name of the reference at a height lies on fewest lines: (whether at the right, whether above it)."""
    across, up = axes(plot)
    long = [line for line in plot.lines if line.style not in ("bars", "lying") and len(line.x) >= 2]
    lines = [_drawn(across.share(np.asarray(line.x)), up.share(np.asarray(line.y))) for line in long]
    sides = [(right, above) for right in (True, False) for above in (True, False)]
    return min(sides, key=lambda side: _crowd(lines, up.share(at), *side))  # the first of equals


def _drawn(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(x, kind="stable")
    return x[order], y[order]


def _crowd(lines: list[tuple[np.ndarray, np.ndarray]], at: float, right: bool, above: bool) -> float:
    """How much of the lines runs through a name that stands there; 1 and more if it would be cut off."""
    places = np.linspace(1 - NAME[0], 1, 20) if right else np.linspace(0, NAME[0], 20)
    found, low = 0.0, at - (0 if above else NAME[1])
    for x, y in lines:
        height = np.interp(places, x, y, left=np.nan, right=np.nan)
        found += ((height > low - 0.02) & (height < low + NAME[1] + 0.02)).mean()
    return found + (low < 0) + (low + NAME[1] > 1)
