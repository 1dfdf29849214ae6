"""Several processes under torchrun: they do what one does, hear the same commands, and end together."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch

from nlcore.train import TrainError, attach, new, resume, start, train
from nlcore.train.folder import RunFolder
from nlcore.train.records import latest, read_json, records
from nlcore.train.parallel import Team, fitting
from tests.train.small import TEXT, last, losses, small, stopped
from tests.train.test_launch import LONG, until

TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
TOLERANCE = 2e-6
"""Of losses and weights in float32: sums over rows are taken in another order. Measured: 5e-7 and 6e-8."""
ON_EVERY_PROCESS = """
import sys
import torch
from nlcore.train import reporting
from nlcore.train.__main__ import program
from nlcore.train.loop import Trainer
from nlcore.train.parallel import joined

reporting.SAMPLE, reporting.LAST_SAMPLE = 4, 8  # as in conftest.py
advance = Trainer.advance

def advance_and(trainer):
    advance(trainer)
    name = "blocks.0.channel.levels.cms-2.w_in.weight"
    weights = next(weight for own, weight in trainer.parts.model.named_parameters() if own.endswith(name))
    {what}

Trainer.advance = advance_and
with joined() as team:
    sys.exit(program(team))
"""
SAME = """
    whole = torch.cat([p.detach().flatten() for p in trainer.parts.model.parameters()])
    assert all(torch.equal(whole, other) for other in trainer.team.gather(whole))
"""
SPOIL_ON_ONE = """
    if trainer.step == 6 and trainer.team.rank == 1:
        weights.data[0, 0] = float("nan")
