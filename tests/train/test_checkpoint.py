"""Checkpoints: whole, the newest that is whole, and not too many."""

import errno
import os
import shutil
from contextlib import nullcontext

import pytest
import torch

from nlcore.train import checkpoint


def save(folder, step, keep=3):
    state = {"step": step, "random": torch.get_rng_state(), "none": None, "list": [None, torch.ones(2)], "window": {"a": 0.5}}
    return checkpoint.save(folder, step, {"w": torch.full((1000,), float(step))}, state, keep)


def newest(folder):
    said = []
    return checkpoint.newest(folder, said.append), said


def test_round_trip_and_the_last_ones_are_kept(tmp_path):
    for step in (5, 50, 500, 5000):
        save(tmp_path, step, keep=2)
    assert [path.name for path in checkpoint.steps(tmp_path)] == ["step-00000500", "step-00005000"]
    found, said = newest(tmp_path)
    assert said == [] and found.path.name == "step-00005000"
    assert torch.equal(found.weights["w"], torch.full((1000,), 5000.0))
    assert found.state["step"] == 5000 and torch.equal(found.state["list"][1], torch.ones(2))


def test_none_where_there_is_none(tmp_path):
    assert newest(tmp_path / "checkpoints") == (None, [])


def cut(path):
    path.write_bytes(path.read_bytes()[:-20])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def remove(path):
    path.unlink()


@pytest.mark.parametrize("file", [checkpoint.WEIGHTS, checkpoint.STATE, checkpoint.DIGESTS])
@pytest.mark.parametrize("damage", [cut, flip, remove])
def test_a_damaged_one_is_passed_over_with_a_sentence(tmp_path, file, damage):
    save(tmp_path, 1)
    damage(save(tmp_path, 2) / file)
    found, said = newest(tmp_path)
    assert found.path.name == "step-00000001"
    assert len(said) == 1 and "step-00000002 is damaged and is passed over" in said[0]


def test_one_half_written_is_not_there_and_goes_with_the_next(tmp_path):
    half = tmp_path / ".step-00000007"
    half.mkdir()
    (half / checkpoint.WEIGHTS).write_bytes(b"half")
    assert newest(tmp_path) == (None, [])
    save(tmp_path, 8)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000008"]


def test_a_step_saved_again_takes_the_place_of_the_old_one(tmp_path):
    flip(save(tmp_path, 4) / checkpoint.STATE)
    save(tmp_path, 4)
    assert newest(tmp_path)[0].state["step"] == 4 and newest(tmp_path)[1] == []


def test_a_copy_of_the_readers_is_never_deleted_and_never_resumed_from(tmp_path):
    theirs = ("step-best", "step-00000004-mine", "step-4", "step-000000009", ".step-notes")
    for name in theirs:
        shutil.copytree(save(tmp_path, 4), tmp_path / name)
    (tmp_path / "step-00000099").write_text("a file")
    for step in (5, 6, 7):
        save(tmp_path, step, keep=1)
    assert {path.name for path in tmp_path.iterdir()} == {*theirs, "step-00000099", "step-00000007"}
    assert newest(tmp_path)[0].state["step"] == 7


def test_order_is_by_step_beyond_eight_digits(tmp_path):
    for step in (99_999_999, 100_000_000):
        save(tmp_path, step, keep=1)
    assert [path.name for path in checkpoint.steps(tmp_path)] == ["step-100000000"]


def test_a_name_that_does_not_stand_for_its_content_is_passed_over(tmp_path):
    shutil.copytree(save(tmp_path, 4), tmp_path / "step-00000040")
    found, said = newest(tmp_path)
    assert found.state["step"] == 4 and "step-00000040 is damaged and is passed over" in said[0]


@pytest.mark.parametrize("keep", [1, 3])
def test_what_is_written_below_damaged_ones_stays(tmp_path, keep):
    for step in (10, 20, 30):
        flip(save(tmp_path, step) / checkpoint.STATE)
    for step in (1, 2, 3, 4):
        save(tmp_path, step, keep)
        assert newest(tmp_path)[0].state["step"] == step
    assert len([path for path in checkpoint.steps(tmp_path) if path.name < "step-00000010"]) == keep
    save(tmp_path, 31, keep)
    assert newest(tmp_path)[0].state["step"] == 31 and newest(tmp_path)[1] == []


def test_a_damaged_one_is_not_counted_among_those_that_are_kept(tmp_path):
    save(tmp_path, 1)
    flip(save(tmp_path, 2) / checkpoint.WEIGHTS)
    save(tmp_path, 3, keep=2)
    assert [path.name[-1] for path in checkpoint.steps(tmp_path)] == ["1", "2", "3"]
    save(tmp_path, 4, keep=2)
    assert [path.name[-1] for path in checkpoint.steps(tmp_path)] == ["3", "4"]


@pytest.mark.parametrize("killed_at", [1, 2])
def test_a_step_saved_again_is_on_the_disk_at_every_moment(tmp_path, monkeypatch, killed_at):
    """A kill before or after the second rename: what was there, or what was to come, is found by the next start."""
    save(tmp_path, 4, keep=1)
    rename, done = os.rename, []

    def killed(one, other):
        if len(done) == killed_at:
            raise KeyboardInterrupt
        done.append(rename(one, other))

    monkeypatch.setattr(checkpoint.os, "rename", killed)
    monkeypatch.setattr(checkpoint.shutil, "rmtree", lambda *_, **__: done.append(None))
    with pytest.raises(KeyboardInterrupt) if killed_at == 1 else nullcontext():
        save(tmp_path, 4, keep=1)
    monkeypatch.undo()
    checkpoint.tidy(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000004"]
    assert newest(tmp_path)[0].state["step"] == 4


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("file write failed")])
def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch, error):
    def fail(*_):
        raise error

    save(tmp_path, 1)
    monkeypatch.setattr(checkpoint.torch, "save", fail)
    monkeypatch.setattr(checkpoint.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 0))
    with pytest.raises(OSError, match="step-00000002") as caught:
        save(tmp_path, 2)
    assert caught.value.errno == errno.ENOSPC
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001"]


def test_one_that_may_not_be_read_is_not_called_damaged(tmp_path, monkeypatch):
    def refuse(_):
        raise PermissionError(errno.EACCES, "Permission denied")

    save(tmp_path, 1)
    monkeypatch.setattr(checkpoint, "digest", refuse)
    with pytest.raises(PermissionError):
        newest(tmp_path)


@pytest.mark.parametrize("text", ["[1]", "{}", "3", "[" * 100_000, '{"model.safetensors": 1, "state.pt": 2}'])
def test_digests_of_another_shape_are_damage(tmp_path, text):
    save(tmp_path, 1)
    (save(tmp_path, 2) / checkpoint.DIGESTS).write_text(text)
    found, said = newest(tmp_path)
    assert found.state["step"] == 1 and "step-00000002 is damaged" in said[0] and "\n" not in said[0]


def test_folders_are_not_synced_where_the_system_cannot(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint.os, "open", None)
    monkeypatch.setattr(checkpoint, "WINDOWS", True)
    assert save(tmp_path, 1).exists()
