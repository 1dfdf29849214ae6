"""status.json tells the truth: by a clock that only goes on, with no room on the disk, and when it was lost itself."""

import errno
import shutil
import time

import pytest

from nlcore.train import TrainError, attach, checkpoint, new, train
from nlcore.train.folder import RunFolder, locked, write_json
from nlcore.train.records import read_json, records
from nlcore.train.loop import Trainer
from nlcore.train.status import Status, read_status
from tests.train.small import last, small


def fails_after(monkeypatch, step, do):
    """The trainer does something once it has made so many steps."""
    advance = Trainer.advance

    def disturbed(trainer):
        advance(trainer)
        if trainer.step == step:
            do()

    monkeypatch.setattr(Trainer, "advance", disturbed)


def test_the_heart_beats_on_when_the_clock_is_set_back(tmp_path, monkeypatch):
    folder, ticks = RunFolder(tmp_path), iter(range(100))
    monkeypatch.setattr(time, "monotonic", lambda: next(ticks))
    monkeypatch.setattr(time, "time", lambda now=time.time(): now - 3600 * next(ticks))
    status = Status(folder)
    for step in range(3):
        status.beat(state="training", step=step)
        assert read_json(folder.status)["step"] == step


def test_a_beat_is_left_out_if_the_last_one_is_recent(tmp_path, monkeypatch):
    monkeypatch.setattr(time, "monotonic", lambda: 5.0)
    status = Status(RunFolder(tmp_path))
    for step in range(3):
        status.beat(state="training", step=step)
    assert read_json(tmp_path / "status.json")["step"] == 0


@pytest.mark.parametrize("age, state", [(0.0, "starting"), (30.0, "starting"), (90.0, "lost"), (-3600.0, "lost")])
def test_a_start_that_takes_too_long_is_lost_whatever_the_clock_says(tmp_path, age, state):
    write_json(tmp_path / "status.json", {"state": "starting", "heartbeat": time.time() - age})
    assert read_status(RunFolder(tmp_path))["state"] == state


def test_a_heartbeat_that_is_no_time_is_no_obstacle(tmp_path):
    write_json(tmp_path / "status.json", {"state": "starting", "heartbeat": "now"})
    assert read_status(RunFolder(tmp_path))["state"] == "lost"


@pytest.mark.parametrize("text", ["", "{", '{"state": "done"', "\0\0\0\0"])
def test_a_status_that_is_lost_is_no_obstacle_and_attempts_count_on(tmp_path, text):
    folder = new(small(steps=2), tmp_path / "run")
    train(folder)
    train(folder, steps=4)
    folder.status.write_text(text)
    assert read_status(folder) == {}
    assert train(folder, steps=6)["attempt"] == 3
    assert [line["step"] for line in attach(folder.path).metrics()] == [2, 4, 6]
    folder.status.unlink()
    assert train(folder, steps=8)["attempt"] == 4
    assert [line["attempt"] for line in records(folder.metrics)] == [1, 2, 3, 4]


def test_half_written_files_of_a_killed_trainer_go_with_the_next_start(tmp_path):
    folder = new(small(steps=2), tmp_path / "run")
    folder.checkpoints.mkdir()
    (folder.checkpoints / ".step-00000001").mkdir()
    for name in (".status.json.123", ".config.json.45", ".status.json.mine", ".notes"):
        (folder.path / name).write_text("half")
    train(folder)
    hidden = {path.name for path in folder.path.iterdir() if path.name.startswith(".")}
    assert hidden == {".status.json.mine", ".notes"}
    assert [path.name for path in folder.checkpoints.iterdir()] == ["step-00000002"]


def test_a_full_disk_is_called_one_and_the_checkpoint_before_is_there(tmp_path, monkeypatch):
    folder = new(small(), tmp_path / "run")
    write = checkpoint._write

    def full(path, weights, state):
        if state["step"] == 8:
            (path / "half").write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")
        write(path, weights, state)

    monkeypatch.setattr(checkpoint, "_write", full)
    with pytest.raises(TrainError, match="run: there is no space left on the disk: make room"):
        train(folder)
    status = read_status(folder)
    assert status["state"] == "failed" and "no space left on the disk" in status["sentence"]
    assert "no space left on the disk" in folder.log.read_text()
    assert [path.name for path in folder.checkpoints.iterdir()] == ["step-00000004"]


def test_where_the_full_disk_takes_no_note_the_reader_says_it(tmp_path, monkeypatch):
    folder = new(small(), tmp_path / "run")

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "a file")

    fails_after(monkeypatch, 5, lambda: monkeypatch.setattr("nlcore.train.status.write_json", full))
    monkeypatch.setattr("nlcore.train.status.HEARTBEAT", 0.0)
    with pytest.raises(TrainError, match="^a file: there is no space left on the disk"):
        train(folder)
    monkeypatch.setattr("nlcore.train.folder.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 0))
    status = read_status(folder)
    assert status["state"] == "lost" and "no space left on the disk" in status["sentence"]


@pytest.mark.parametrize("removed", [False, True])
def test_a_folder_that_is_gone_is_said_and_not_made_again(tmp_path, monkeypatch, removed):
    folder = new(small(), tmp_path / "run")
    away = (lambda: shutil.rmtree(folder.path)) if removed else (lambda: folder.path.rename(tmp_path / "moved"))
    fails_after(monkeypatch, 7, away)
    with pytest.raises(TrainError, match="was renamed or removed during the training"):
        train(folder)
    assert not folder.path.exists()
    if not removed:
        monkeypatch.undo()
        assert train(RunFolder(tmp_path / "moved"))["state"] == "done"


def test_a_step_that_is_saved_already_is_not_written_again(tmp_path, monkeypatch):
    folder, steps, save = new(small(), tmp_path / "run"), [], checkpoint.save
    monkeypatch.setattr(checkpoint, "save", lambda path, step, *rest: steps.append(step) or save(path, step, *rest))
    train(folder)
    assert steps == [4, 8, 12] and last(folder).state["step"] == 12


def test_a_finished_run_that_fails_as_it_trains_again_has_failed(tmp_path, monkeypatch):
    folder = new(small(steps=4), tmp_path / "run")
    train(folder)

    def fail():
        raise TrainError("Step 5 went wrong.")

    fails_after(monkeypatch, 5, fail)
    with pytest.raises(TrainError, match="Step 5"):
        train(folder, steps=8)
    assert read_status(folder)["state"] == "failed"


def test_done_stays_done_when_a_run_that_was_started_again_refuses(tmp_path):
    folder = new(small(steps=4), tmp_path / "run")
    train(folder)
    Status(folder).set(state="starting", sentence="")  # as `resume` leaves it for its process
    with pytest.raises(TrainError, match="has finished"):
        train(folder)
    assert read_status(folder)["state"] == "done" and read_json(folder.status)["result"]["steps"] == 4
    with locked(folder), pytest.raises(TrainError, match="is being trained"):
        train(folder)
    assert read_status(folder)["state"] == "done"


def test_what_the_system_refuses_at_the_start_is_one_sentence(tmp_path, monkeypatch):
    folder = new(small(), tmp_path / "run")

    def refuse(*_, **__):
        raise PermissionError(errno.EACCES, "Permission denied", "a file")

    monkeypatch.setattr("nlcore.train.status.write_json", refuse)
    with pytest.raises(TrainError, match="^a file: permission was denied"):
        train(folder)
    monkeypatch.setattr("nlcore.train.config_file.write_json", refuse)
    with pytest.raises(TrainError, match="^a file: permission was denied"):
        new(small(), tmp_path / "other")
