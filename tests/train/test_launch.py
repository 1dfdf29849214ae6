"""A run in a process of its own: started, found again, paused, steered, ended, lost and resumed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from nlcore.train import TrainError, attach, launch, new, resume, start
from nlcore.train.records import records
from tests.train.small import small

LONG = dict(steps=100_000, validate_every=100_000, checkpoint_every=100_000)


def until(condition, seconds=300):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


@pytest.fixture
def long_run(tmp_path):
    """A run that goes on until it is ended, training already."""
    run = start(small(**LONG), tmp_path / "run")
    until(lambda: len(run.metrics()) > 1)
    yield run
    if run.process.poll() is None:
        run.process.kill()
    run.process.wait()


def test_a_run_is_paused_goes_on_is_steered_and_stops(long_run):
    run = attach(long_run.folder.path)  # as another notebook would
    assert run.alive() and run.facts()["parameters"] > 0
    assert run.command("pause") == 1
    until(lambda: run.status()["state"] == "paused")
    step = run.status()["step"]
    time.sleep(0.8)
    assert (run.status()["step"], run.status()["state"]) == (step, "paused")
    assert time.time() - run.status()["heartbeat"] < 5
    assert run.command("checkpoint") == 2
    until(lambda: any(run.folder.checkpoints.glob("step-*")))
    assert run.status()["step"] == step
    run.command("resume")
    until(lambda: run.status()["step"] > step)
    run.command("lr_scale", value=0.5)
    run.command("period", level="cms-1", value=2)
    run.command("stop")
    assert run.wait(30)["state"] == "stopped" and not run.alive()
    noted = run.applied()
    assert [line["command"] for line in noted] == ["pause", "checkpoint", "resume", "lr_scale", "period", "stop"]
    assert [line["step"] for line in noted[:3]] == [step + 1] * 3 and all(line["applied"] for line in noted)
    assert run.status()["command"] == 6 and "Go on with: python -m nlcore.train --resume" in run.log_tail()
    with pytest.raises(TrainError, match="is not training, so nothing can follow a command"):
        run.command("pause")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_leaves_a_checkpoint_and_ends_in_order(long_run, number):
    with pytest.raises(TrainError, match="is training already"):
        resume(long_run.folder.path)
    os.kill(long_run.process.pid, number)
    assert long_run.process.wait(30) == 0
    status = long_run.status()
    assert status["state"] == "stopped" and status["checkpoint"].endswith(f"step-{status['step']:08d}")


def test_a_killed_run_is_lost_and_a_resume_goes_on_in_a_process_of_its_own(long_run):
    os.kill(long_run.process.pid, signal.SIGKILL)
    long_run.process.wait()
    status = long_run.status()
    assert status["state"] == "lost" and "resume the run" in status["sentence"]
    assert attach(long_run.folder.path).status()["state"] == "lost"
    run = resume(long_run.folder.path, steps=4)
    assert run.wait(60)["state"] == "done" and run.status()["attempt"] == 2
    assert {line["attempt"] for line in records(run.folder.metrics)} == {1, 2}
    assert [line["step"] for line in run.metrics()] == [2, 4]
    assert len(run.levels()) == 2 * 13 and len(run.surprise()) == 2
    (sample,) = run.samples()
    assert 250 < len(sample["text"]) <= 400  # of 400 bytes, of which several may make a character


def test_what_goes_wrong_in_the_process_is_told_by_the_run(tmp_path):
    text = tmp_path / "text"
    text.write_text("some words of text\n" * 200)
    folder = new(small(data=str(text)), tmp_path / "run")
    text.unlink()
    run = resume(folder.path)
    status = run.wait(60)
    assert status["state"] == "failed" and "does not exist" in status["sentence"]
    assert "does not exist" in run.log_tail()


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        (dict(steps=8, lr=None), "lr is None"),
        (dict(steps=False), "steps is False"),
        (dict(micro_batch=True), "micro_batch is True"),
        (dict(report_every=5), "A run's report_every cannot change"),
        (dict(seed=1), "A run's seed cannot change"),
        (dict(colour=1), "There is no choice 'colour'"),
        (dict(lr="fast"), "lr is .fast.: give a number"),
        (dict(micro_batch=7), "micro_batch 7 does not divide"),
        (dict(device="tpu"), "There is no device 'tpu'"),
        (dict(steps=8, seconds=3), "Both steps and seconds"),
    ],
)
def test_what_a_resume_would_refuse_is_refused_at_once(tmp_path, monkeypatch, choices, said):
    folder = new(small(), tmp_path / "run")
    monkeypatch.setattr(launch.subprocess, "Popen", None)  # no process may start
    with pytest.raises(TrainError, match=said):
        resume(folder.path, **choices)
    assert not folder.status.exists()


@pytest.fixture
def program(monkeypatch):
    """Lets processes run another program in place of training."""
    started = subprocess.Popen

    def choose(code):
        def start_other(command, **how):
            return started([sys.executable, "-c", code], **how)

        monkeypatch.setattr(launch.subprocess, "Popen", start_other)

    return choose


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import sys; sys.exit('It is \\x1b[1m refused.')", r"It is \x1b[1m refused."),
        ("import os; os._exit(9)", "The process ended at once, with code 9: resume the run."),
    ],
)
def test_a_process_that_ends_before_the_lock_is_reported_at_once(tmp_path, program, code, said):
    program(code)
    folder = new(small(), tmp_path / "run")
    folder.log.write_text("of an earlier attempt\n")
    run = resume(folder.path)
    run.process.wait()
    assert run.status()["state"] == "failed" and run.status()["sentence"] == said
    assert not run.alive()


def test_others_are_told_too_that_a_process_ended_before_the_lock(tmp_path, program):
    program("import sys; sys.exit('Refused.')")
    run = resume(new(small(), tmp_path / "run").path)
    until(lambda: attach(run.folder.path).status()["state"] == "failed")
    assert attach(run.folder.path).status()["sentence"] == "Refused."


def test_words_of_another_launch_are_not_taken_for_its_own(tmp_path, program):
    program("import sys; sys.exit('Mine.')")
    first = resume(new(small(), tmp_path / "run").path)
    first.process.wait()
    assert first.status()["sentence"] == "Mine."
    program("import time; time.sleep(60)")
    second = resume(first.folder.path)
    assert first.status()["state"] == "starting" and second.alive()
    second.process.kill()
    second.process.wait()


def test_a_folder_whose_name_looks_like_an_option(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.chdir(tmp_path)
    run = start(small(steps=2), "-x")
    assert run.wait(60)["state"] == "done", run.log_tail()


def test_no_run_to_attach_to(tmp_path):
    with pytest.raises(TrainError, match="holds no run"):
        attach(tmp_path)


def test_a_log_of_someone_else_steers_no_terminal(tmp_path):
    folder = new(small(), tmp_path / "run")
    folder.log.write_text("one\n\x1b[2Jtwo\n")
    assert attach(folder.path).log_tail(1) == r"\x1b[2Jtwo"


@pytest.mark.parametrize("name", ["log.txt", "status.json"])
def test_a_folder_in_the_place_of_a_file_is_refused_before_a_process_starts(tmp_path, name):
    folder = new(small(), tmp_path / "run")
    (folder.path / name).mkdir()
    with pytest.raises(TrainError, match=f"{name}: it is a folder"):
        resume(folder.path)
