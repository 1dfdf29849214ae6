"""The binned history: it keeps what the score needs, whatever the length of the run, in bounded memory."""

import pickle
from collections.abc import Iterator

import numpy as np
import pytest

from nlcore.viz.dashboard.bins import Bins
from nlcore.viz.dashboard.history import LevelHistory, MetricHistory, compute

REPORTS = 100_000


def row(step: int, level: str = "weights", memory: str | None = None, period: int = 1, **figures: object) -> dict:
    """A row of levels.jsonl as training writes it."""
    base = dict.fromkeys(("surprise", "eta", "alpha", "lr", "gradient_norm", "second_moment_norm", "blocks"))
    fired = step % period == 0
    made = {"update_norm": 2.0 if fired else 0.0, "weight_norm": 10.0, "fired": fired, "writes": int(fired)}
    where = {"step": step, "attempt": 1, "level": level, "memory": memory, "period": period, "unit": "steps"}
    return base | where | made | figures


def reports(count: int) -> Iterator[dict]:
    for step in range(1, count + 1):
        yield row(step, gradient_norm=float(step))
        yield row(step, "cms-1", period=16)
        yield row(step, "memory", "memory", update_norm=50.0 if step == 77_777 else 1.0)


def test_a_short_history_is_kept_as_it_is():
    levels = compute(reports(20))
    assert levels.rows == (("weights", None), ("cms-1", None), ("memory", "memory"))
    assert levels.steps.tolist() == list(range(1, 21))
    np.testing.assert_allclose(levels.mean["change"][0], 0.2)
    np.testing.assert_allclose(levels.mean["gradient_norm"][0], np.arange(1, 21))
    assert np.flatnonzero(levels.fired[1]).tolist() == [15]


def test_a_level_that_did_not_fire_has_no_change():
    levels = compute(reports(20))
    assert np.isfinite(levels.mean["change"][1]).tolist() == (levels.fired[1] > 0).tolist()
    assert np.isnan(levels.mean["gradient_norm"][1]).all()


def test_a_long_run_stays_bounded_and_loses_no_peak_and_no_firing():
    history = LevelHistory()
    history.add(reports(2_000))
    early = len(pickle.dumps(history))
    history.add(record for record in reports(REPORTS) if record["step"] > 2_000)
    levels = history.view()
    assert len(pickle.dumps(history)) < early + 100
    assert 256 <= len(levels.steps) <= 512 and levels.steps[-1] == REPORTS
    assert (np.diff(levels.steps) > 0).all()
    assert levels.fired[1].all()  # every column is wider than the period
    at = int(np.searchsorted(levels.steps, 77_777))
    assert levels.largest["change"][2, at] == 5.0 and np.nansum(levels.largest["change"][2] > 1) == 1
    width = history.bins.width
    last = np.arange(REPORTS - (REPORTS - 1) % width, REPORTS + 1)
    assert levels.mean["gradient_norm"][0, -1] == pytest.approx(last.mean())


def test_means_weigh_every_report_the_same():
    bins = Bins(1, columns=4)
    for step in range(1, 33):
        bins.add(step, np.array([float(step)]))
    assert bins.width == 8
    np.testing.assert_allclose(bins.mean()[0], [4.5, 12.5, 20.5, 28.5])
    np.testing.assert_allclose(bins.largest()[0], [8, 16, 24, 32])


def test_rows_of_one_step_that_arrive_apart_are_one_report():
    history = LevelHistory()
    for record in (row(1), row(1, "cms-1"), row(2)):
        history.add([record])
    levels = history.view()
    assert levels.steps.tolist() == [1, 2]
    np.testing.assert_allclose(levels.mean["change"], [[0.2, 0.2], [0.2, np.nan]])


def test_columns_are_of_steps_where_reports_become_rarer():
    """Later reports weigh what they say of more steps, so a column of them is as wide as one of early reports."""
    steps = [*range(10, 101, 10), *range(120, 401, 20), *range(440, 1001, 40)]
    bins = Bins(2, columns=16)
    for step in steps:
        bins.add(step, np.array([float(step), 1.0]))
    assert bins.width == 80
    wanted = [[step for step in steps if (step - 1) // 80 == place] for place in range(13)]
    assert bins.steps().tolist() == [column[-1] for column in wanted]
    np.testing.assert_allclose(bins.mean()[0], [np.mean(column) for column in wanted])
    assert bins.sum()[1].tolist() == [len(column) for column in wanted]


def test_a_single_column_is_refused():
    with pytest.raises(ValueError, match="give 2 or more"):
        Bins(1, columns=1)


def test_loss_is_in_bits_per_byte_only_where_a_token_is_a_byte():
    line = {"step": 1, "loss": np.log(2) * 3, "tokens_per_second": None, "lr": 0.1, "gradient_norm": 1.0, "validation_bits_per_byte": None}
    history, other = MetricHistory(byte_tokens=True), MetricHistory(byte_tokens=False)
    history.add([line])
    other.add([line])
    assert history.bins.mean()[0, 0] == pytest.approx(3.0)
    assert np.isnan(other.bins.mean()[0, 0])
