"""One axis of a plot, for what is drawn on it by hand: numbers to shares of its length, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.ticker import LogLocator, MaxNLocator

if TYPE_CHECKING:  # charts are explored by views that ask, and those judge charts
    from nlcore.viz.chart.plot import Plot, Range


@dataclass(frozen=True)
class Axis:
    """From `low` (0) to `high` (1)."""

    label: str
    low: float
    high: float
    log: bool
    ticks: dict[float, str]
    """Value -> words."""

    def share(self, value: np.ndarray | float) -> np.ndarray | float:
        """Where a value lies, from 0 to 1; what is outside lies on the edge, as it is drawn."""
        if not self.log:
            return np.clip((value - self.low) / (self.high - self.low), 0, 1)
        with np.errstate(divide="ignore", invalid="ignore"):  # 0 and less lie at the lower end
            place = np.log(np.maximum(value, 0) / self.low) / np.log(self.high / self.low)
        return np.clip(place, 0, 1)

    def value(self, share: np.ndarray | float) -> np.ndarray | float:
        """The value at a share of the length."""
        return self.low * (self.high / self.low) ** share if self.log else self.low + (self.high - self.low) * share


def axes(plot: Plot) -> tuple[Axis, Axis]:
    """The axes of a plot, with the ranges of its lines where it names none."""
    return (
        _axis(plot.x, plot.x_range, plot.x_log, plot.x_ticks, [line.x for line in plot.lines]),
        _axis(plot.y, plot.y_range, plot.y_log, plot.y_ticks, [line.y for line in plot.lines]),
    )


def _axis(label: str, limits: Range | None, log: bool, ticks: dict[float, str] | None, values: list[np.ndarray]) -> Axis:
    low, high = limits or _extent(np.concatenate(values).astype(float), log)
    if ticks is None:
        places = (LogLocator() if log else MaxNLocator(5)).tick_values(low, high)
        ticks = {float(place): f"{place:.6g}".replace("-", "−") for place in places}
    return Axis(label, float(low), float(high), log, {at: words for at, words in ticks.items() if low <= at <= high})


def _extent(values: np.ndarray, log: bool) -> Range:
    values = values[np.isfinite(values) & ((values > 0) | (not log))]
    return float(values.min()), float(values.max())
