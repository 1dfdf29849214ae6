"""A chart as a matplotlib figure, for stored notebooks."""

from itertools import count, repeat

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nlcore.viz.chart.frame import exits, roomy, ticks
from nlcore.viz.chart.plot import Chart, Heat, Line, Plot
from nlcore.viz.theme import GREY, REFERENCE_DASH, tidy

WIDTH, HEIGHT = 10.0, 3.7
"""Inches; each row of a legend adds to the height."""
ENTRY = 0.22
RAMPS = {"bright": "cividis", "diverging": "RdBu_r", "pale": "Greys"}
PALE = (0.03, 0.32)
"""The share of the greys that lines can be drawn on."""
THIN = {"facecolor": "white", "alpha": 0.7, "edgecolor": "none", "pad": 0.6}
"""Behind words that a line may run under."""


def draw(chart: Chart) -> Figure:
    """The chart's plots in one row, each with its legend above it."""
    width = WIDTH if len(chart) > 1 else WIDTH * 0.8
    told = list(map(_names, chart))
    told[1:] = [[] if set(names) <= set(told[0]) else names for names in told[1:]]  # what the first one tells, once
    rows = -(-max(map(len, told)) // _columns(chart))
    figure, row = plt.subplots(
        1, len(chart), figsize=(width, HEIGHT + ENTRY * rows), layout="constrained", squeeze=False,
        width_ratios=[plot.width for plot in chart],
    )  # fmt: skip
    for axes, plot, names in zip(row[0], chart, told):
        _plot(figure, axes, plot)
        _title(axes, plot, _columns(chart) if names else 0)
    _slant(figure, [axes for axes, plot in zip(row[0], chart) if plot.x_ticks])
    return figure


def _slant(figure: Figure, named: list[Axes]) -> None:
    """Sets the words at the ticks across aslant where they would run into each other."""
    if named:
        figure.draw_without_rendering()
    for axes in named:
        boxes = [label.get_window_extent().padded(3) for label in axes.get_xticklabels()]
        if any(left.overlaps(right) for left, right in zip(boxes, boxes[1:])):
            axes.tick_params("x", labelrotation=45)
            plt.setp(axes.get_xticklabels(), ha="right", rotation_mode="anchor")


def _names(plot: Plot) -> list[str]:
    return [line.name for line in plot.lines if line.name]


def _columns(chart: Chart) -> int:
    return {1: 3, 2: 2}.get(len(chart), 1)


def _plot(figure: Figure, axes: Axes, plot: Plot) -> None:
    if plot.heat is not None:
        _heat(figure, axes, plot.heat)
    for line in plot.lines:
        _line(axes, line, cased=plot.heat is not None)
    axes.set_xscale("log" if plot.x_log else "linear")
    axes.set_yscale("log" if plot.y_log else "linear")
    for limits, put in ((plot.x_range, axes.set_xlim), (plot.y_range, axes.set_ylim)):
        if limits is not None:
            put(*limits)
    axes.minorticks_off()
    places = ticks(plot.x_ticks, plot.x_log, plot.x_range), ticks(plot.y_ticks, plot.y_log, plot.y_range)
    for words, put in zip(places, (axes.set_xticks, axes.set_yticks)):
        if words is not None:
            put(list(words), list(words.values()))
    _words(axes, plot)
    axes.set_axisbelow(True)
    tidy(axes, "", plot.x, plot.y)
    if plot.heat is not None:
        axes.grid(False)
    if plot.square:
        axes.set_aspect("equal")


def _title(axes: Axes, plot: Plot, columns: int) -> None:
    """The title, and under it the legend in so many columns, if any; both above the axes, where no line runs."""
    rows = -(-len(_names(plot)) // columns) if columns else 0
    axes.set_title(plot.title, loc="left", fontsize=11, pad=6 + 15 * rows)
    if rows:
        axes.legend(
            loc="lower left", bbox_to_anchor=(-0.02, 0.99), ncols=columns, frameon=False, fontsize=8,
            borderaxespad=0.2, handlelength=2.6, columnspacing=1.2,
        )  # fmt: skip


def _line(axes: Axes, line: Line, cased: bool) -> None:
    style = line.look.line() | {"label": line.name or None}
    if line.style == "bars":
        axes.bar(line.x, line.y, color=style["color"], label=style["label"], width=0.8 * _gap(line.x))
        return
    if line.style == "lying":
        axes.axvline(0, color=GREY, linewidth=0.9)
        axes.barh(line.y, np.where(np.isfinite(line.x), line.x, np.nan), color=style["color"], label=style["label"], height=0.8 * _gap(line.y))
        return
    if line.style == "points":
        area = (np.asarray(line.size) * 0.8) ** 2
        axes.scatter(line.x, line.y, s=area, color=style["color"], marker=line.look.marker, label=style["label"], zorder=3)
        return
    style |= {"markersize": np.max(line.size) * 0.6, "linewidth": 3.0 if line.strong else 1.6}
    if line.style == "line":
        style["marker"] = "none"
    if cased:  # under all lines, so that none hides another
        axes.plot(line.x, line.y, **style | {"color": "white", "linestyle": "-", "linewidth": 4, "label": None}, zorder=2.5)
    axes.plot(line.x, line.y, **style, zorder=3)
    if line.band is not None:
        axes.fill_between(line.x, *line.band, color=style["color"], alpha=0.18, linewidth=0)


def _words(axes: Axes, plot: Plot) -> None:
    """References with their names, what lies outside the frame, and a note."""
    for height, name in plot.references.items():
        axes.axhline(height, color=GREY, linewidth=0.9, linestyle=REFERENCE_DASH, zorder=1)
        right, above = roomy(plot, height)
        axes.annotate(
            name, (right, height), (-2 if right else 2, 4 if above else -4), ("axes fraction", "data"), "offset points",
            ha="right" if right else "left", va="bottom" if above else "top", fontsize=8, color=GREY, bbox=THIN,
        )  # fmt: skip
    rows = {"top": count(0, -12), "bottom": count(0, 12), "middle": repeat(0)}
    for line in plot.lines:
        for one in exits(line, plot):
            axes.annotate(
                one.words, (one.x, one.y), (-3 if one.across == "right" else 3, next(rows[one.up])), textcoords="offset points",
                ha=one.across, va={"middle": "center"}.get(one.up, one.up), fontsize=8, color=line.look.line()["color"],
                bbox=THIN, zorder=5,
            )  # fmt: skip
    if plot.note:
        axes.text(0.5, 0.5, plot.note, transform=axes.transAxes, ha="center", va="center", color=GREY)


def _gap(x: np.ndarray) -> float:
    return float(np.diff(np.sort(x)).min()) if len(x) > 1 else 1.0


def _heat(figure: Figure, axes: Axes, heat: Heat) -> None:
    rows, columns = heat.z.shape
    x = np.arange(columns) if heat.x is None else heat.x
    y = np.arange(rows) if heat.y is None else heat.y
    low, high = heat.range or (np.nanmin(heat.z), np.nanmax(heat.z))
    colours = plt.get_cmap(RAMPS[heat.ramp])
    if heat.ramp == "pale":
        colours = colours.from_list("pale", colours(np.linspace(*PALE, 64)))
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
