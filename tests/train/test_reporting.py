"""Long runs stay light: reports become rarer, and what is left out is in the next one."""

import json

import pytest

from nlcore.train import new, reporting, train
from nlcore.train.records import latest, records
from nlcore.train.reporting import DENSE, apart
from tests.train.small import small

RUN = dict(steps=45, report_every=1, validate_every=7, checkpoint_every=10, context=16)


def test_ten_thousand_reports_are_as_dense_as_was_asked_for_and_the_rest_few():
    assert {apart(step, 10) for step in range(1, 10 * DENSE + 1, 7)} == {10}
    steps = [step for step in range(10, 1_000_001, 10) if step % apart(step, 10) == 0]
    assert len(steps) < 16_000 and apart(10 * DENSE + 1, 10) == 20
    gaps = [b - a for a, b in zip(steps, steps[1:])]
    assert gaps == sorted(gaps) and max(gaps) == 640  # twice as far apart again and again, and no hole
    late = sum(step % apart(step, 10) == 0 for step in range(10**9 - 10**6, 10**9))
    assert late <= 2 and apart(10**9, 1) < 10**6


def rarer_after(dense, patch):
    for name, value in (("DENSE", dense), ("RARER", 2), ("FELT", 1)):
        patch.setattr(reporting, name, value)


@pytest.fixture(scope="module")
def dense_and_sparse(tmp_path_factory):
    """The same run twice: with every report, and with those of a run that began to leave some out at its fifth."""
    found = []
    with pytest.MonkeyPatch.context() as patch:
        for dense in (DENSE, 4):
            rarer_after(dense, patch)
            folder = new(small(**RUN), tmp_path_factory.mktemp("run") / "run")
            train(folder)
            found.append(folder)
    return found


def by_step(folder, name, level=None):
    rows = latest(records(getattr(folder, name)), *(["level", "memory"] if name == "levels" else []))
    return {row["step"]: row for row in rows if level is None or row["level"] == level}


def test_no_firing_is_lost_and_the_largest_update_is_kept(dense_and_sparse):
    whole, sparse = dense_and_sparse
    for level in ("weights", "cms-1", "cms-2", "cms-1 momentum"):
        all_rows, few = by_step(whole, "levels", level), by_step(sparse, "levels", level)
        assert sum(row["writes"] for row in few.values()) == sum(row["writes"] for row in all_rows.values()) > 0
        before = 0
        for step, row in few.items():
            between = [all_rows[at] for at in range(before + 1, step + 1)]
            assert row["writes"] == sum(one["writes"] for one in between)
            assert row["update_norm"] == max(one["update_norm"] for one in between)
            assert row["weight_norm"] == between[-1]["weight_norm"]
            before = step
        assert len(few) < 20 and before == 45


def test_what_is_left_out_is_counted_and_in_the_means(dense_and_sparse):
    whole, sparse = (by_step(folder, "metrics") for folder in dense_and_sparse)
    assert list(whole) == list(range(1, 46)) and sum(row["merged"] for row in whole.values()) == 0
    assert len(sparse) + sum(row["merged"] for row in sparse.values()) == 45
    before = 0
    for step, row in sparse.items():
        assert row["loss"] == pytest.approx(sum(whole[at]["loss"] for at in range(before + 1, step + 1)) / (step - before), abs=0)
        assert row["merged"] == step - before - 1
        before = step
    kept = [step for step, row in sparse.items() if row["validation_bits_per_byte"] is not None]
    assert kept == [7, 14, 21, 28, 35, 42]


def test_the_training_is_the_same_whatever_is_written_of_it(dense_and_sparse):
    weights = [sorted(folder.checkpoints.glob("*/model.safetensors"))[-1].read_bytes() for folder in dense_and_sparse]
    assert weights[0] == weights[1]


def test_a_resumed_run_reports_at_the_steps_of_one_that_went_on(dense_and_sparse, tmp_path, monkeypatch):
    rarer_after(4, monkeypatch)
    folder = new(small(**RUN), tmp_path / "run")
    advance = reporting.Reporter.count
    counted = []

    def cut(reporter, loss, *seconds):
        counted.append(loss)
        if len(counted) == 23:
            raise KeyboardInterrupt
        advance(reporter, loss, *seconds)

    monkeypatch.setattr(reporting.Reporter, "count", cut)
    with pytest.raises(KeyboardInterrupt):
        train(folder)
    train(folder)
    strip = ("attempt", "time", "elapsed", "tokens_per_second", "data_seconds", "memory")
    for name in ("metrics", "levels"):
        keys = ["level", "memory"] if name == "levels" else []
        told = [[{k: v for k, v in row.items() if k not in strip or name == "levels" and k == "memory"} for row in
                 latest(records(getattr(one, name)), *keys)] for one in (dense_and_sparse[1], folder)]
        assert json.dumps(told[0]) == json.dumps(told[1])
