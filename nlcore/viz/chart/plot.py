"""What a chart says, as data; how it is drawn is not its concern."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from nlcore.viz.theme import COLOURS, Look

Range = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """One curve, or one set of points or bars."""

    name: str
    """Its place in the legend; "" leaves it out."""
    x: np.ndarray
    y: np.ndarray
    """(n,), as x; NaN leaves a gap."""
    look: Look = Look(COLOURS[0], "solid", "o")
    style: Literal["line", "points", "both", "bars"] = "line"
    band: tuple[np.ndarray, np.ndarray] | None = None
    """Lower and upper bound, (n,) each: an interval shaded around the line."""
    size: float = 6.0
    """Of its markers, in pixels."""


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
    """Of z at the ends of the colours; by default that of z. For a diverging heat give one symmetric around 0."""
    diverging: bool = False
    """Blue below 0, white at 0, red above; else dark to bright."""
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
    levels: tuple[float, ...] = ()
    """Heights of thin horizontal lines of reference."""
    square: bool = False
    """One unit is as long across as it is up."""
    width: float = 1.0
    """Share of the row, against the other plots'."""


Chart = tuple[Plot, ...]
"""Plots side by side. What a redraw may change: every number and word, the ranges, and `name`s; not
how many plots, lines and heats there are, nor their looks and styles."""
