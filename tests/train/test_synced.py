"""A run watched from another machine through a copy of its folder, which comes late, by parts and in any order."""

import random
import shutil
import socket
import time

import pytest

from nlcore.train import TrainError, attach, checkpoint, control, new, resume, train
from nlcore.train.control import Inbox, answers, send, sender
from nlcore.train.folder import RunFolder, locked, write_json
from nlcore.train.records import append, read_json
from nlcore.train.status import Status, read_status
from tests.train.small import small

HOST = "far-away"


@pytest.fixture(scope="module")
def remote(tmp_path_factory):
    """A run that has ended; its status says that it trains, on another machine."""
    folder = new(small(), tmp_path_factory.mktemp("remote") / "run")
    send(folder, "lr_scale", value=0.5)
    train(folder)
    write_json(folder.status, read_json(folder.status) | {"state": "training", "sentence": "", "host": HOST, "heartbeat": time.time()})
    return folder


@pytest.fixture
def copy(remote, tmp_path):
    return RunFolder(shutil.copytree(remote.path, tmp_path / "laptop" / "run"))


def content(folder):
    return {str(path.relative_to(folder.path)): (path.read_bytes(), path.stat().st_mtime_ns)
            for path in folder.path.rglob("*") if path.is_file()}


@pytest.mark.parametrize("host", [HOST, socket.gethostname()], ids=["another machine", "another folder of this machine"])
def test_a_copy_trains_while_it_is_heard_and_is_never_called_lost_or_written(copy, host):
    write_json(copy.status, read_json(copy.status) | {"host": host, "heartbeat": time.time()})
    before = content(copy)
    run = attach(copy.path)
    assert run.alive() and (run.status()["state"], run.status()["sentence"]) == ("training", "")
    assert run.metrics() and run.levels() and run.samples() and run.applied() and run.log_tail()
    write_json(copy.status, read_json(copy.status) | {"heartbeat": time.time() - 500})
    late = attach(copy.path).status()
    assert late["state"] == "training" and "Last heard 50" in late["sentence"] and host in late["sentence"]
    assert {name: found for name, found in content(copy).items() if name != "status.json"} == {
        name: found for name, found in before.items() if name != "status.json"}


@pytest.mark.parametrize("wrong", [-7200, 7200], ids=["slow", "fast"])
def test_the_clock_of_the_other_machine_may_be_wrong(copy, monkeypatch, wrong):
    now = [1000.0]
    monkeypatch.setattr("nlcore.train.status.time.monotonic", lambda: now[0])
    run = attach(copy.path)

    def look(beat=None):
        if beat is not None:
            write_json(copy.status, read_json(copy.status) | {"heartbeat": time.time() + wrong + beat})
        return run.status()["sentence"]

    look(0)  # nobody can know yet
    now[0] += 5
    assert look(5) == ""
    now[0] += 29
    assert look() == ""
    now[0] += 6
    assert look().startswith("Last heard 35 s ago")
    assert look(50) == ""


def test_a_process_that_is_gone_from_this_machine_is_lost_as_ever(tmp_path):
    folder = new(small(), tmp_path / "run")
    with locked(folder):
        Status(folder).set(state="training", step=3)
        assert read_status(folder)["state"] == "training"
    assert read_status(folder)["state"] == "lost"


