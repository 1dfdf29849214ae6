"""A chart as a plotly widget: made once, then only its numbers and words change."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from nlcore.viz.chart.plot import Chart, Heat, Line, Plot

GREY = "#7a7a7a"  # readable on white and on black
DASHES = {"solid": "solid", "dashed": "dash", "dotted": "dot", "dashdot": "dashdot"}
SYMBOLS = {"o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "v": "triangle-down", "P": "cross", "X": "x",
           "*": "star"}
MODES = {"line": "lines", "points": "markers", "both": "lines+markers"}
SMALL = {"size": 13}
HEIGHT, TOP, BOTTOM, ENTRY = 280, 34, 62, 20
"""Pixels: of the axes, above and below them, and of a line of the legend."""
GAP, BAR = 0.09, 0.06
"""Shares of the row between two plots, and what a colour bar adds to it."""


class ChartView:
    """`widget` shows the chart; `draw` shows another of the same form in it."""

    def __init__(self, chart: Chart) -> None:
        figure = make_subplots(
            1, len(chart), column_widths=[plot.width for plot in chart], horizontal_spacing=_gap(chart),
            subplot_titles=[plot.title for plot in chart],
        )
        self.widget = go.FigureWidget(figure)
        self.widget.update_layout(**_layout(), **_heights(chart))
        for column, plot in enumerate(chart, start=1):
            self._add(plot, column, beside=len(chart) > 1)
        self.told: list[dict[str, Any]] = [{} for _ in self.widget.data]
        self.axes: dict[str, dict[str, Any]] = {}
        self._fill(chart)

    def draw(self, chart: Chart) -> None:
        """Sends what changed since the last chart, in one message."""
        with self.widget.batch_update():
            self._fill(chart)
            self.widget.layout.autosize = True  # as wide as its cell: told only once it is in one, plotly heeds it

    def _fill(self, chart: Chart) -> None:
        traces = [trace for plot in chart for trace in _traces(plot)]
        for shown, told, trace in zip(self.widget.data, self.told, traces, strict=True):
            for name, value in trace.items():
                if name not in told or not _same(told[name], value):
                    shown[name] = told[name] = value
        for column, plot in enumerate(chart, start=1):
            self._axes(plot, "" if column == 1 else str(column))
            title = self.widget.layout.annotations[column - 1]
            if title.text != plot.title:
                title.text = plot.title

    def _add(self, plot: Plot, column: int, beside: bool) -> None:
        where = {"row": 1, "col": column}
        if plot.heat is not None:
            self.widget.add_trace(_new_heat(plot.heat, self._bar(column)), **where)
        for line in plot.lines:
            if line.band is not None:
                self.widget.add_trace(_new_band(line), **where)
            self.widget.add_trace(_new_line(line, legend=_legend(column)), **where)
        for height in plot.levels:
            self.widget.add_hline(height, line_color=GREY, line_width=1, **where)
        domain = self.widget.layout[f"xaxis{'' if column == 1 else column}"].domain
        below = {"orientation": "v" if beside else "h", "x": domain[0], "xanchor": "left", "yanchor": "top"}
        self.widget.update_layout({_legend(column): below | {"y": -BOTTOM / HEIGHT, "bgcolor": "rgba(0,0,0,0)"}})
        self.widget.layout.annotations[column - 1].update(x=domain[0], xanchor="left", font={"size": 14, "color": GREY})

    def _bar(self, column: int) -> float:
        """Where the colour bar of a column's plot begins: at its right edge."""
        return self.widget.layout[f"xaxis{'' if column == 1 else column}"].domain[1] + 0.005

    def _axes(self, plot: Plot, number: str) -> None:
        for name, facts in _axes(plot, number).items():
            told = self.axes.setdefault(name, {})
            if news := {key: value for key, value in facts.items() if key not in told or told[key] != value}:
                self.widget.layout[name].update(news)
                told |= news


def _gap(chart: Chart) -> float:
    bars = any(plot.heat is not None and plot.heat.label for plot in chart[:-1])
    return 0 if len(chart) == 1 else GAP + BAR * bars


def _legend(column: int) -> str:
    return "legend" if column == 1 else f"legend{column}"


def _layout() -> dict[str, Any]:
    return {
        "template": "none", "hovermode": "closest",
        "paper_bgcolor": "rgba(0,0,0,0)", "plot_bgcolor": "rgba(0,0,0,0)", "font": {"color": GREY} | SMALL,
        "hoverlabel": {"bgcolor": "#333", "font": {"color": "white"}}, "bargap": 0.2,
    }


