"""A chart says the same live and as a picture, and a redraw changes all that may change."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from nlcore.viz.chart import Heat, Line, Plot
from nlcore.viz.chart.live import ChartView
from nlcore.viz.chart.static import draw
from nlcore.viz.theme import looks

ONE, TWO = looks(("one", "two")).values()
X = np.arange(1.0, 9.0)


def chart(scale: float) -> tuple[Plot, ...]:
    y = scale / X
    return (
        Plot(
            f"Error at {scale:g}", "pairs (number)", "error", y_log=True, y_range=(0.01 * scale, 10 * scale), levels=(0.5,),
            lines=(Line(f"mean at {scale:g}", X, y, ONE, band=(y / 2, y * 2)), Line("", X, y, TWO, "points")),
        ),
        Plot(
            "Matrix", "column", "row", x_ticks={0: "first", 2: "last"},
            heat=Heat(scale * np.eye(3), "weight", range=(-scale, scale), diverging=True),
            lines=(Line("bars", X, y, TWO, "bars"),),
        ),
    )


@pytest.fixture
def figure():
    made = draw(chart(2.0))
    yield made
    plt.close(made)


def test_a_redraw_changes_numbers_names_ranges_and_titles():
    view = ChartView(chart(1.0))
    view.draw(chart(2.0))
    band, mean, points, heat, bars = view.widget.data
    np.testing.assert_array_equal(mean.y, 2 / X)
    np.testing.assert_array_equal(points.y, 2 / X)
    np.testing.assert_array_equal(band.y, np.concatenate([4 / X, 1 / X[::-1]]))
    np.testing.assert_array_equal(heat.z, 2 * np.eye(3))
    np.testing.assert_array_equal(bars.y, 2 / X)
    assert (mean.name, heat.zmin, heat.zmax) == ("mean at 2", -2, 2)
    assert view.widget.layout.annotations[0].text == "Error at 2"
    np.testing.assert_allclose(view.widget.layout.yaxis.range, np.log10([0.02, 20]))


def test_a_redraw_of_the_same_sends_nothing(monkeypatch):
    view = ChartView(chart(1.0))
    view.draw(chart(1.0))  # the first, once shown, also takes the cell's width
    sent = []
    monkeypatch.setattr(type(view.widget), "_send_update_msg", lambda self, *news, **more: sent.append((news, more)))
    monkeypatch.setattr(type(view.widget), "_send_restyle_msg", lambda self, *news, **more: sent.append((news, more)))
    monkeypatch.setattr(type(view.widget), "_send_relayout_msg", lambda self, *news, **more: sent.append((news, more)))
    view.draw(chart(1.0))
    assert sent == []
    view.draw(chart(3.0))
    assert len(sent) == 1


def test_a_chart_of_another_form_is_refused():
    view = ChartView(chart(1.0))
    with pytest.raises(ValueError):
        view.draw(chart(1.0)[:1])


def test_live_and_picture_say_the_same(figure):
    left, right = figure.axes[:2]
    assert (left.get_title("left"), left.get_xlabel(), left.get_yscale()) == ("Error at 2", "pairs (number)", "log")
    np.testing.assert_array_equal(left.lines[1].get_ydata(), 2 / X)
    assert left.get_ylim() == pytest.approx((0.02, 20))
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["mean at 2"]
    assert [text.get_text() for text in right.get_xticklabels()] == ["first", "last"]
    assert len(right.patches) == len(X)
    shown = ChartView(chart(2.0)).widget
    assert shown.layout.xaxis2.ticktext == ("first", "last")
    assert [trace.name for trace in shown.data if trace.showlegend] == ["mean at 2", "bars"]


def test_a_heat_of_one_row_is_drawn_too():
    plot = Plot("One row", "column", "row", heat=Heat(np.array([[1.0, 2.0, 3.0]])))
    figure = draw((plot,))
    (image,) = figure.axes[0].collections
    assert image.get_array().size == 3 and image.get_coordinates().shape == (2, 4, 2)
    plt.close(figure)
