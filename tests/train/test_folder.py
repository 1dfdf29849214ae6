"""The run folder: whole lines, the lines that count, and one trainer at a time."""

import errno
import json
import os
import subprocess
import sys
import time

import pytest
from filelock import lock_descriptor

from nlcore.train import TrainError
from nlcore.train.folder import RunFolder, free, held, is_locked, locked, write_json
from nlcore.train.records import read_json

HOLD = """
import sys
import time
from nlcore.train.folder import RunFolder, locked
with locked(RunFolder(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path):
    """Another process that holds the lock of tmp_path."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_json_is_replaced_in_one_step_and_leaves_nothing_behind(tmp_path):
    write_json(tmp_path / "a.json", {"n": 1})
    write_json(tmp_path / "a.json", {"n": 2})
    assert read_json(tmp_path / "a.json") == {"n": 2} and read_json(tmp_path / "none") == {}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    (tmp_path / "a.json").write_text('{"n"')
    with pytest.raises(TrainError, match="is damaged"):
        read_json(tmp_path / "a.json")


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(TrainError, match="cannot be made"):
        RunFolder(tmp_path / "file").create()


def test_the_next_free_name(tmp_path):
    assert [free("tiny", tmp_path).path.name for _ in range(3)] == ["tiny-1", "tiny-2", "tiny-3"]


def test_a_second_trainer_is_refused_in_one_sentence(tmp_path, holder):
    folder = RunFolder(tmp_path)
    assert is_locked(folder)
    with pytest.raises(TrainError, match=f"is being trained by process {holder.pid} on .*: stop that run first"):
        with locked(folder):
            pass


def test_the_lock_of_a_killed_process_is_free(tmp_path, holder):
    holder.kill()
    holder.wait()
    folder = RunFolder(tmp_path)
    assert not is_locked(folder)
    with locked(folder):
        assert is_locked(folder)
    assert not is_locked(folder)


def test_a_look_at_the_lock_changes_nothing_and_another_look_is_no_trainer(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path)
    assert not is_locked(folder) and list(tmp_path.iterdir()) == []
    with locked(folder):
        pass
    owner = folder.lock.read_bytes()
    with open(folder.lock, "rb") as file:
        assert lock_descriptor(file.fileno(), blocking=False)
        monkeypatch.setattr(time, "sleep", lambda _: file.close())  # the other reader has seen enough
        assert not is_locked(folder)
    assert folder.lock.read_bytes() == owner


def test_a_file_is_held_by_one_at_a_time(tmp_path):
    with held(tmp_path / "a") as file:
        file.write(b"mine")
        with pytest.raises(BlockingIOError, match="locked by another"), held(tmp_path / "a", patience=0.0):
            pass
    with held(tmp_path / "a", patience=0.0):
        assert (tmp_path / "a").read_bytes() == b"mine"


def test_json_that_cannot_be_written_leaves_the_old_one_alone(tmp_path):
    write_json(tmp_path / "a.json", {"n": 1})
    with pytest.raises(TypeError):
        write_json(tmp_path / "a.json", {"n": object()})
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"] and json.loads((tmp_path / "a.json").read_text()) == {"n": 1}


def test_a_reader_that_has_the_file_open_on_windows_only_delays_a_writer(tmp_path, monkeypatch):
    write_json(tmp_path / "a.json", {"n": 1})
    replace, refusals = os.replace, [PermissionError("in use")] * 3

    def busy(one, other):
        if refusals:
            raise refusals.pop()
        replace(one, other)

    monkeypatch.setattr(os, "replace", busy)
    with pytest.raises(PermissionError):
        write_json(tmp_path / "a.json", {"n": 2})
    monkeypatch.setattr("nlcore.train.folder.WINDOWS", True)
    write_json(tmp_path / "a.json", {"n": 3})
    assert json.loads((tmp_path / "a.json").read_text()) == {"n": 3}


def test_a_disk_that_has_no_locks_is_no_traceback_for_a_reader(tmp_path, monkeypatch):
    def none(*_, **__):
        raise OSError(errno.EBADF, "Bad file descriptor")

    folder = RunFolder(tmp_path)
    folder.lock.touch()
    monkeypatch.setattr("nlcore.train.folder.lock_descriptor", none)
    assert is_locked(folder)
