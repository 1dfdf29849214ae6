"""Following a file that grows: whole lines only, once each, and those of the latest attempt."""

import json
from pathlib import Path

import pytest

from nlcore.train.records import append, latest, records
from nlcore.viz.dashboard import lines
from nlcore.viz.dashboard.lines import Lines


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "metrics.jsonl"


def write(path: Path, steps: range, attempt: int = 1) -> None:
    for step in steps:
        append(path, {"step": step, "attempt": attempt, "loss": step + attempt / 10})


def take_all(file: Lines) -> list[dict]:
    """As a dashboard does: what comes, forgetting when told to."""
    kept: list[dict] = []
    while True:
        found, again = file.poll()
        kept = found if again else kept + found
        if not file.more:
            return kept


def test_a_file_that_is_not_there_has_no_lines(path):
    assert Lines(path).poll() == ([], False)


def test_each_line_comes_once(path):
    file = Lines(path)
    write(path, range(1, 4))
    assert [r["step"] for r in file.poll()[0]] == [1, 2, 3]
    write(path, range(4, 5))
    assert [r["step"] for r in file.poll()[0]] == [4]
    assert file.poll() == ([], False)


def test_a_cut_last_line_waits_until_it_is_whole(path):
    file = Lines(path)
    whole = json.dumps({"step": 1, "attempt": 1})
    path.write_text(whole[:9])
    assert file.poll() == ([], False)
    path.write_text(whole + "\n")
    assert [r["step"] for r in file.poll()[0]] == [1]
    assert file.spoilt == 0


def test_lines_that_cannot_be_read_are_left_out_and_counted(path):
    file = Lines(path)
    path.write_text('{"step": 1, "att\n[3]\n\n{"step": 2, "attempt": 1}\n')
    assert [r["step"] for r in file.poll()[0]] == [2]
    assert file.spoilt == 2


def test_an_attempt_that_went_back_replaces_what_was_read(path):
    file = Lines(path)
    write(path, range(1, 8))
    assert len(take_all(file)) == 7
    write(path, range(5, 10), attempt=2)
    write(path, range(9, 11), attempt=3)
    assert take_all(file) == latest(records(path))
    assert take_all(Lines(path)) == latest(records(path))


def test_an_attempt_that_goes_on_replaces_nothing(path):
    file = Lines(path)
    write(path, range(1, 4))
    file.poll()
    write(path, range(4, 6), attempt=2)
    found, again = file.poll()
    assert [r["step"] for r in found] == [4, 5] and not again


def test_a_large_file_is_read_in_parts(path, monkeypatch):
    monkeypatch.setattr(lines, "PART", 256)
    write(path, range(1, 101))
    file = Lines(path)
    first = file.poll()[0]
    assert 1 <= len(first) < 10 and file.more
    assert first + take_all(file) == records(path)


def test_another_file_under_the_same_name_is_read_from_its_beginning(path):
    file = Lines(path)
    write(path, range(1, 20))
    file.poll()
    path.unlink()
    write(path, range(1, 3))
    found, again = file.poll()
    assert [r["step"] for r in found] == [1, 2] and again
