"""Signals: the first to end is obeyed at the next step; a terminal that closes is never the end of a checkpoint."""

import os
import signal
import threading
from types import SimpleNamespace

import pytest

from nlcore.train import new, train
from nlcore.train.run import _signals
from tests.train.small import small

HANGUP = pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there is no such signal here")


def test_a_run_in_a_thread_leaves_signals_alone(tmp_path):
    folder, states = new(small(steps=2), tmp_path / "run"), []
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=lambda: states.append(train(folder)["state"]))
    thread.start()
    thread.join()
    assert states == ["done"] and signal.getsignal(signal.SIGTERM) is before


@HANGUP
def test_a_terminal_may_close_twice():
    trainer, before = SimpleNamespace(leave=False), signal.getsignal(signal.SIGHUP)
    with _signals(trainer):
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
        assert trainer.leave and signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
    assert signal.getsignal(signal.SIGHUP) == before


@HANGUP
def test_what_was_started_to_outlive_its_terminal_does():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with _signals(SimpleNamespace(leave=False)) as _:
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_signal_does_what_it_always_did():
    trainer = SimpleNamespace(leave=False)
    with _signals(trainer):
        os.kill(os.getpid(), signal.SIGINT)
        assert trainer.leave
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
