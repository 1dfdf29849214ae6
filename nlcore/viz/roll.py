"""The level score as a static picture: the same language as the dashboard's, on a dark ground in each level's own colour."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

GROUND = np.array(to_rgb("#0e121a"))  # dark, so that brightness is the size of an update
INK = np.array(to_rgb("#bebebe"))
"""Where a level has no colour, or black."""
HEIGHT, APART = 0.84, 120
"""Of a cell, in rows; and the columns up to which cells are set apart by a gap and have notches."""
NOTCHES = 8
"""In one cell, at most: more would touch."""
DECADES = 6


@dataclass(frozen=True)
class Row:
    """One row: what it is called, how often it is to fire, and its level's colour."""

    label: str
    every: str
    colour: str


def roll(
    axes: Axes, rows: Sequence[Row], left: np.ndarray, right: np.ndarray, change: np.ndarray, fired: np.ndarray
) -> None:
    """Draws the score of R rows and S columns; a notch marks each firing.

    Args:
        left, right: (S,) where columns begin and end, in steps.
        change: (R, S) an update's norm over the norm of what it changes.
        fired: (R, S) how often the row fired.
    """
    seen = np.log10(change[(change > 0) & (fired > 0)])
    low, high = (max(seen.min(), seen.max() - DECADES), seen.max() + 1e-9) if len(seen) else (-4.0, 0.0)
    wide = (0.94 if len(left) <= APART else 1.0) * (right - left)
    for at, row in enumerate(rows):
        there = fired[at] > 0
        bright = (np.log10(np.where(change[at] > 0, change[at], np.nan)) - low) / (high - low)
        shades = _ramp(row.colour, np.clip(np.nan_to_num(bright), 0, 1)[there])
        cells = list(zip(left[there], wide[there]))
        axes.broken_barh(cells, (at - HEIGHT / 2, HEIGHT), facecolors=shades, linewidth=0, antialiased=False)
    if len(left) <= APART:
        axes.scatter(*_notches(left, wide, fired), s=3, marker="s", color="white", linewidths=0, zorder=3)
    axes.set(ylim=(max(len(rows), 1) - 0.5, -0.5), xlabel="step")
    axes.set_facecolor(GROUND)
    axes.set_yticks(range(len(rows)), [f"{row.label}   {row.every}".rstrip() for row in rows], fontsize=9)
    axes.tick_params(axis="y", length=0, pad=14)
    for at, row in enumerate(rows):  # a mark of its colour beside each name: as ink, some could not be read
        axes.plot(-0.008, at, "s", color=row.colour, transform=axes.get_yaxis_transform(), clip_on=False, markersize=6)
    least, most = (f"{float(f'{10**power:.1g}'):g}" for power in (low, high))  # 30, which is not 3e+01
    title = f"Level score: brightness is an update's norm ÷ norm of what it changes, {least} to {most}, logarithmic"
    axes.set_title(title, loc="left", fontsize=10)


def _ramp(colour: str, bright: np.ndarray) -> np.ndarray:
    """(n, 3) from the ground to the level's colour."""
    own = INK if colour == "#000000" else np.array(to_rgb(colour))
    return GROUND + (0.2 + 0.8 * bright)[:, None] * (own - GROUND)


def _notches(left: np.ndarray, wide: np.ndarray, fired: np.ndarray) -> tuple[list[float], list[float]]:
    """Where they are: evenly in each cell, near its lower edge."""
    x, y = [], []
    for row, column in zip(*np.nonzero(fired)):
        times = int(min(fired[row, column], NOTCHES))
        x += [left[column] + (n + 0.5) / times * wide[column] for n in range(times)]
        y += [row + 0.3] * times
    return x, y
