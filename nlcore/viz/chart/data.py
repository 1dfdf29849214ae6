"""A chart as plain data, for the script that draws it: live in a notebook, or from a table in the book."""

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from nlcore.viz.chart.frame import exits, roomy, ticks
from nlcore.viz.chart.plot import Chart, Heat, Line, Plot

DIGITS = 4
"""Significant digits of a number: more than a screen has pixels."""
SHADES = 3
"""The same of one that is drawn as a colour."""
Data = dict[str, Any]


def describe(chart: Chart) -> list[Data]:
    """Each plot as a dict of words, numbers and lists; null where there is no number."""
    return [_plot(plot) for plot in chart]


def _plot(plot: Plot) -> Data:
    return {
        "title": plot.title, "x": plot.x, "y": plot.y, "note": plot.note, "square": plot.square, "width": plot.width,
        "xRange": _pair(plot.x_range), "yRange": _pair(plot.y_range), "xLog": plot.x_log, "yLog": plot.y_log,
        "xTicks": _ticks(ticks(plot.x_ticks, plot.x_log, plot.x_range)),
        "yTicks": _ticks(ticks(plot.y_ticks, plot.y_log, plot.y_range)),
        "references": [_reference(plot, at, name) for at, name in plot.references.items()],
        "lines": [_line(line, plot) for line in plot.lines],
        "heat": None if plot.heat is None else _heat(plot.heat),
    }  # fmt: skip


def _reference(plot: Plot, at: float, name: str) -> Data:
    right, above = roomy(plot, at)
    return {"at": float(at), "name": name, "right": right, "above": above}


def _line(line: Line, plot: Plot) -> Data:
    return {
        "name": line.name, "x": numbers(line.x), "y": numbers(line.y), "style": line.style, "strong": line.strong,
        "size": numbers(line.size) if isinstance(line.size, np.ndarray) else line.size,
        "colour": line.look.colour, "dash": line.look.dash, "marker": line.look.marker,
        "band": None if line.band is None else [numbers(bound) for bound in line.band],
        "exits": [asdict(one) for one in exits(line, plot)],
    }  # fmt: skip


def _heat(heat: Heat) -> Data:
    rows, columns = heat.z.shape
    low, high = heat.range or (float(np.nanmin(heat.z)), float(np.nanmax(heat.z)))
    return {
        "z": [numbers(row, SHADES) for row in heat.z], "label": heat.label, "low": number(low), "high": number(high),
        "x": numbers(np.arange(columns) if heat.x is None else heat.x),
        "y": numbers(np.arange(rows) if heat.y is None else heat.y),
        "down": heat.y is None, "ramp": heat.ramp, "contours": heat.contours,
    }  # fmt: skip


def _pair(limits: tuple[float, float] | None) -> list[float] | None:
    return None if limits is None else [float(limit) for limit in limits]


def _ticks(words: dict[float, str] | None) -> Data | None:
    return None if words is None else {"at": [float(at) for at in words], "words": list(words.values())}


def numbers(values: np.ndarray, digits: int = DIGITS) -> list[float | None]:
    """(n,) as a list of short numbers; null for what JSON has no word for."""
    return [number(value, digits) for value in np.asarray(values, dtype=float).tolist()]


def number(value: float, digits: int = DIGITS) -> float | None:
    """A short number; whole ones without a point."""
    if not math.isfinite(value):
        return None
    short = float(f"{value:.{digits}g}")
    return int(short) if short == int(short) else short
