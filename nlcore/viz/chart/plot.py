"""What a chart says, as data; how it is drawn is not its concern."""

from dataclasses import dataclass, field
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
    """Position -> words, in place of numbers, which are powers of ten where an axis is logarithmic; {} for none."""
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
