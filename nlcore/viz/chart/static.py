"""A chart as a matplotlib figure, for stored notebooks."""

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nlcore.viz.chart.plot import Chart, Heat, Line, Plot
from nlcore.viz.theme import tidy

GREY = "#7a7a7a"
WIDTH, HEIGHT = 10.0, 3.8
"""Inches."""


def draw(chart: Chart) -> Figure:
    """The chart's plots in one row."""
    shares = [plot.width for plot in chart]
    width = WIDTH if len(chart) > 1 else WIDTH * 0.8
    figure, row = plt.subplots(
        1, len(chart), figsize=(width, HEIGHT), layout="constrained", squeeze=False, width_ratios=shares
    )
    for axes, plot in zip(row[0], chart):
        _plot(figure, axes, plot)
    return figure


def _plot(figure: Figure, axes: Axes, plot: Plot) -> None:
    if plot.heat is not None:
        _heat(figure, axes, plot.heat)
    for height in plot.levels:
        axes.axhline(height, color=GREY, linewidth=0.8)
    for line in plot.lines:
        _line(axes, line)
    axes.set_xscale("log" if plot.x_log else "linear")
    axes.set_yscale("log" if plot.y_log else "linear")
    for limits, put in ((plot.x_range, axes.set_xlim), (plot.y_range, axes.set_ylim)):
        if limits is not None:
            put(*limits)
    for ticks, put in ((plot.x_ticks, axes.set_xticks), (plot.y_ticks, axes.set_yticks)):
        if ticks is not None:
            put(list(ticks), list(ticks.values()))
    tidy(axes, plot.title, plot.x, plot.y)
    if plot.heat is not None:
        axes.grid(False)
    if plot.square:
        axes.set_aspect("equal")
    if any(line.name for line in plot.lines):
        axes.legend(frameon=plot.heat is not None, fontsize=8)


def _line(axes: Axes, line: Line) -> None:
    colour, label = line.look.colour, line.name or None
    if line.style == "bars":
        axes.bar(line.x, line.y, color=colour, label=label, width=0.8 * _gap(line.x))
        return
    style = line.look.line() | {"markersize": line.size * 0.8, "label": label}
    if line.style == "points":
        style["linestyle"] = "none"
    elif line.style == "line":
        style["marker"] = "none"
    else:
        style["markevery"] = max(len(line.x) // 24, 1)
    axes.plot(line.x, line.y, **style)
    if line.band is not None:
        axes.fill_between(line.x, *line.band, color=colour, alpha=0.18, linewidth=0)


def _gap(x: np.ndarray) -> float:
    return float(np.diff(np.sort(x)).min()) if len(x) > 1 else 1.0


def _heat(figure: Figure, axes: Axes, heat: Heat) -> None:
    rows, columns = heat.z.shape
    x = np.arange(columns) if heat.x is None else heat.x
    y = np.arange(rows) if heat.y is None else heat.y
    low, high = heat.range or (np.nanmin(heat.z), np.nanmax(heat.z))
    colours = "RdBu_r" if heat.diverging else "cividis"
    if heat.contours:
        levels = np.linspace(low, high, heat.contours + 1)
        image = axes.contourf(x, y, heat.z, levels, cmap=colours, extend="both")
    else:
        image = axes.pcolormesh(_edges(x), _edges(y), heat.z, cmap=colours, vmin=low, vmax=high)
    if heat.y is None:
        axes.invert_yaxis()
    if heat.label:
        figure.colorbar(image, ax=axes, label=heat.label, pad=0.02)


def _edges(centres: np.ndarray) -> np.ndarray:
    """Borders of cells around their centres: (n,) -> (n + 1,)."""
    if len(centres) == 1:
        return centres[0] + np.array([-0.5, 0.5])
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])
