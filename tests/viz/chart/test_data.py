"""A chart as plain data: all that is to be seen, in numbers that JSON has."""

import json

import numpy as np
import pytest

from nlcore.viz.chart import Heat, Line, Plot
from nlcore.viz.chart.data import describe, number, numbers
from nlcore.viz.theme import REFERENCE, looks

ONE, TWO = looks(("one", "two")).values()
X = np.arange(1.0, 5.0)


def test_a_plot_keeps_its_words_ranges_and_ticks():
    plot = Plot("Error", "pairs (number)", "error", x_log=True, x_range=(1, 9), y_range=(0, 2), x_ticks={1: "first", 4: "last"},
                y_ticks={}, references={1.0: "silence"}, note="nothing yet", square=True, width=1.4)
    (found,) = describe((plot,))
    assert found == {
        "title": "Error", "x": "pairs (number)", "y": "error", "note": "nothing yet", "square": True, "width": 1.4,
        "xRange": [1, 9], "yRange": [0, 2], "xLog": True, "yLog": False, "lines": [], "heat": None,
        "xTicks": {"at": [1, 4], "words": ["first", "last"]}, "yTicks": {"at": [], "words": []},
        "references": [{"at": 1, "name": "silence", "right": True, "above": True}],
    }


def test_a_line_keeps_its_numbers_its_look_and_its_band():
    line = Line("mean", X, 1 / X, TWO, "both", band=(0 / X, 2 / X), size=np.array([1, 2, 3, 4]), strong=True)
    (found,) = describe((Plot("", "", "", (line,)),))[0]["lines"]
    assert found["x"] == [1, 2, 3, 4] and found["y"] == [1, 0.5, 0.3333, 0.25]
    assert found["band"] == [[0, 0, 0, 0], [2, 1, 0.6667, 0.5]] and found["size"] == [1, 2, 3, 4]
    assert (found["name"], found["style"], found["strong"], found["exits"]) == ("mean", "both", True, [])
    assert [found[part] for part in ("colour", "dash", "marker")] == [TWO.colour, TWO.dash, TWO.marker]


def test_a_line_says_where_it_left_the_frame():
    line = Line("wild", X, np.array([1, 20, 400, np.inf]), REFERENCE)
    (found,) = describe((Plot("", "", "", (line,), y_range=(0, 10)),))[0]["lines"]
    assert found["exits"] == [{"x": 2, "y": 10, "words": "▲ beyond all numbers", "across": "left", "up": "top"}]
    assert found["y"] == [1, 20, 400, None]


def test_a_heat_gets_centres_and_a_range_of_its_own():
    own = Heat(np.array([[1.0, 2.0, 3.0], [np.nan, 5.0, 6.0]]), "weight", range=None, contours=4)
    found = describe((Plot("", "", "", heat=own),))[0]["heat"]
    assert (found["x"], found["y"], found["down"]) == ([0, 1, 2], [0, 1], True)
    assert (found["low"], found["high"], found["z"][1], found["contours"]) == (1, 6, [None, 5, 6], 4)
    placed = Heat(np.eye(2), x=np.array([0.5, 1.5]), y=np.array([3.0, 4.0]), range=(-1, 1), ramp="diverging")
    found = describe((Plot("", "", "", heat=placed),))[0]["heat"]
    assert (found["x"], found["y"], found["down"]) == ([0.5, 1.5], [3, 4], False)
    assert (found["low"], found["high"], found["ramp"]) == (-1, 1, "diverging")


@pytest.mark.parametrize("value, short", [
    (1 / 3, 0.3333), (123456.7, 123500), (-2e-9, -2e-9), (3.0, 3), (0.0, 0), (np.nan, None), (np.inf, None), (-np.inf, None),
])  # fmt: skip
def test_numbers_are_short_and_json_has_them(value, short):
    assert number(float(value)) == short
    assert json.loads(json.dumps(numbers(np.array([value])), allow_nan=False)) == [short]