def _heights(chart: Chart) -> dict[str, Any]:
    """Room below for the longest legend: a column beside others, else a row or two."""
    names = max(sum(bool(line.name) for line in plot.lines) for plot in chart)
    rows = names if len(chart) > 1 else -(-names // 3)
    below = BOTTOM + ENTRY * rows + 8
    return {"height": TOP + HEIGHT + below, "margin": {"l": 65, "r": 30, "t": TOP, "b": below}}


def _new_line(line: Line, legend: str) -> go.Scatter | go.Bar:
    shown = {"legend": legend, "showlegend": bool(line.name)}
    if line.style == "bars":
        return go.Bar(marker={"color": line.look.colour}, **shown)
    return go.Scatter(
        mode=MODES[line.style], line={"color": line.look.colour, "dash": DASHES[line.look.dash], "width": 2.2},
        marker={
            "symbol": SYMBOLS[line.look.marker], "size": line.size, "color": line.look.colour,
            "maxdisplayed": 24 if line.style == "both" else 0,
        },
        **shown,
    )


def _new_band(line: Line) -> go.Scatter:
    red, green, blue = (int(line.look.colour[i : i + 2], 16) for i in (1, 3, 5))
    return go.Scatter(mode="none", fill="toself", fillcolor=f"rgba({red},{green},{blue},0.18)", showlegend=False, hoverinfo="skip")


def _new_heat(heat: Heat, bar: float) -> go.Heatmap | go.Contour:
    kept = {
        "colorscale": "RdBu_r" if heat.diverging else "Cividis", "showscale": bool(heat.label),
        "colorbar": {"title": {"text": heat.label, "side": "right", "font": SMALL}, "tickfont": {"size": 10}, "thickness": 12, "x": bar, "len": 1.0},
    }
    if heat.contours:
        return go.Contour(ncontours=heat.contours, line={"width": 0.3}, **kept)
    return go.Heatmap(**kept)


def _traces(plot: Plot) -> list[dict[str, Any]]:
    """What may change of each trace, in the order in which they were added."""
    found = [_heat(plot.heat)] if plot.heat is not None else []
    for line in plot.lines:
        if line.band is not None:
            low, high = line.band
            found.append({"x": np.concatenate([line.x, line.x[::-1]]), "y": np.concatenate([high, low[::-1]])})
        found.append({"x": np.asarray(line.x), "y": np.asarray(line.y), "name": line.name})
    return found


def _heat(heat: Heat) -> dict[str, Any]:
    rows, columns = heat.z.shape
    low, high = heat.range or (float(np.nanmin(heat.z)), float(np.nanmax(heat.z)))
    return {
        "z": np.asarray(heat.z, dtype=np.float32),
        "x": np.arange(columns) if heat.x is None else heat.x,
        "y": np.arange(rows) if heat.y is None else heat.y,
        "zmin": low, "zmax": high,
    }


def _same(one: Any, other: Any) -> bool:
    if isinstance(one, np.ndarray):
        return one.shape == other.shape and np.array_equal(one, other, equal_nan=True)
    return one == other


def _axes(plot: Plot, number: str) -> dict[str, dict[str, Any]]:
    heat = plot.heat is not None
    line = {"gridcolor": "rgba(128,128,128,0.25)", "zerolinecolor": "rgba(128,128,128,0.5)", "showgrid": not heat, "zeroline": not heat}
    x = line | {"title": {"text": plot.x, "font": SMALL, "standoff": 6}} | _scale(plot.x_log, plot.x_range) | _ticks(plot.x_ticks)
    y = line | {"title": {"text": plot.y, "font": SMALL, "standoff": 6}} | _scale(plot.y_log, plot.y_range) | _ticks(plot.y_ticks)
    if heat and plot.heat.y is None and plot.y_range is None:
        y["autorange"] = "reversed"
    if plot.square:
        y |= {"scaleanchor": f"x{number}"}
    return {f"xaxis{number}": x, f"yaxis{number}": y}


def _scale(log: bool, limits: tuple[float, float] | None) -> dict[str, Any]:
    kind = {"type": "log" if log else "linear"}
    if limits is None:
        return kind | {"autorange": True}
    return kind | {"autorange": False, "range": [float(np.log10(v)) if log else float(v) for v in limits]}


def _ticks(ticks: dict[float, str] | None) -> dict[str, Any]:
    return {} if ticks is None else {"tickvals": list(ticks), "ticktext": list(ticks.values())}
