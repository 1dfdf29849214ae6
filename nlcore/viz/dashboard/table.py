"""Bins as plain data: the columns that a browser has not got yet, in short numbers."""

import math
from typing import Any

import numpy as np

from nlcore.viz.dashboard.bins import Bins

MOST, SUM = ("change", "tokens", "elapsed"), ("fired",)
"""Figures of which the largest value of a column is sent, and those of which the sum is; of the rest, the mean."""


def table(bins: Bins, figures: tuple[str, ...], rows: list[tuple[int, ...]], whole: bool, digits: int) -> dict[str, Any] | None:
    """The columns that changed since the last table, or all; None if none did.

    A row may be several of the bins' together: it then shows their mean. A figure that never had a value is left out.
    """
    begin = 0 if whole else min(bins.touched, bins.used)
    if begin == bins.used and not whole:
        return None
    parts = {"mean": bins.mean()[:, begin:], "most": bins.largest()[:, begin:], "sum": bins.sum()[:, begin:]}
    kept = bins.count[:, : bins.used].any(axis=1)
    data = []
    for row in rows:
        made: dict[str, dict[str, list[float | None]]] = {"mean": {}, "most": {}, "sum": {}}
        for at, name in enumerate(figures):
            series = [index * len(figures) + at for index in row if kept[index * len(figures) + at]]
            for kind in _kinds(name) if series else ():
                made[kind][name] = numbers(_together(parts[kind][series]), digits)
        data.append(made)
    bins.touched = bins.used
    return {"from": begin, "width": bins.width, "steps": bins.steps()[begin:].tolist(), "data": data}


def _kinds(name: str) -> tuple[str, ...]:
    if name in SUM:
        return ("sum",)
    return ("mean", "most") if name in MOST else ("mean",)


def _together(values: np.ndarray) -> np.ndarray:
    """(K, n) -> (n,), the mean of what there is."""
    there = np.isfinite(values)
    count = there.sum(axis=0)
    return np.where(count > 0, np.where(there, values, 0).sum(axis=0) / np.maximum(count, 1), np.nan)


def numbers(values: np.ndarray, digits: int) -> list[float | None]:
    """Short numbers for JSON, which has no NaN."""
    return [float(f"{value:.{digits}g}") if math.isfinite(value) else None for value in values]
