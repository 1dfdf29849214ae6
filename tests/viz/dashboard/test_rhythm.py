"""Whether a level keeps its time, by the rule of the clock that the optimizer follows."""

import pytest

from nlcore.clock import Clock
from nlcore.viz.dashboard.history import BEFORE, MetricHistory
from nlcore.viz.dashboard.rhythm import Rhythm


def play(every: int, last: int, period: int, changes: dict[int, int], stuck_from: int = 10**9) -> tuple[Rhythm, list[bool]]:
    """Reports of a run whose clock is changed before some steps; whether it was late at each."""
    clock, rhythm, late = Clock({"a": period}), Rhythm(period, "steps", 0), []
    writes, told = 0, []
    for step in range(1, last + 1):
        if step in changes:
            clock.set_period("a", changes[step])
            told.append((step, changes[step]))
        due = clock.due(step)
        clock.mark(due, step)
        writes += len(due) if step < stuck_from else 0
        if step % every == 0:
            rhythm.report(step, clock.periods["a"], writes, writes > 0, told)
            late.append(rhythm.late)
            writes = 0
    return rhythm, late


@pytest.mark.parametrize("every", (1, 3, 10))
@pytest.mark.parametrize("changes", ({}, {45: 8}, {7: 1, 60: 32, 61: 5}))
def test_a_level_that_follows_its_clock_is_as_expected_and_never_late(every, changes):
    rhythm, late = play(every, 390, 16, changes)
    assert rhythm.expected == rhythm.seen > 20 and not any(late)


def test_every_16_steps_is_23_times_in_380():
    rhythm, _ = play(10, 380, 16, {})
    assert (rhythm.expected, rhythm.seen) == (23, 23)


def test_a_level_that_stops_is_late_once_its_period_has_passed():
    rhythm, late = play(10, 100, 16, {}, stuck_from=40)
    assert [step for step, is_late in zip(range(10, 101, 10), late) if is_late] == [60, 70, 80, 90, 100]
    assert rhythm.sentence("cms-1") == "cms-1 is late: it has not moved since step 40, and is to move every 16 steps (6 expected, 2 seen)."


def test_a_memory_is_expected_to_write_once_a_chunk_and_is_late_when_it_does_not():
    rhythm = Rhythm(16, "tokens", 256)
    rhythm.report(2, 16, 16, True)
    assert (rhythm.expected, rhythm.seen, rhythm.late) == (16, 16, False)
    rhythm.report(4, 16, 16, False)
    assert rhythm.late, "it wrote, and nothing changed by that"
    alone = Rhythm(16, "tokens", 16)
    alone.report(2, 16, 0, False)
    assert not alone.late, "a context of one chunk ends before the first write is due"


def line(step: int, loss: float, **more: float) -> dict:
    return {"step": step, "loss": loss, "validation_bits_per_byte": None} | more


def test_a_spike_of_the_loss_is_noticed_and_forgotten():
    history = MetricHistory(byte_tokens=True)
    history.add(line(step, 2.0 + 0.01 * (step % 3)) for step in range(1, BEFORE + 1))
    assert history.spike is None
    history.add([line(50, 3.0)])
    assert history.spike[:2] == (50, 3.0) and 2.0 <= history.spike[2] <= 2.02
    history.add(line(step, 2.0) for step in range(51, 51 + BEFORE))
    assert history.spike is None


def test_a_wait_for_data_is_the_share_of_the_last_reports_time():
    history = MetricHistory(byte_tokens=True)
    for elapsed, waited, share in ((10.0, 1.0, 0.1), (12.0, 1.5, 0.75), (14.0, None, 0.0), (13.0, 1.0, 0.0)):
        history.add([line(1, 2.0, elapsed=elapsed, data_seconds=waited)])
        assert history.waited == share


def test_the_best_validation_is_kept_with_its_step():
    history = MetricHistory(byte_tokens=True)
    history.add(line(step, 2.0, validation_bits_per_byte=found) for step, found in ((10, 3.0), (20, 2.5), (30, 2.6)))
    assert history.best == (2.5, 20)
