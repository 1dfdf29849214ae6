"""The pictures show what the run folder holds."""

import math

import numpy as np
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from nlcore.train.config import configure
from nlcore.train.records import append
from nlcore.train.run import new
from nlcore.viz import plots
from nlcore.viz.axis_of_loss import near
from nlcore.viz.theme import COLOURS, level_looks, looks

PERIODS = {"memory": 1, "weights": 1, "cms-2": 4, "cms-3": 16}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of 64 steps, written as the trainer writes it."""
    folder = new(configure("tiny"), tmp_path_factory.mktemp("runs") / "hope")
    for step in range(1, 65):
        at = {"step": step, "attempt": 1}
        validation = {"validation_bits_per_byte": 8 / step} if step % 16 == 0 else {}
        append(folder.metrics, at | {"loss": 5 / step, "elapsed": 30.0 * step} | validation)
        for level, period in PERIODS.items():
            fired = step % period == 0
            figures = {"update_norm": 0.1 * fired, "weight_norm": 2.0, "fired": fired, "writes": int(fired)}
            append(folder.levels, at | {"level": level, "unit": "steps", "period": period} | figures)
    return folder.path


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def test_curves_show_training_and_validation_in_bits_per_byte(run):
    learning, _ = plots.curves(run).axes
    train, validation = learning.lines
    np.testing.assert_allclose(train.get_ydata()[:2], [5 / math.log(2), 2.5 / math.log(2)])
    assert validation.get_xdata().tolist() == [16, 32, 48, 64]
    assert validation.get_label() == "hope, validation"
    assert learning.get_ylabel() == "bits per byte"


def test_curves_show_each_level_at_the_steps_at_which_it_changed(run):
    lines = {line.get_label(): line for line in plots.curves(run).axes[1].lines}
    assert set(lines) == set(PERIODS)
    assert lines["cms-3"].get_xdata().tolist() == [16, 32, 48, 64]
    assert lines["memory"].get_color() == COLOURS[0]


def test_two_runs_can_be_told_apart_without_colour(run, tmp_path):
    (tmp_path / "transformer").symlink_to(run)
    learning = plots.curves(run, tmp_path / "transformer").axes[0]
    validations = [line for line in learning.lines if line.get_label() in ("hope, validation", "transformer, validation")]
    assert len({line.get_marker() for line in validations}) == len({line.get_linestyle() for line in validations}) == 2
    assert not {line.get_color() for line in learning.lines} & set(COLOURS[:6]), "colours are the levels'"


def test_the_score_has_a_row_a_level_fastest_on_top_and_a_notch_a_firing(run):
    (axes,) = plots.level_score(run).axes
    assert [label.get_text() for label in axes.get_yticklabels()] == [
        "memory   every step", "weights   every step", "cms-2   every 4 steps", "cms-3   every 16 steps"]
    assert axes.yaxis_inverted()
    *cells, notches = axes.collections
    assert [len(row.get_paths()) for row in cells] == [64, 64, 16, 4]
    x, y = notches.get_offsets().T
    assert len(x) == 64 + 64 + 16 + 4
    assert [step for step, row in zip(x, y.round()) if row == 3] == pytest.approx([15.47, 31.47, 47.47, 63.47])


def test_the_score_speaks_the_dashboards_language(run):
    (axes,) = plots.level_score(run).axes
    assert to_hex(axes.get_facecolor()) == "#0e121a"
    marks = {round(line.get_ydata()[0]): line.get_color() for line in axes.lines}
    assert marks == {row: look.colour for row, look in enumerate(level_looks(list(PERIODS)).values())}


def test_a_score_of_one_step_can_be_drawn(run):
    assert plots.level_score(run, first=64).axes[0].get_xlim() == (63, 64)


def test_levels_keep_their_look_and_differ_by_more_than_colour():
    few, many = looks(["memory", "weights"]), looks(["memory", "weights", *map(str, range(6))])
    assert few["weights"] == many["weights"]
    assert len({look.marker for look in many.values()}) == len(many)


def test_a_level_of_a_run_has_the_same_look_in_every_model():
    hope = level_looks(["memory", "projections", "weights", "cms-3", "cms-2", "cms-1"])
    assert level_looks(["weights"])["weights"] == hope["weights"]
    assert len({look.colour for look in hope.values()}) == len({look.marker for look in hope.values()}) == 6
    assert level_looks(["cms-4"])["cms-4"] not in hope.values()
    learns = level_looks(["cms-3 in context"])["cms-3 in context"]
    assert learns.colour == hope["cms-3"].colour and learns not in hope.values()


def test_two_runs_by_steps_and_by_minutes(run):
    by_step, by_minute = plots.against(run, run).axes
    assert by_step.lines[1].get_xdata().tolist() == [16, 32, 48, 64]
    assert by_minute.lines[1].get_xdata().tolist() == [8, 16, 24, 32]
    assert by_minute.get_xlabel() == "minutes of training"
    assert len({line.get_color() for line in by_step.lines}) == 2


def test_the_first_steps_may_leave_the_axis_of_a_loss(run):
    by_step, _ = plots.against(run, run).axes
    bits = np.array([5 / step / math.log(2) for step in range(7, 65)])
    low, high = by_step.get_ylim()
    assert low < 8 / 64 < bits.max() < high < 5 / math.log(2)


def test_an_axis_of_nothing_stays():
    axes = plt.figure().subplots()
    near(axes, [])
    near(axes, axes.plot([1, 2], [math.nan, math.nan]))
    assert axes.get_ylim()[0] < axes.get_ylim()[1]