"""


def torchrun(folder, what=None):
    """Trains on two processes, which do `what` after each step."""
    script = folder.path / "script.py"
    script.write_text(ON_EVERY_PROCESS.format(what=(what or "pass").strip()))
    return subprocess.run([*TORCHRUN, script, "--resume", folder.path], capture_output=True, text=True, timeout=600)


def children(pid):
    """Processes that `pid` started."""
    table = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(child) for child, parent in map(str.split, table.splitlines()) if int(parent) == pid]


def assert_close_runs(one, other):
    assert [step for step, _ in losses(one)] == [step for step, _ in losses(other)]
    assert [loss for _, loss in losses(one)] == pytest.approx([loss for _, loss in losses(other)], abs=TOLERANCE)
    ended, too = last(one), last(other)
    for name, weight in ended.weights.items():
        torch.testing.assert_close(weight, too.weights[name], rtol=0, atol=TOLERANCE)
    for name in ("step", "batches", "random", "command"):
        same = torch.equal if name == "random" else lambda a, b: a == b
        assert same(ended.state[name], too.state[name]), name
    assert ended.state["optimizer"]["clock"] == too.state["optimizer"]["clock"]


def test_two_processes_do_what_one_does(tmp_path):
    config = small(batch=4, micro_batch=2, periods=(1, 2, 3), lr=1e-3)
    one, two = (new(config, tmp_path / name) for name in ("one", "two"))
    train(one)
    ended = torchrun(two, SAME)
    assert ended.returncode == 0, ended.stderr
    assert_close_runs(one, two)
    assert [read_json(folder.config)["facts"]["processes"] for folder in (one, two)] == [1, 2]
    rows, others = (latest(records(folder.levels), "level", "memory") for folder in (one, two))
    assert len(rows) == len(others)
    for row, other in zip(rows, others):
        figures = {name for name, value in row.items() if isinstance(value, float) and name != "time"}
        assert figures >= {"update_norm", "weight_norm"}
        for name in figures:
            assert row[name] == pytest.approx(other[name], rel=1e-4, abs=1e-9), (row["level"], row["memory"], name)
    mine, theirs = (read_json(folder.status)["result"] for folder in (one, two))
    assert mine["bits_per_byte"] == pytest.approx(theirs["bits_per_byte"], abs=1e-5)


def test_a_run_of_one_goes_on_with_two(tmp_path):
    """Its gathered gradients are kept; the context is one chunk, so some parameters have no gradient at all."""
    config = small(chunks=(32, 32), periods=(1, 3, 5), lr=1e-3)
    whole, folder = (new(config, tmp_path / name) for name in ("whole", "folder"))
    train(whole)
    stopped(folder, 7)
    gathered = last(folder).state["optimizer"]["gathered"]
    assert gathered["cms-1"][0].abs().max() > 0 and any(grad is None for grad in gathered["weights"])
    ended = torchrun(folder, SAME)
    assert ended.returncode == 0, ended.stderr
    assert_close_runs(whole, folder)


@pytest.fixture
def long_run(tmp_path):
    """A run of two processes that goes on until it is ended, training already."""
    run = start(small(**LONG), tmp_path / "run", processes=2)
    until(lambda: len(run.metrics()) > 1)
    found = children(run.process.pid)
    yield run
    for pid in (run.process.pid, *found):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    run.process.wait()


def test_commands_reach_both(long_run):
    run = attach(long_run.folder.path)
    run.command("pause")
    until(lambda: run.status()["state"] == "paused")
    step = run.status()["step"]
    run.command("period", level="cms-1", value=3)
    run.command("lr_scale", value=0.5)
    time.sleep(0.5)
    assert (run.status()["step"], run.status()["state"]) == (step, "paused")
    run.command("resume")
    until(lambda: run.status()["step"] > step + 14)
    run.command("stop")
    assert long_run.wait(30)["state"] == "stopped" and long_run.process.wait(30) == 0
    assert [(line["command"], line["applied"]) for line in run.applied()] == [
        (name, True) for name in ("pause", "period", "lr_scale", "resume", "stop")
    ]
    fired = [row["step"] for row in run.levels() if row["level"] == "cms-1" and row["fired"] and row["step"] > step + 3]
    assert {b - a for a, b in zip(fired, fired[1:])} == {2, 4}  # every 3 steps, told at reports every 2
    log = run.folder.log.read_text()
    assert log.count("Model    ") == 1 and log.count("Go on with: ") == 1 and "2 processes" in log
    assert "Traceback" not in log


def test_a_signal_leaves_a_checkpoint(long_run):
    with pytest.raises(TrainError, match="is training already"):
        resume(long_run.folder.path)
    os.kill(long_run.process.pid, signal.SIGTERM)
    long_run.process.wait(60)
    status = long_run.status()
    assert status["state"] == "stopped" and status["checkpoint"].endswith(f"step-{status['step']:08d}")


def test_without_their_launcher_they_end_in_order(long_run):
    workers = children(long_run.process.pid)
    long_run.process.kill()
    long_run.process.wait()
    assert len(workers) == 2 and long_run.wait(30)["state"] == "stopped"
    assert last(long_run.folder).state["step"] == long_run.status()["step"]


def test_one_killed_ends_the_run_and_one_process_goes_on(long_run):
    long_run.command("checkpoint")
    until(lambda: any(long_run.folder.checkpoints.glob("step-*")))
    (other,) = set(children(long_run.process.pid)) - {long_run.status()["pid"]}
    os.kill(other, signal.SIGKILL)
    assert long_run.process.wait(60) != 0
    status = long_run.status()
    assert status["state"] in ("failed", "stopped", "lost") and "resume" in status["sentence"]
    saved = last(long_run.folder).state["step"]
    assert train(long_run.folder, steps=saved + 4)["state"] == "done"
    assert last(long_run.folder).state["step"] == saved + 4


def test_what_is_not_finite_on_one_ends_both_with_one_sentence(tmp_path):
    folder = new(small(), tmp_path / "run")
    ended = torchrun(folder, SPOIL_ON_ONE)
    assert ended.returncode != 0
    assert ended.stderr.count("Step 7: the loss is nan, first in the weights of level cms-2") == 1
    status = read_json(folder.status)
    assert status["state"] == "failed" and "step-00000004: resume with a smaller --lr" in status["sentence"]


def test_a_comparison_from_the_shell(tmp_path):
    chosen = ["--data", TEXT, "--batch", "2", "--context", "32", "--threads", "1", "--device", "cpu", "--steps", "2"]
    ended = subprocess.run(
        [*TORCHRUN, "-m", "nlcore.train", "--compare", *chosen],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )
    assert ended.returncode == 0, ended.stderr
    assert [path.name for path in (tmp_path / "runs").iterdir()] == ["tiny-compare-1"]
    assert ended.stdout.count("Model    ") == 2 and ended.stdout.count("order-1 entropy") == 3
    hope, rival = (read_json(RunFolder(tmp_path / "runs/tiny-compare-1" / n).status) for n in ("hope", "transformer"))
    assert (hope["state"], rival["state"]) == ("done", "done")
    assert hope["result"]["seconds"] <= rival["result"]["seconds"]


def test_a_bad_choice_is_told_once(tmp_path):
    ended = subprocess.run(
        [*TORCHRUN, "-m", "--", "nlcore.train", "--data", TEXT, "--batch", "3", "--run", "here"],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )
    said = "2 processes cannot share a batch of 3 equally: choose one that 2 divides"
    assert ended.returncode != 0 and ended.stderr.count(said) == 1
    assert not (tmp_path / "here").exists()


@pytest.mark.parametrize(
    ("choices", "processes", "said"),
    [
        (dict(batch=4), 3, "3 processes cannot share a batch of 4"),
        (dict(batch=4, micro_batch=2), 4, "4 processes cannot share a micro_batch of 2"),
        (dict(), 0, "processes is 0"),
    ],
)
def test_what_cannot_be_shared_is_refused_before_anything_is_made(tmp_path, choices, processes, said):
    with pytest.raises(TrainError, match=said):
        start(small(**choices), tmp_path / "run", processes)
    assert not (tmp_path / "run").exists()


def test_one_process_a_gpu_as_far_as_the_batch_goes(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 4)
    assert [fitting(small(batch=b)) for b in (8, 6, 5)] == [4, 3, 1]
    assert fitting(small(batch=8, micro_batch=2)) == 2 and fitting(small(batch=8, device="cpu")) == 1
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert fitting(small(batch=8)) == 1


def test_a_team_of_one_changes_nothing():
    rows, team = torch.arange(4.0), Team()
    model = torch.nn.Linear(1, 1)
    assert team.share(rows) is rows and team.mean(rows) is rows and team.wrap(model, True) is model
    assert team.once(lambda: 3) == 3 and team.gather(3) == [3] and team.lead and not replace(team, rank=1).lead
