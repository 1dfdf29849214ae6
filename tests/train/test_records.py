"""Reading what a run's files hold: whole records of the right shape, whatever else is in the file."""

import json
import os
import random

import pytest

from nlcore.train import TrainError, attach, new
from nlcore.train import records as module
from nlcore.train.records import SHAPES, Tail, append, latest, opened, parse, read_json, records
from nlcore.viz.dashboard.lines import Lines
from tests.train.small import small

SAMPLE = {"step": 2, "attempt": 1, "prompt": "line\nbreak ü", "text": ""}
DEEP = "[" * 100_000
LONE = '{"step": 2, "attempt": 1, "prompt": "\\ud800", "text": ""}'


@pytest.fixture
def path(tmp_path):
    return tmp_path / "samples.jsonl"


def test_lines_come_back_in_order(path):
    for step in range(3):
        append(path, SAMPLE | {"step": step, "more": [step]})
    assert records(path) == [SAMPLE | {"step": step, "more": [step]} for step in range(3)]


def test_a_cut_last_line_is_skipped_and_the_next_line_is_whole(path):
    append(path, SAMPLE)
    with open(path, "ab") as file:
        file.write('{"step": 3, "prompt": "ü'.encode()[:-1])
    assert records(path) == [SAMPLE]
    append(path, SAMPLE | {"step": 5})
    assert [line["step"] for line in records(path)] == [2, 5]


@pytest.mark.parametrize(
    "line",
    ["", "null", "5", "[1]", "{}", "{", DEEP, LONE, "\0", '{"step": 2}', *(
        json.dumps(SAMPLE | change)
        for change in ({"step": "2"}, {"step": True}, {"step": 2.0}, {"attempt": None}, {"prompt": 3}, {"step": 10**30})
    )],
)
def test_a_line_of_another_shape_costs_itself_alone(path, line):
    append(path, SAMPLE)
    with open(path, "a") as file:
        file.write(line + "\n")
    append(path, SAMPLE | {"step": 4})
    assert [found["step"] for found in records(path)] == [2, 4]


def test_a_field_that_may_be_none_may_be_missing(tmp_path):
    append(tmp_path / "metrics.jsonl", {"step": 1, "attempt": 1, "loss": 2.0})
    assert records(tmp_path / "metrics.jsonl")[0]["lr"] is None


def test_a_tail_gives_each_line_once_and_waits_for_its_end(path):
    tail = Tail(path)
    assert tail.lines() == []
    path.write_text("one\ntwo\nthr")
    assert tail.lines() == ["one", "two"] and tail.lines() == []
    path.write_text("one\ntwo\nthree\n")
    assert tail.lines() == ["three"]
    path.write_text("new\n")  # emptied and begun again
    assert tail.lines() == ["new"]


def random_file(draw):
    """What may happen to a file: lines of attempts that go back, spoilt ones, cut ones, another file in its place."""
    data, attempt, step = b"", 1, 0
    while True:
        what = draw.random()
        if what < 0.1:
            attempt, step = attempt + 1, draw.randrange(step + 1)
        elif what < 0.2:
            data += draw.choice((b"nonsense\n", b"[1]\n", b'{"step": 3, "att\n', b"\n", b'\xff\n'))
        elif what < 0.22:
            data, attempt, step = b"", 1, 0
        elif what < 0.25:  # as a power cut may leave it, before another attempt
            data, attempt, step = data[: draw.randrange(len(data) + 1)], attempt + 1, draw.randrange(step + 1)
        step += draw.randrange(3)
        line = {"step": step, "attempt": attempt, "time": draw.random(), "loss": draw.random()}
        data += json.dumps(line | {"number": 1}).encode() + b"\n"
        yield data[: len(data) - draw.choice((0, 0, 0, 5, 1))]


