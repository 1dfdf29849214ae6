"""What is said on a frame: where a line leaves it, where a reference has room for its name, and powers of ten."""

import numpy as np
import pytest

from nlcore.viz.chart import Line, Plot
from nlcore.viz.chart.frame import Exit, exits, roomy, ticks

X = np.arange(6.0)
NAN, INF = np.nan, np.inf


def told(y, style="line", **plot) -> list[Exit]:
    line = Line("a line", X, np.array(y, dtype=float), style=style)
    return exits(line, Plot("", "", "", (line,), **{"y_range": (0.0, 10.0)} | plot))


def test_a_line_that_stays_or_comes_back_does_not_leave():
    assert told([1, 2, 3, 4, 5, 6]) == []
    assert told([1, 20, 30, 20, 5, 6]) == []
    assert told([1, 2, NAN, NAN, 5, 6]) == []


def test_it_leaves_after_the_last_point_inside_and_ends_where_it_ends():
    assert told([1, 20, 3, 40, 50, 60]) == [Exit(3, 10, "▲ ends at 60", "right", "top")]
    assert told([1, 2, 3, 4, 5, -4]) == [Exit(5, 0, "▼ ends at −4", "right", "bottom")]
    assert told([1, 2, 3, 4, 500, INF])[0].words == "▲ beyond all numbers"


def test_it_says_where_it_comes_from():
    assert told([50, 40, 3, 2, 1, -1]) == [
        Exit(1, 10, "▲ starts at 50", "left", "top"), Exit(5, 0, "▼ ends at −1", "right", "bottom"),
    ]  # fmt: skip


def test_a_line_that_never_was_inside_left_where_it_begins():
    assert told([20, 21, 22, 23, 24, 2.5e9]) == [Exit(0, 10, "▲ ends at 2.5 × 10⁹", "left", "top")]


def test_marked_settings_that_never_were_inside_are_told_at_the_farthest():
    assert told([20, 21, 90, 23, 24, 25], "both") == [Exit(2, 10, "▲ up to 90", "left", "top")]
    assert told([-1, -2, -3, -4, -5, -6], "both") == [Exit(5, 0, "▼ down to −6", "right", "bottom")]


def test_after_an_overflow_the_last_number_counts():
    assert told([1, 2, 30, 400, NAN, NAN]) == [Exit(2, 10, "▲ ends at 400", "left", "top")]


def test_only_what_lies_in_the_frame_across_is_asked():
    assert told([1, 2, 3, 4, 5, 60], x_range=(0.0, 4.0)) == []
    assert told([1, 2, 3, 4, 50, 6], x_range=(0.0, 4.0)) == [Exit(4, 10, "▲ ends at 50", "right", "top")]


def test_what_has_no_frame_or_no_numbers_does_not_leave():
    assert told([1, 2, 3, 4, 500, 600], y_range=None) == []
    assert told([NAN] * 6) == []


@pytest.mark.parametrize("style", ("points", "bars"))
def test_points_outside_are_counted_once_a_side(style):
    assert told([1, 20, 3, 40, -50, 6], style) == [
        Exit(3, 10, "▲ 2 more, up to 40", "right", "top"), Exit(4, 0, "▼ down to −50", "right", "bottom"),
    ]  # fmt: skip
    assert told([1, 2, 3, NAN, 5, 6], style) == []


def test_a_lying_bar_is_told_at_the_edge_that_it_crosses():
    line = Line("", np.array([0.1, 7.0, -3.0, NAN, INF]), np.arange(5.0), style="lying")
    assert exits(line, Plot("", "", "", x_range=(-1.0, 1.0))) == [
        Exit(1, 1, "7 ▶", "right", "middle"), Exit(1, 4, "beyond all numbers ▶", "right", "middle"),
        Exit(-1, 2, "◀ −3", "left", "middle"),
    ]  # fmt: skip
    assert exits(line, Plot("", "", "")) == []


@pytest.mark.parametrize("y, free", [
    ([5, 5, 5, 5, 5, 5.2], (True, False)), ([5, 5, 5, 5, 4.7, 4.7], (True, True)), ([1, 2, 3, 4, 5.1, 5.4], (False, True)),
    ([1, 2, 3, 4.9, 5.2, 4.9], (False, True)),
])  # fmt: skip
def test_a_references_name_stands_where_fewest_lines_run(y, free):
    plot = Plot("", "", "", (Line("", X, np.array(y)),), y_range=(0.0, 10.0))
    assert roomy(plot, 5.0) == free


def test_a_name_is_not_cut_off_by_the_frame():
    plot = Plot("", "", "", (Line("", X, X / 10),), y_range=(0.0, 1.0))
    assert roomy(plot, 0.99)[1] is False and roomy(plot, 0.02)[1] is True


def test_logarithmic_axes_get_few_powers_of_ten():
    assert ticks(None, True, (3e-3, 30.0)) == {0.01: "0.01", 0.1: "0.1", 1.0: "1", 10.0: "10"}
    assert list(ticks(None, True, (1e-6, 1e6)).values()) == ["10⁻⁶", "0.001", "1", "1000", "10⁶"]
    assert ticks({2.0: "two"}, True, (1.0, 10.0)) == {2.0: "two"}
    assert ticks(None, False, (1.0, 10.0)) is None and ticks(None, True, None) is None
