"""A stored run plays again: its lines come as they came, and of the commands it follows those that it can."""

import time

import numpy as np
import pytest

from checkpoints.record import keep
from nlcore.train import Run, TrainError, new, train
from nlcore.train.folder import RunFolder
from nlcore.train.records import records
from nlcore.viz.dashboard import Dashboard, replay
from nlcore.viz.dashboard.played import CANNOT, FILES, STORED, Replay
from tests.train.small import small


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A shelf with one stored run of 12 steps, and the run that it was."""
    home = tmp_path_factory.mktemp("played")
    run = new(small(), home / "run")
    train(run)
    keep(run, RunFolder(home / "shelf" / "small"))
    return home / "shelf", run


@pytest.fixture
def played(shelf, monkeypatch):
    monkeypatch.setattr("nlcore.viz.dashboard.played.STORED", shelf[0])
    found = Replay("small")
    yield found
    found.stopped.set()
    if found.thread is not None:
        found.thread.join()


def until(there, seconds=20.0):
    end = time.monotonic() + seconds
    while not there() and time.monotonic() < end:
        time.sleep(0.02)
    assert there()


def test_played_at_once_it_is_the_run_in_four_digits(played, shelf):
    played.play(0.0)
    assert played.status()["state"] == "done" and not played.alive()
    for name in ("metrics", "levels", "samples"):
        ours, theirs = (records(getattr(folder, name)) for folder in (played.folder, shelf[1]))
        assert [line["step"] for line in ours] == [line["step"] for line in theirs]
    losses = [[line["loss"] for line in records(folder.metrics)] for folder in (played.folder, shelf[1])]
    np.testing.assert_allclose(*losses, rtol=1e-3)
    felt = records(played.folder.surprise)
    assert felt[-1]["step"] == 12 and len(felt) < len(records(shelf[1].surprise))


def test_it_pauses_goes_on_and_says_what_it_cannot(played):
    played.play(6.0)
    assert played.alive()
    played.command("pause")
    until(lambda: played.status()["state"] == "paused")
    step = played.status()["step"]
    played.command("period", "cms-1", 2)
    until(lambda: len(played.applied()) == 2)
    assert [line["applied"] for line in played.applied()] == [True, False] and played.applied()[1]["sentence"] == CANNOT
    assert played.status()["step"] == step
    played.command("resume")
    until(lambda: played.status()["state"] == "training")
    played.command("stop")
    until(lambda: not played.alive())
    assert played.status()["state"] == "stopped" and played.status()["result"] is None


def test_another_look_sees_it_as_a_run_that_goes_on(played):
    played.play(5.0)
    other = Run(played.folder.path)
    until(lambda: other.status()["state"] == "training")
    assert other.alive() and other.status()["steps"] == 12


def test_the_dashboard_plays_it_again(played):
    played.play(0.0)
    board = Dashboard(played)
    try:
        until(lambda: not isinstance(board.live, str))
        assert board._whole()["played"]  # at its end, too, Resume is there to be pressed
        assert "from its first step" in board._steer("resume", None, None)
        assert played.alive()
    finally:
        board.close()


def test_where_a_notebook_is_built_it_is_at_its_end(shelf, monkeypatch):
    monkeypatch.setattr("nlcore.viz.dashboard.played.STORED", shelf[0])
    monkeypatch.setenv("NL_STATIC", "1")
    assert replay("small").status()["state"] == "done"
    assert replay("small") is replay("small")


def test_an_unknown_name_is_one_sentence():
    with pytest.raises(TrainError, match="There is no stored run 'huge'"):
        Replay("huge")


def test_the_stored_run_is_whole_and_small():
    folder = RunFolder(STORED / "tiny-hope")
    steps = Run(folder.path).config().preset.steps
    assert all(records(getattr(folder, name))[-1]["step"] == steps for name in FILES)
    assert sum(path.stat().st_size for path in folder.path.iterdir()) < 800_000
