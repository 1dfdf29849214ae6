"""What a chart says, as data; how it is drawn is not its concern."""

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from nlcore.viz.chart.words import decades, short
from nlcore.viz.theme import COLOURS, Look

Range = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """One curve, or one set of points or bars."""

    name: str
    """Its place in the legend; "" leaves it out."""
    x: np.ndarray
    y: np.ndarray
    """(n,), as x; NaN leaves a gap. Do not clip: what lies outside the frame is told at its edge."""
    look: Look = Look(COLOURS[0], "solid", "o")
    style: Literal["line", "points", "both", "bars", "lying"] = "line"
    """"lying" bars have their places in y and their lengths in x."""
    band: tuple[np.ndarray, np.ndarray] | None = None
    """Lower and upper bound, (n,) each: an interval shaded around the line."""
    size: float | np.ndarray = 6.0
    """Of its markers, in pixels; (n,) where each has its own."""
    strong: bool = False
    """Drawn thicker: the one that is looked at. A redraw may change it."""


@dataclass(frozen=True)
class Heat:
    """A matrix as colours."""

    z: np.ndarray
    """(rows, columns); row 0 is drawn on top unless `y` is given."""
    label: str = ""
    """What the colour means, with its unit; "" leaves out the colour bar."""
    x: np.ndarray | None = None
    y: np.ndarray | None = None
    """Centres of columns and rows, in the plot's units; by default their numbers."""
    range: Range | None = None
    """Of z at the ends of the colours; by default that of z. For "diverging" give one symmetric around 0."""
    ramp: Literal["bright", "diverging", "pale"] = "bright"
    """Dark to bright; blue below 0, white at 0, red above; or greys that lines can be drawn on."""
    contours: int = 0
    """So many levels, as filled contours, instead of cells."""


@dataclass(frozen=True)
class Plot:
    """One pair of axes."""

    title: str
    x: str
    """Label with unit."""
    y: str
    lines: tuple[Line, ...] = ()
    heat: Heat | None = None
    x_range: Range | None = None
    y_range: Range | None = None
    x_log: bool = False
    y_log: bool = False
    x_ticks: dict[float, str] | None = None
    """Position -> words, in place of numbers; {} for none."""
    y_ticks: dict[float, str] | None = None
    references: dict[float, str] = field(default_factory=dict)
    """Height of a thin horizontal line -> what it stands for, in a few words."""
    note: str = ""
    """Words in the middle of the frame, where a picture that is empty needs them."""
    square: bool = False
    """One unit is as long across as it is up."""
    width: float = 1.0
    """Share of the row, against the other plots'."""


Chart = tuple[Plot, ...]
"""Plots side by side. What a redraw may change: every number and word, the ranges, which line is strong; not
how many plots, lines and heats there are, nor their looks and styles."""


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
    """What of a line is outside the frame: where it comes from, and where it goes for good; or how many points.

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
        above, late = y[at] > high, _share(x[at], _limits(plot)[0], plot.x_log) > 0.7
        words = " ".join(filter(None, ("▲" if above else "▼", way, short(y[of]))))
        return Exit(float(x[at]), high if above else low, words, "right" if late else "left", "top" if above else "bottom")

    if line.style in ("points", "bars"):
        out = there[~inside]
        sides = [side for side in (out[y[out] > high], out[y[out] < low]) if len(side)]
        farthest = [side[np.abs(y[side]).argmax()] for side in sides]
        return [told(at, at, f"{len(side)} more, to" if len(side) > 1 else "") for at, side in zip(farthest, sides)]
    if not inside.any():
        return [told(there[0], there[-1], "to")] if len(there) else []
    first, last = there[inside][[0, -1]]
    before, after = there[there < first], there[there > last]
    comes = [told(before[-1], before[0], "from")] if len(before) else []
    goes = [told(after[0], after[-1], "to")] if len(after) else []
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
    sides = [(right, above) for right in (True, False) for above in (True, False)]
    return min(sides, key=lambda side: _crowd(plot, at, *side))  # the first of equals


NAME = (0.4, 0.08)
"""Width and height that a reference's name may take, as shares of the frame."""


def _crowd(plot: Plot, at: float, right: bool, above: bool) -> float:
    """How much of the plot's lines runs through a name that stands there; 1 and more if it would be cut off."""
    across = np.linspace(1 - NAME[0], 1, 20) if right else np.linspace(0, NAME[0], 20)
    x_limits, y_limits = _limits(plot)
    found, low = 0.0, _share(np.array([at]), y_limits, plot.y_log)[0] - (0 if above else NAME[1])
    for line in plot.lines:
        if line.style in ("bars", "lying") or len(line.x) < 2:
            continue
        x, y = _share(line.x, x_limits, plot.x_log), _share(line.y, y_limits, plot.y_log)
        order = np.argsort(x, kind="stable")
        height = np.interp(across, x[order], y[order], left=np.nan, right=np.nan)
        found += ((height > low - 0.02) & (height < low + NAME[1] + 0.02)).mean()
    return found + (low < 0) + (low + NAME[1] > 1)


def _limits(plot: Plot) -> tuple[Range, Range]:
    """The frame's ends across and up, if need be from what is in it."""
    found = []
    for given, part in ((plot.x_range, "x"), (plot.y_range, "y")):
        values = np.concatenate([np.ravel(getattr(line, part)) for line in plot.lines] or [np.zeros(1)])
        found.append(given or (np.nanmin(values), np.nanmax(values)))
    return tuple(found)


def _share(values: np.ndarray, limits: Range, log: bool) -> np.ndarray:
    """Values as shares of an axis, 0 to 1."""
    with np.errstate(all="ignore"):
        values, (low, high) = (np.log10(values), np.log10(limits)) if log else (np.asarray(values, float), limits)
        return (values - low) / (high - low)
