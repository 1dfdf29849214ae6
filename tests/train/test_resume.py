"""Resuming: bitwise, from the newest whole checkpoint, with all that was steered, and never by mistake."""

import pytest

from nlcore.train import TrainError, checkpoint, new, train
from nlcore.train.control import send
from nlcore.train.records import read_json, records
from nlcore.train.loop import Trainer
from tests.train.small import equal_runs, last, small


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 12 steps that nothing disturbed."""
    folder = new(small(), tmp_path_factory.mktemp("whole") / "run")
    train(folder)
    return folder


def stopped_at_7(path, monkeypatch):
    """The folder of a run of 12 steps that was stopped after 7."""
    folder = new(small(), path)
    advance = Trainer.advance

    def advance_and_stop_at_7(trainer):
        advance(trainer)
        trainer.leave = trainer.leave or (trainer.step == 7)

    monkeypatch.setattr(Trainer, "advance", advance_and_stop_at_7)
    assert train(folder)["state"] == "stopped" and last(folder).state["step"] == 7
    monkeypatch.undo()
    return folder


def test_stopped_and_resumed_equals_not_stopped(tmp_path, whole, monkeypatch):
    folder = stopped_at_7(tmp_path, monkeypatch)
    assert train(folder)["state"] == "done"
    assert equal_runs(folder, whole)
    assert {line["attempt"] for line in records(folder.metrics)} == {1, 2}


def test_the_last_gradients_are_used_and_a_longer_run_counts_periods_from_there(tmp_path):
    folder = new(small(steps=10, checkpoint_every=10), tmp_path)  # cms-1 fires at 4 and 8: two gradients are left
    train(folder)
    state = last(folder).state["optimizer"]
    assert set(state["calls"].values()) == {0} and set(state["clock"]["fired"].values()) == {10}
    train(folder, steps=15)
    fired = [line["step"] for line in records(folder.levels) if line["level"] == "cms-1" and line["fired"]]
    assert fired == [4, 8, 10, 14, 15], "the next period is counted from 10"
    assert last(folder).state["optimizer"]["clock"]["fired"]["cms-1"] == 15


def test_a_damaged_checkpoint_is_passed_over_and_the_end_is_the_same(tmp_path, whole):
    folder = new(small(), tmp_path)
    train(folder)
    (checkpoint.steps(folder.checkpoints)[-1] / checkpoint.WEIGHTS).write_bytes(b"damaged")
    train(folder)
    assert equal_runs(folder, whole)
    log = folder.log.read_text()
    assert "step-00000012 is damaged and is passed over" in log and "from step 8," in log


def test_a_setting_after_the_checkpoint_comes_back_at_its_step(tmp_path, monkeypatch):
    advance = Trainer.advance

    def disturbed(trainer):
        advance(trainer)
        if trainer.status.fields["attempt"] == 1 and trainer.step == 5:
            send(trainer.folder, "lr_scale", value=0.1)
            send(trainer.folder, "resume")
        if trainer.folder.path.name == "cut" and trainer.status.fields["attempt"] == 1 and trainer.step == 7:
            raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "advance", disturbed)
    undisturbed, cut = (new(small(), tmp_path / name) for name in ("whole", "cut"))
    train(undisturbed)
    with pytest.raises(KeyboardInterrupt):
        train(cut)
    assert read_json(cut.status)["state"] == "stopped" and last(cut).state["step"] == 4
    train(cut)
    assert equal_runs(cut, undisturbed)
    assert [(line["number"], line["step"], line["attempt"]) for line in records(cut.applied)] == [(1, 6, 1), (2, 6, 1), (1, 6, 2)]


def test_settings_outlive_a_stop(tmp_path):
    folder = new(small(steps=4), tmp_path)
    send(folder, "lr_scale", value=0.25)
    send(folder, "level_lr", "memory", 0.5)
    send(folder, "level_lr", "cms-2", 0.125)
    train(folder)
    train(folder, steps=5)
    state = last(folder).state
    assert state["steering"] == {"lr_scale": 0.25, "memory_rate": 0.5}
    assert state["optimizer"]["scales"]["cms-2"] == 0.125 and state["command"] == 3
    assert len(records(folder.applied)) == 3


def test_a_finished_run_is_left_alone_unless_it_gets_more_steps(tmp_path):
    folder = new(small(steps=4), tmp_path)
    train(folder)
    with pytest.raises(TrainError, match="has finished its 4 steps: add --steps"):
        train(folder)
    status = read_json(folder.status)
    assert status["state"] == "done" and "has finished its 4 steps" in status["sentence"]
    with pytest.raises(TrainError, match="has finished its 4 steps"):
        train(folder, steps=3, lr=0.5)
    assert read_json(folder.config)["config"]["preset"]["steps"] == 4  # what is refused changes nothing
    assert train(folder, steps=6)["result"]["steps"] == 6
    assert read_json(folder.config)["config"]["preset"]["steps"] == 6


def test_another_text_is_refused_unless_accepted(tmp_path):
    text = tmp_path / "text"
    text.write_text("one text, and again. " * 200)
    folder = new(small(data=str(text), steps=4), tmp_path / "run")
    train(folder)
    text.write_text("another text, now. " * 300)
    with pytest.raises(TrainError, match="name that text with --data, or add --accept-data"):
        train(folder, steps=6)
    status = read_json(folder.status)
    assert status["state"] == "done" and "add --accept-data" in status["sentence"]
    assert train(folder, accept_data=True, steps=6)["state"] == "done"
    assert last(folder).state["batches"]["position"] == 4  # two steps of the new text


@pytest.mark.parametrize("choices", [dict(batch=4), dict(model="transformer"), dict(seed=2)])
def test_what_belongs_to_the_weights_cannot_change(whole, choices):
    with pytest.raises(TrainError, match=f"A run's {next(iter(choices))} cannot change"):
        train(whole, **choices)


def test_gradients_that_are_left_where_fewer_steps_end_a_stopped_run_are_used(tmp_path, monkeypatch):
    """Stopped at 7 of 12, and ended there: the slow levels, which gather over 2 and 4 steps, fire after all."""
    folder = stopped_at_7(tmp_path, monkeypatch)
    assert any(last(folder).state["optimizer"]["calls"].values())
    assert train(folder, steps=7)["state"] == "done"
    state = last(folder).state
    assert state["step"] == 7 and not any(state["optimizer"]["calls"].values())


def test_the_last_rows_know_that_every_level_fired(tmp_path):
    folder = new(small(steps=10), tmp_path / "run")
    train(folder)
    rows = [row for row in records(folder.levels) if row["step"] == 10 and row["level"] == "cms-1"]
    assert rows and rows[0]["fired"] and last(folder).state["optimizer"]["clock"]["fired"]["cms-1"] == 10
