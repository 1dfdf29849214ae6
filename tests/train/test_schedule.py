"""The learning rate's course."""

import math

import pytest

from nlcore.train import change, new, train
from nlcore.train.records import records
from nlcore.train.schedule import DECAY, FLOOR, SCHEDULES, WARMUP, factor
from tests.train.small import QUIET, small


def test_it_rises_to_one_and_falls_to_a_tenth():
    assert factor(0) == 0 and factor(WARMUP / 2) == 0.5
    assert factor(WARMUP) == 1 and factor(1.0) == pytest.approx(FLOOR) == factor(1.2)
    assert factor((1 + WARMUP) / 2) == pytest.approx((1 + FLOOR) / 2)


@pytest.mark.parametrize("kind", SCHEDULES)
def test_it_never_rises_again(kind):
    course = [factor(WARMUP + (1 - WARMUP) * i / 100, kind) for i in range(101)]
    assert course == sorted(course, reverse=True)


def test_wsd_is_stable_until_its_last_share():
    assert factor(WARMUP / 2, "wsd") == 0.5
    assert {factor(share, "wsd") for share in (WARMUP, 0.5, 1 - DECAY)} == {1.0}
    assert factor(1 - DECAY / 2, "wsd") == pytest.approx((1 + FLOOR) / 2) and factor(1.2, "wsd") == pytest.approx(FLOOR)
    assert factor(0.95, "wsd", floor=0.0, decay=0.1) == pytest.approx(0.5)
    assert {factor(step / steps, "wsd") for steps in (100, 200) for step in range(10, 81)} == {1.0}  # made longer in time


@pytest.mark.parametrize("kind", SCHEDULES)
def test_no_warm_up_no_fall_and_no_decay_are_shares_too(kind):
    assert factor(0.0, kind, warmup=0.0) == 1.0 and factor(1.0, kind, floor=1.0) == 1.0
    assert factor(1.0, "wsd", decay=0.0) == 1.0 and factor(0.5, kind, warmup=0.99, decay=0.01) == pytest.approx(0.5 / 0.99)


WSD = dict(schedule="wsd", warmup=0.25, decay=0.5, floor=0.2)


def rates(folder):
    return {line["step"]: line["lr"] for line in records(folder.metrics)}


def test_a_run_follows_its_schedule_and_a_longer_one_goes_on_in_its_stable_part(tmp_path):
    """Made longer after it has fallen, it goes back to its peak, and falls when the longer run's decay has come."""
    folder = new(small(steps=8, **QUIET, **WSD), tmp_path)
    train(folder)
    assert list(rates(folder).values()) == pytest.approx([5e-3, 1e-2, 1e-2, 1e-2, 8e-3, 6e-3, 4e-3, 2e-3])
    train(folder, steps=20, decay=0.25)
    after = rates(folder)
    assert [after[step] for step in (9, 15)] == pytest.approx([1e-2, 1e-2])
    assert [after[step] for step in (16, 20)] == pytest.approx([8.4e-3, 2e-3])


def test_by_the_clock_it_is_the_same_course(tmp_path, monkeypatch):
    monkeypatch.setattr("nlcore.train.loop.Trainer.done", lambda trainer: trainer.step / 8)
    folder = new(change(small(**QUIET, **WSD), seconds=8.0), tmp_path)
    train(folder)
    assert list(rates(folder).values()) == pytest.approx([0, 5e-3, 1e-2, 1e-2, 1e-2, 8e-3, 6e-3, 4e-3])


def test_a_cosine_of_other_shares(tmp_path):
    folder = new(small(steps=4, **QUIET, warmup=0.5, floor=0.0), tmp_path)
    train(folder)
    assert list(rates(folder).values()) == pytest.approx([5e-3, 1e-2, 5e-3 * (1 + math.cos(math.pi / 2)), 0.0])
