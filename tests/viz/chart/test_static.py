"""The picture of a chart: what its description says, legends above the axes, and nothing cut."""

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from nlcore.viz.chart import Heat, Line, Plot
from nlcore.viz.chart.static import draw
from nlcore.viz.theme import looks

ONE, TWO = looks(("one", "two")).values()
X = np.arange(1.0, 9.0)
CHART = (
    Plot(
        "Error at 2", "pairs (number)", "error", y_log=True, y_range=(0.02, 20), references={0.5: "half"},
        lines=(Line("mean", X, 2 / X, ONE, band=(1 / X, 4 / X)), Line("wild", X, 10.0**X, TWO), Line("", X, 2 / X, TWO, "points")),
    ),
    Plot(
        "Matrix", "column", "row", x_ticks={0: "first", 2: "last"}, note="nothing yet",
        heat=Heat(2 * np.eye(3), "weight", range=(-2, 2), ramp="diverging"), lines=(Line("bars", X, 2 / X, TWO, "bars"),),
    ),
)  # fmt: skip


@pytest.fixture
def figure():
    made = draw(CHART)
    made.canvas.draw()
    yield made
    plt.close(made)


def words(axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_it_shows_what_the_chart_says(figure):
    left, right, bar = figure.axes
    assert (left.get_title("left"), left.get_xlabel(), left.get_yscale()) == ("Error at 2", "pairs (number)", "log")
    np.testing.assert_array_equal(left.lines[0].get_ydata(), 2 / X)
    assert to_hex(left.lines[0].get_color()).upper() == ONE.colour.upper()
    assert left.get_ylim() == pytest.approx((0.02, 20))
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["mean", "wild"]
    assert [text.get_text() for text in right.get_xticklabels()] == ["first", "last"]
    assert len(right.patches) == len(X) and bar.get_ylabel() == "weight"


def test_it_names_references_says_what_left_the_frame_and_gives_its_note(figure):
    left, right, _ = figure.axes
    assert words(left) == ["half", "▲ ends at 1.0 × 10⁸"] and words(right) == ["nothing yet"]


def test_the_legend_lies_above_the_axes_and_under_the_title(figure):
    left = figure.axes[0]
    box, title = left.get_legend().get_window_extent(), left._left_title.get_window_extent()
    assert left.get_window_extent().y1 <= box.y0 + 2 and box.y1 <= title.y0 + 2
    assert title.y1 <= figure.bbox.y1


def test_a_heat_of_one_row_is_drawn_too():
    figure = draw((Plot("One row", "column", "row", heat=Heat(np.array([[1.0, 2.0, 3.0]]))),))
    (image,) = figure.axes[0].collections
    assert image.get_array().size == 3 and image.get_coordinates().shape == (2, 4, 2)
    plt.close(figure)
