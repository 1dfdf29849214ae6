"""The picture of a nested system: every component at its level's height, every kind of transfer a line of its own."""

from fractions import Fraction

import pytest
from matplotlib import pyplot as plt

from nlcore.levels import KINDS, Component, NestedSystem, Transfer
from nlcore.viz.nested import BOX, LINES, diagram, updates
from nlcore.viz.theme import LEVELS, level_looks

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


def test_a_share_fills_a_box_and_nothing_makes_it_grey():
    part = dict.fromkeys(["m", "W", "memory", "slow", "frozen"], (0.0, 0.0)) | {"memory": (0.5, 0.5), "m": (1.0, 0.25)}
    drawn = diagram(SYSTEM, filled=part).axes[0]
    inks = {text.get_text(): text.get_color() for text in drawn.texts}
    assert inks["memory"] == inks["m"] == "#000000" != inks["W"] == inks["frozen"]
    bars = [sorted(bar.get_width() / BOX[0] for bar in drawn.patches if bar.get_alpha() == alpha) for alpha in (0.2, 0.4)]
    assert bars == [pytest.approx([0, 0, 0, 0, 0.75]), pytest.approx([0, 0, 0, 0.25, 0.5])]
    corners = {(bar.get_alpha(), round(bar.get_width() / BOX[0], 6)): bar.get_x() for bar in drawn.patches if bar.get_alpha()}
    assert corners[0.4, 0.25] == pytest.approx(corners[0.2, 0.75] + 0.75 * BOX[0])  # what is new comes last
    plt.close("all")


def test_only_kinds_that_there_are_are_told():
    alone = diagram(NestedSystem(SYSTEM.components, SYSTEM.needs, SYSTEM.transfers[:1])).axes[0]
    assert [text.get_text() for text in alone.get_legend().get_texts()] == ["parametric"]
    without = diagram(NestedSystem(SYSTEM.components, SYSTEM.needs))
    assert without.axes[0].get_legend() is None and without.get_figheight() < alone.figure.get_figheight()
    plt.close("all")


def test_the_score_has_a_row_for_each_record_in_its_levels_colour():
    names = ("m", "W")
    records = [{"level": name, "step": step, "unit": "steps", "period": 1, "fired": True, "writes": 1, "update_norm": 0.1, "weight_norm": 1.0}
               for name in names for step in (1, 2, 3)]
    system = NestedSystem(SYSTEM.components[:2], SYSTEM.needs)
    score, picture = updates(system, records).axes[0], diagram(system).axes[0]
    assert [tick.get_text() for tick in score.get_yticklabels()] == ["m   every step", "W   every step"]
    assert [mark.get_color() for mark in score.lines] == [mark.get_color() for mark in picture.lines]
    assert score.lines[0].get_color() != score.lines[1].get_color() and score.get_xlim() == (0, 3)
    plt.close("all")


def test_a_level_of_hope_has_its_own_look_in_map_and_score_and_what_has_no_name_there_takes_what_is_left():
    names = ("anything", "memory", "momentum of cms-3", "cms-3", "cms-3 in context")
    parts = tuple(Component(name, rate) for name, rate in zip(names, (16, 8, 1, 1, 4)))
    boxes = diagram(NestedSystem(parts, (("cms-3", "momentum of cms-3"),))).axes[0]
    colours = dict(zip(names, (mark.get_color() for mark in boxes.lines)))
    hope = {name: look.colour for name, look in level_looks(LEVELS).items()}
    assert [colours[name] for name in names[1:]] == [hope["memory"], *[hope["cms-3"]] * 3]
    assert colours["anything"] not in (hope["memory"], hope["cms-3"])
    plt.close("all")


def test_what_a_level_of_hope_needs_is_its_momentum_and_beside_it_a_stranger_has_a_colour_of_none_of_them():
    parts = tuple(Component(name, rate) for name, rate in (("attention", 4), ("exp_avg", 1), ("weights", 1), ("average", 1)))
    boxes = diagram(NestedSystem(parts, (("weights", "exp_avg"), ("average", "weights")))).axes[0]
    colours = [mark.get_color() for mark in boxes.lines]
    hope = level_looks(LEVELS)
    assert colours[1] == colours[2] == hope["weights"].colour and colours[0] != colours[3]
    assert not {colours[0], colours[3]} & {look.colour for look in hope.values()}
    plt.close("all")
