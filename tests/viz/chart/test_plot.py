"""Where a line leaves its frame: once, for good, and on which side."""

import numpy as np
import pytest

from nlcore.viz.chart import Line, Plot
from nlcore.viz.chart.plot import departure

X = np.arange(6.0)
NAN, INF = np.nan, np.inf


def left(y, **plot) -> tuple[float, bool, float] | None:
    given = {"y_range": (0.0, 10.0)} | plot
    return departure(Line("a line", X, np.array(y, dtype=float)), Plot("", "", "", **given))


def test_a_line_that_stays_or_comes_back_does_not_leave():
    assert left([1, 2, 3, 4, 5, 6]) is None
    assert left([1, 20, 30, 20, 5, 6]) is None
    assert left([1, 2, NAN, NAN, 5, 6]) is None


def test_it_leaves_after_the_last_point_inside_and_ends_where_it_ends():
    assert left([1, 20, 3, 40, 50, 60]) == (3, True, 60)
    assert left([1, 2, -1, -2, -3, -4]) == (2, False, -4)
    assert left([1, 2, 3, 4, 500, INF]) == (4, True, INF)


def test_a_line_that_never_was_inside_left_where_it_begins():
    assert left([20, 21, 22, 23, 24, 25]) == (0, True, 25)


def test_after_an_overflow_the_last_number_counts():
    assert left([1, 2, 30, 400, NAN, NAN]) == (2, True, 400)


def test_only_what_lies_in_the_frame_across_is_asked():
    assert left([1, 2, 3, 4, 5, 60], x_range=(0.0, 4.0)) is None
    assert left([1, 2, 3, 4, 50, 6], x_range=(0.0, 4.0)) == (4, True, 50)


def test_what_has_no_frame_or_no_numbers_does_not_leave():
    assert left([1, 2, 3, 4, 500, 600], y_range=None) is None
    assert left([NAN] * 6) is None


@pytest.mark.parametrize("style", ("points", "bars"))
def test_points_and_bars_do_not_leave(style):
    line = Line("some", X, 100 * X, style=style)
    assert departure(line, Plot("", "", "", y_range=(0.0, 10.0))) is None
