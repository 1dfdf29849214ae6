"""The picture of a nested system: every component at its level's height, every kind of transfer a line of its own."""

from fractions import Fraction

import pytest
from matplotlib import pyplot as plt

from nlcore.levels import KINDS, Component, NestedSystem, Transfer
from nlcore.viz.nested import LINES, diagram

SYSTEM = NestedSystem(
    (Component("m", 1), Component("W", 1), Component("memory", 16), Component("slow", Fraction(1, 100)), Component("frozen", 0)),
    (("W", "m"),),
    tuple(Transfer("memory", "W", kind) for kind in KINDS),
)


@pytest.fixture
def axes():
    yield diagram(SYSTEM).axes[0]
    plt.close("all")


def test_the_faster_stands_higher_and_at_equal_speed_who_is_needed(axes):
    height = {text.get_text(): text.get_position()[1] for text in axes.texts}
    assert height["memory"] > height["m"] > height["W"] > height["slow"] > height["frozen"]
    assert height["W"] - height["slow"] > height["m"] - height["W"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["16", "1", "0.01", "never"]


def test_each_kind_of_transfer_has_a_line_and_a_word(axes):
    assert len({str(line) for line in LINES.values()}) == len(KINDS)
    assert [text.get_text() for text in axes.get_legend().get_texts()] == list(KINDS)
    assert sum(text.arrow_patch is not None for text in axes.texts if hasattr(text, "arrow_patch")) == len(KINDS)
