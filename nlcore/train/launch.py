"""Training from a notebook: in processes of its own, which outlive the kernel and can be found again."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from nlcore.train import parallel
from nlcore.train.config import TrainConfig, TrainError, change
from nlcore.train.control import send
from nlcore.train.folder import Record, RunFolder, is_locked, latest, read_json, records, write_json
from nlcore.train.run import new, read_config
from nlcore.train.status import LIVE, read_status

POLL = 0.2
LAST_WRITE = "120"
"""Seconds that a team told to end by a signal has for its step and its checkpoint."""


class Run:
    """A run, seen from outside: everything is read from its folder, and commands go through it."""

    def __init__(self, path: str | Path, process: subprocess.Popen | None = None) -> None:
        self.folder, self.process = RunFolder(path), process
        read_config(self.folder)

    def __repr__(self) -> str:
        status = self.status()
        return f"<Run {self.folder.path}: {status.get('state', 'not begun')}, step {status.get('step', 0):,}>"

    def config(self) -> TrainConfig:
        return read_config(self.folder)[0]

    def facts(self) -> Record:
        """Corpus, device, dtype, threads, processes, parameters, levels; empty before the first attempt has them."""
        return read_config(self.folder)[1]

    def metrics(self) -> list[Record]:
        """A record a report: step, tokens, loss (nats a token), lr, tokens_per_second, gradient_norm, ..."""
        return latest(records(self.folder.metrics))

    def levels(self) -> list[Record]:
        """A record a report and level; see `telemetry.ROW`."""
        return latest(records(self.folder.levels), "level", "memory")

    def surprise(self) -> list[Record]:
        """A record a report: tokens, surprise, eta, alpha of one fixed fragment."""
        return latest(records(self.folder.surprise))

    def samples(self) -> list[Record]:
        """A record a validation: prompt and text."""
        return latest(records(self.folder.samples))

    def status(self) -> Record:
        """state, step, steps, done (share), seconds_left, line (progress in words), sentence, heartbeat, result, ..."""
        if self.process is not None and self.process.poll() is None:
            return read_json(self.folder.status)
        return read_status(self.folder)

    def alive(self) -> bool:
        """Whether its process is there."""
        return self.status().get("state") in LIVE

    def command(self, command: str, level: str | None = None, value: float | None = None) -> int:
        """Sends one of `control.COMMANDS`; returns its number. What became of it: `applied()`.

        Raises TrainError for a command that makes no sense, or if nobody is there to follow it.
        """
        if not self.alive():
            raise TrainError(f"{self.folder.path} is not training, so nothing can follow a command: resume it first.")
        return send(self.folder, command, level, value)

    def applied(self) -> list[Record]:
        """What became of the commands: number, command, level, value, step, attempt, applied, sentence."""
        return records(self.folder.applied)

    def wait(self, timeout: float | None = None) -> Record:
        """Waits until the process has ended, or for `timeout` seconds; returns the status."""
        until = None if timeout is None else time.monotonic() + timeout
        while self.alive() and (until is None or time.monotonic() < until):
            time.sleep(POLL)
        return self.status()

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of log.txt."""
        if not self.folder.log.exists():
            return ""
        return "\n".join(self.folder.log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def start(config: TrainConfig, path: str | Path | None = None, processes: int | None = None) -> Run:
    """Starts a new run in a process of its own, or several; returns at once.

    path: its folder, which must not hold a run; by default the next free one under runs/.
    processes: on this machine; None is one for each GPU that the run will use, see `parallel.fitting`.
    Raises TrainError or DataError as `run.new` does, before a process starts.
    """
    processes = parallel.fitting(config) if processes is None else processes
    return _spawn(new(config, path, processes), processes)


def resume(path: str | Path, processes: int | None = None, **choices: Any) -> Run:
    """Goes on with a run that has ended, in a process of its own, or several, as many as before or not.

    processes: as in `start`.
    choices: of `run.CHANGEABLE`, to change them; accept_data=True, as in `train`.
    Raises TrainError if there is no run, it is still training, or the processes cannot share the batch.
    """
    folder = RunFolder(path)
    config = change(read_config(folder)[0], **{name: choices.get(name) for name in ("device", "micro_batch")})
    processes = parallel.fitting(config) if processes is None else processes
    parallel.check(config, processes)
    if is_locked(folder):
        raise TrainError(f"{folder.path} is training already: attach to it, or stop it first.")
    options = []
    for name, value in choices.items():
        flag = "--" + name.replace("_", "-")
        options += [flag] if value is True else [flag, str(value)]
    return _spawn(folder, processes, options)


def attach(path: str | Path) -> Run:
    """Opens a run, training or ended. Raises TrainError if there is none."""
    return Run(path)


def _spawn(folder: RunFolder, processes: int, options: Sequence[str] = ()) -> Run:
    before = read_json(folder.status)
    write_json(folder.status, before | {"state": "starting", "sentence": "", "heartbeat": time.time()})
    launcher, environment = ["-m"], dict(os.environ)
    if processes > 1:
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m", "--"]
        environment = {"OMP_NUM_THREADS": "1", "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": LAST_WRITE} | environment
    with open(folder.log, "ab") as log:
        process = subprocess.Popen(
            [sys.executable, *launcher, "nlcore.train", "--resume", str(folder.path), *options],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )
    return Run(folder.path, process)
