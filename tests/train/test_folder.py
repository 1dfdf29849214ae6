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
from nlcore.train.folder import RunFolder, Tail, append, free, held, is_locked, latest, locked, read_json, records, write_json

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


def test_lines_come_back_in_order(tmp_path):
    for number in range(3):
        append(tmp_path / "a", {"n": number, "text": "line\nbreak ü"})
    assert [line["n"] for line in records(tmp_path / "a")] == [0, 1, 2]
    assert records(tmp_path / "a")[0]["text"] == "line\nbreak ü"
    assert records(tmp_path / "missing") == []


def test_a_cut_last_line_is_skipped_and_the_next_line_is_whole(tmp_path):
    path = tmp_path / "a"
    append(path, {"n": 1})
    with open(path, "ab") as file:
        file.write('{"n": 2, "text": "ü'.encode()[:-1])
    assert records(path) == [{"n": 1}]
    append(path, {"n": 3})
    assert records(path) == [{"n": 1}, {"n": 3}]


def test_a_tail_gives_each_line_once_and_waits_for_its_end(tmp_path):
    path, tail = tmp_path / "a", Tail(tmp_path / "a")
    assert tail.lines() == []
    path.write_text("one\ntwo\nthr")
    assert tail.lines() == ["one", "two"] and tail.lines() == []
    path.write_text("one\ntwo\nthree\n")
    assert tail.lines() == ["three"]


def test_of_one_step_the_latest_line_counts_and_a_resume_takes_back_what_it_does_again():
    def line(step, attempt, level="a"):
        return {"step": step, "attempt": attempt, "level": level}

    first = [line(step, 1) for step in (2, 4, 6, 8)]
    assert latest([*first, line(4, 2)]) == [line(2, 1), line(4, 2)]
    assert latest([*first, line(4, 2), line(6, 2)])[1:] == [line(4, 2), line(6, 2)]
    both = [line(2, 1, "a"), line(2, 1, "b")]
    assert latest(both, "level") == both and latest(both) == both[1:]


def test_json_is_replaced_in_one_step_and_leaves_nothing_behind(tmp_path):
    write_json(tmp_path / "a.json", {"n": 1})
    write_json(tmp_path / "a.json", {"n": 2})
    assert read_json(tmp_path / "a.json") == {"n": 2} and read_json(tmp_path / "none") == {}
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
    (tmp_path / "a.json").write_text('{"n"')
    with pytest.raises(TrainError, match="is not whole"):
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
