"""What must hold of every explorer's chart, wherever its controls stand."""

import json
import math
from functools import cache
from importlib import import_module
from itertools import product

import pytest
from matplotlib import pyplot as plt

from nlcore.viz.chart import Explorer
from nlcore.viz.chart.data import Data
from nlcore.viz.explorers import names

OWN_CANVAS = ("backward_as_writes", "boxes_in_boxes", "clock_of_levels")
NAMES = [name for name in names() if name not in OWN_CANVAS]


@cache
def made(name: str) -> Explorer:
    return getattr(import_module(f"nlcore.viz.explorers.{name}"), name)()


@cache
def corners(name: str) -> list[list[Data]]:
    """The chart as it opens, and wherever all controls stand at an end, or on any of a choice."""
    explorer, asked = made(name), []
    for control in explorer.controls.values():
        last = len(control.values) - 1
        asked.append(range(last + 1) if control.kind in ("choice", "text") else (0, last))
    return [explorer.answer(dict(zip(explorer.controls, at))) for at in [tuple(explorer.first.values()), *product(*asked)]]


def form(chart: list[Data]) -> list:
    """What a redraw may not change."""
    lines = [[[line[part] for part in ("colour", "dash", "marker", "style")] for line in plot["lines"]] for plot in chart]
    return [lines, [[plot["heat"] is None, plot["xLog"], plot["yLog"], plot["width"]] for plot in chart]]


@pytest.mark.parametrize("name", NAMES)
def test_there_is_a_number_or_nothing_at_every_corner(name):
    for chart in corners(name):
        json.dumps(chart, allow_nan=False)
        for plot in chart:
            assert plot["note"] or plot["heat"] or any(y is not None for line in plot["lines"] for y in line["y"])
            for line in plot["lines"]:
                assert len(line["x"]) == len(line["y"])


@pytest.mark.parametrize("name", NAMES)
def test_a_chart_keeps_its_form(name):
    first, *others = (form(chart) for chart in corners(name))
    assert all(other == first for other in others)


@pytest.mark.parametrize("name", NAMES)
def test_a_name_stands_once_in_a_legend(name):
    for chart in corners(name):
        for plot in chart:
            named = [line["name"] for line in plot["lines"] if line["name"]]
            assert len(set(named)) == len(named), named


@pytest.mark.parametrize("name", NAMES)
def test_each_reference_says_what_it_stands_for(name):
    """By a name at the line, or where it is a tick, beside the axis: "squared error (0.25: half of the target)"."""
    for chart in corners(name):
        for plot in chart:
            assert all(one["name"] or one["at"] == 0 or f"({one['at']:g}: " in plot["y"] for one in plot["references"])


@pytest.mark.parametrize("name", NAMES)
def test_each_control_changes_what_is_seen(name):
    explorer = made(name)
    before = explorer.answer(explorer.first)
    for control, first in explorer.first.items():
        others = [stop for stop in range(len(explorer.controls[control].values)) if stop != first]
        assert any(explorer.answer(explorer.first | {control: stop}) != before for stop in (others[0], others[-1])), control


@pytest.mark.parametrize("name", NAMES)
def test_a_band_lies_in_the_frame(name):
    for chart in corners(name):
        for plot in chart:
            low, high = plot["yRange"] or (-math.inf, math.inf)
            for line in plot["lines"] if not plot["yLog"] else ():  # which a band may leave towards 0
                for bound in line["band"] or ():
                    assert all(y is None or low <= y <= high for y in bound), (plot["title"], line["name"])


@pytest.mark.parametrize("name", NAMES)
def test_its_picture_is_labelled_and_no_word_is_cut_or_runs_into_another(name):
    figure = made(name).picture()
    figure.canvas.draw()
    for axes in figure.axes:
        parts = [axes._left_title, *filter(None, [axes.get_legend()]), *axes.texts]
        boxes = [part.get_window_extent() for part in parts if part.get_window_extent().width]
        assert all(figure.bbox.x0 - 1 <= box.x0 and box.x1 <= figure.bbox.x1 + 1 for box in boxes), axes.get_title("left")
        ticks = [label.get_window_extent() for label in axes.get_xticklabels() if not label.get_rotation()]
        assert not any(left.overlaps(right) for left, right in zip(ticks, ticks[1:])), axes.get_title("left")
    shown = [axes for axes in figure.axes if axes.get_title("left")]
    assert len(shown) == len(corners(name)[0])
    assert all(axes.get_xlabel() or plot["xTicks"] for axes, plot in zip(shown, corners(name)[0]))
    assert all(axes.get_ylabel() or plot["yTicks"] for axes, plot in zip(shown, corners(name)[0]))
    plt.close(figure)
