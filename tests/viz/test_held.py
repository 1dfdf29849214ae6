"""The picture of what levels hold shows means over texts, and how sure they are."""

import torch
from matplotlib import pyplot as plt

from nlcore.viz.held import held
from nlcore.viz.theme import COLOURS


def test_a_point_a_level_and_condition_with_two_standard_errors():
    worth = {"memory": torch.randn(16, 8) + 1, "cms-1": torch.randn(16, 8)}
    figure = held({"the same text": worth, "another text": {name: -values for name, values in worth.items()}})
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_yticklabels()] == ["memory", "cms-1"]
    points = axes.containers
    assert len(points) == 4
    texts = worth["memory"].mean(1)
    line, _, (bar,) = points[0].lines
    assert [points[i].lines[0].get_color() for i in (0, 1)] == [COLOURS[0], COLOURS[5]]
    torch.testing.assert_close(torch.tensor(line.get_xdata()[0]).float(), texts.mean())
    left, right = (end[0] for end in bar.get_segments()[0])
    torch.testing.assert_close(torch.tensor(right - left).float(), 4 * texts.std() / 4)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["after the same text", "after another text"]
    plt.close(figure)