def test_a_copy_that_comes_by_parts_in_any_order_shows_what_is_whole_and_ends_right(remote, tmp_path):
    draw = random.Random(0)
    here = RunFolder(tmp_path / "run")
    here.path.mkdir()
    shutil.copy(remote.config, here.config)
    run, whole = attach(here.path), attach(remote.path)
    reads = ("metrics", "levels", "surprise", "samples", "applied")
    wanted = {name: getattr(whole, name)() for name in reads}
    files = [path for path in remote.path.rglob("*") if path.is_file() and path != remote.config]
    states = set()
    for _ in range(40):
        for file in draw.sample(files, 4):
            target = here.path / file.relative_to(remote.path)
            target.parent.mkdir(parents=True, exist_ok=True)
            data = file.read_bytes()
            target.write_bytes(data[: draw.randrange(len(data) + 1)])
        states.add(run.status().get("state"))
        for name in reads:
            found = getattr(run, name)()
            assert found == wanted[name][: len(found)] and found == getattr(attach(here.path), name)()
        if (saved := checkpoint.newest(here.checkpoints, lambda _: None)) is not None:
            assert saved.weights.keys() and saved.state["step"] in (4, 8, 12)
    assert states <= {None, "training"}
    shutil.copytree(remote.path, here.path, dirs_exist_ok=True)
    assert {name: getattr(run, name)() for name in reads} == wanted and run.alive()


def test_a_status_of_which_half_has_come_does_not_end_the_watching(copy):
    run = attach(copy.path)
    assert run.alive()
    copy.status.write_bytes(copy.status.read_bytes()[:40])
    assert run.alive() and attach(copy.path).status() == {}


def test_commands_from_a_copy_reach_the_run_each_once_under_numbers_of_its_own(remote, copy, tmp_path, monkeypatch):
    monkeypatch.setattr(control, "MAIL", 0.0)
    home = RunFolder(shutil.copytree(remote.path, tmp_path / "home"))
    home.control.unlink()
    home.applied.unlink()
    with locked(home):
        Status(home).set(state="training")  # the run is where this folder is
        inbox, laptop = Inbox(home, 0, 1), attach(copy.path)
        copy.applied.unlink()
        mine = sender(copy)
        assert mine and sender(home) is None
        before = copy.control.read_bytes()
        assert send(home, "pause") == 1  # both number their first command 1
        assert [laptop.command("resume"), laptop.command("lr_scale", value=0.25)] == [1, 2]
        assert copy.control.read_bytes() == before  # the run's machine writes that file, and no other
        box = copy.mailbox(mine)
        data = box.read_bytes()
        seen = []
        for cut in (10, len(data) - 5, 30, len(data), len(data)):  # it comes by parts, and once an old part again
            home.mailbox(mine).write_bytes(data[:cut])
            shutil.copy(home.mailbox(mine), home.path / f"control-{mine}.sync-conflict-20261201.jsonl")
            for command in inbox.due(5)[0]:
                inbox.note(command, 5, True, "")
                seen.append((command.number, command.command, command.sender, command.sent))
        assert seen == [(1, "pause", None, None), (2, "resume", mine, 1), (3, "lr_scale", mine, 2)]
        assert Inbox(home, 3, 2).due(6) == ([], []) and Inbox(home, 0, 2).due(5)[0][0].number == 3  # nothing is taken twice
        shutil.copy(home.applied, copy.applied)
        told = laptop.applied()
        assert [answers(line, 1, mine) for line in told] == [False, True, False]
        assert [answers(line, 1, None) for line in told] == [True, False, False]
        box.unlink()  # emptied: its numbers go on from what was answered
        assert laptop.command("checkpoint") == 3


def test_control_that_is_put_in_place_anew_gives_no_command_twice(tmp_path):
    folder = RunFolder(tmp_path)
    inbox = Inbox(folder, 0, 1)
    for _ in range(3):
        send(folder, "pause")
    assert [command.number for command in inbox.due(1)[0]] == [1, 2, 3]
    lines = folder.control.read_text().splitlines(keepends=True)
    folder.control.write_text(lines[0])
    assert inbox.due(2)[0] == []
    folder.control.write_text("".join(lines))
    assert inbox.due(2)[0] == []
    append(folder.control, {"number": 4, "command": "stop"})
    assert [command.number for command in inbox.due(2)[0]] == [4]


def test_a_copy_is_not_resumed_beside_a_run_that_is_heard(copy):
    with pytest.raises(TrainError, match="shows a run on far-away that was heard"):
        resume(copy.path)