@pytest.mark.parametrize("seed", range(6))
def test_what_is_followed_is_what_a_fresh_read_finds(tmp_path, seed, monkeypatch):
    monkeypatch.setattr(module, "PART", 1 << (8 + 2 * seed))
    path, draw = tmp_path / "metrics.jsonl", random.Random(seed)
    followed = module.Followed(path)
    shown = Lines(path)
    kept = []
    for _, data in zip(range(150), random_file(draw)):
        if draw.random() < 0.5:  # in place, as one that appends, or as a whole new file, as a sync does
            path.write_bytes(data)
        else:
            (tmp_path / "new").write_bytes(data)
            os.replace(tmp_path / "new", path)
        if draw.random() < 0.6:
            assert followed.records() == latest(records(path))
            more = True
            while more:
                found, again = shown.poll()
                kept, more = found if again else kept + found, shown.more
            assert latest(kept) == latest(records(path))


def test_only_new_bytes_are_read(tmp_path, monkeypatch):
    path, read = tmp_path / "metrics.jsonl", [0]

    class Counted:
        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            self.file.close()

        def read(self, size=-1):
            data = self.file.read(size)
            read[0] += len(data)
            return data

    monkeypatch.setattr(module, "opened", lambda path: Counted(found) if (found := opened(path)) else None)
    followed, shown = module.Followed(path), Lines(path)
    for step in range(1, 501):
        append(path, {"step": step, "attempt": 1, "time": step / 7})
    for reader in (followed.records, shown.poll):
        read[0] = 0
        reader()
        assert read[0] == path.stat().st_size
    append(path, {"step": 501, "attempt": 1})
    copied = path.read_bytes()
    path.unlink()
    path.write_bytes(copied)  # the same file, copied anew
    for reader in (followed.records, shown.poll):
        read[0] = 0
        reader()
        reader()
        assert read[0] < 2 * module.BOOKMARK + 100 and len(followed.records()) == 501
    followed.records()[0]["step"] = 7  # the caller's own
    assert followed.records()[0]["step"] == 1
    read[0] = 0
    long = tmp_path / "surprise.jsonl"
    monkeypatch.setattr(module, "PART", 1000)
    with open(long, "w") as file:
        for step in range(1000):
            file.write(json.dumps({"step": step, "attempt": 1, "tokens": [], "surprise": [], "eta": [], "alpha": []}) + "\n")
    assert module.last(long)[-1]["step"] == 999 and read[0] == 1000


def test_of_one_step_the_latest_line_counts_and_a_resume_takes_back_what_it_does_again():
    def line(step, attempt, level="a"):
        return {"step": step, "attempt": attempt, "level": level}

    first = [line(step, 1) for step in (2, 4, 6, 8)]
    assert latest([*first, line(4, 2)]) == [line(2, 1), line(4, 2)]
    assert latest([*first, line(4, 2), line(6, 2)])[1:] == [line(4, 2), line(6, 2)]
    both = [line(2, 1, "a"), line(2, 1, "b")]
    assert latest(both, "level") == both and latest(both) == both[1:]


@pytest.mark.parametrize("make", [lambda path: path.mkdir(), lambda path: os.mkfifo(path)], ids=["folder", "pipe"])
@pytest.mark.parametrize("name", SHAPES)
def test_what_is_no_file_has_no_lines(tmp_path, name, make):
    make(tmp_path / name)
    assert records(tmp_path / name) == []


@pytest.mark.parametrize("name", [*SHAPES, "log.txt", "status.json"])
def test_a_run_is_read_though_a_folder_stands_where_a_file_should(tmp_path, name):
    folder = new(small(), tmp_path / "run")
    (folder.path / name).unlink(missing_ok=True)
    (folder.path / name).mkdir()
    run = attach(folder.path)
    assert run.metrics() == run.levels() == run.surprise() == run.samples() == run.applied() == []
    assert run.log_tail() == "" and isinstance(run.status(), dict)


@pytest.mark.parametrize("text", ["", "null", "[1]", "5", DEEP, '{"n"', "\0"])
def test_a_file_that_holds_no_object_gets_one_sentence(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(TrainError, match="is damaged"):
        read_json(tmp_path / "a.json")
    assert not isinstance(parse(text), dict)


def test_a_folder_in_the_place_of_a_file_gets_one_sentence(tmp_path):
    (tmp_path / "a.json").mkdir()
    with pytest.raises(TrainError, match="no file that can be read"):
        read_json(tmp_path / "a.json")
    assert read_json(tmp_path / "none.json") == {}
