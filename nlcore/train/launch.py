"""Training from a notebook: in processes of its own, which outlive the kernel and can be found again."""

import os
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from nlcore.train import device, events, parallel
from nlcore.train.config import TrainConfig, TrainError
from nlcore.train.config_file import check_same_way, read_config
from nlcore.train.control import send
from nlcore.train.folder import RunFolder, is_locked, write_json
from nlcore.train.records import Every, Followed, Latest, Record, opened
from nlcore.train.run import changed, in_words, new
from nlcore.train.status import LIVE, SILENCE, Hearing, is_elsewhere, read_status, stored
from nlcore.train.words import visible

POLL = 0.2
LAST_WRITE = "120"
"""Seconds that a team told to end by a signal has for its step and its checkpoint."""
APART: dict[str, Any] = (
    {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP} if os.name == "nt" else {"start_new_session": True}
)
"""A key that interrupts the notebook's server does not reach a process started so."""


@dataclass(frozen=True)
class Launch:
    """A process that was started for a run."""

    process: subprocess.Popen
    name: str
    """Stays in status.json until the next launch, to tell whose words are there."""
    logged: int
    """Bytes that log.txt had before."""


class Run:
    """A run, seen from outside: everything is read from its folder, and commands go through it."""

    def __init__(self, path: str | Path, launch: Launch | None = None) -> None:
        self.folder, self.launch = RunFolder(path), launch
        self.process = launch.process if launch is not None else None
        self._looking = threading.Lock()  # who has looked can be sure that no late word of the launch follows
        self._hearing = Hearing(self.folder)
        self._metrics = Followed(self.folder.metrics)
        self._levels = Followed(self.folder.levels, partial(Latest, "level", "memory"))
        self._surprise, self._samples = Followed(self.folder.surprise), Followed(self.folder.samples)
        self._applied = Followed(self.folder.applied, Every)
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
        """A record a report: step, tokens, loss (nats a token), lr, tokens_per_second, gradient_norm, ...

        `validation_bits_per_byte` is None but at a validation.
        """
        return self._metrics.records()

    def levels(self) -> list[Record]:
        """A record a report and level; see `telemetry.ROW`."""
        return self._levels.records()

    def surprise(self) -> list[Record]:
        """A record a report: tokens, surprise, eta, alpha of one fixed fragment."""
        return self._surprise.records()

    def samples(self) -> list[Record]:
        """A record a validation: prompt and text."""
        return self._samples.records()

    def status(self) -> Record:
        """state, step, steps, done (share), seconds_left, line (progress in words), sentence, heartbeat, result, ..."""
        if self.process is not None and self.process.poll() is None:
            return stored(self.folder)
        with self._looking:
            status = self._hearing.listen(read_status(self.folder))
            mine = self.launch is not None and status.get("launch") == self.launch.name
            if mine and status.get("state") in LIVE and not is_locked(self.folder):
                status |= {"state": "failed", "sentence": self._last_words()}
                if stored(self.folder).get("launch") == self.launch.name:  # nobody has launched it anew since
                    with suppress(OSError):
                        write_json(self.folder.status, status)  # for those who look without knowing the process
            return status

    def _watch(self) -> None:
        """Waits for the process, and sees to it that its end is told."""
        self.process.wait()
        with suppress(OSError, TrainError):  # nobody is left to be told where the folder is gone
            self.status()

    def _last_words(self) -> str:
        """What this run's own process wrote last."""
        with open(self.folder.log, "rb") as log:
            log.seek(self.launch.logged)
            lines = log.read().decode(errors="replace").splitlines()
        told = [line.strip() for line in lines if line.strip(" =-")]  # torchrun draws lines
        code = self.process.returncode
        return visible(told[-1]) if told else f"The process ended at once, with code {code}: resume the run."

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
        return self._applied.records()

    def wait(self, timeout: float | None = None) -> Record:
        """Waits until the process has ended, or for `timeout` seconds; returns the status."""
        until = None if timeout is None else time.monotonic() + timeout
        while self.alive() and (until is None or time.monotonic() < until):
            time.sleep(POLL)
        return self.status()

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of log.txt; control characters in them are made visible."""
        file = opened(self.folder.log)
        if file is None:
            return ""
        with file:
            text = file.read().decode(errors="replace")
        return visible("\n".join(text.splitlines()[-lines:]))


def start(config: TrainConfig, path: str | Path | None = None, processes: int | None = None) -> Run:
    """Starts a new run in a process of its own, or several; returns at once.

    path: its folder, which must not hold a run; by default the next free one under runs/.
    processes: on this machine; None is one for each GPU that the run will use, see `parallel.fitting`.
    Raises TrainError or DataError as `run.new` does, before a process starts.
    """
    processes = parallel.fitting(config) if processes is None else processes
    return _spawn(new(config, path, processes), processes)


def resume(path: str | Path, processes: int | None = None, accept_data: bool = False, **choices: Any) -> Run:
    """Goes on with a run that has ended, in a process of its own, or several, as many as before or not.

    processes: as in `start`.
    accept_data, choices: as in `train`.
    Raises TrainError, before a process starts, if there is no run, it was begun with an earlier version, it is still
    training, a choice is None, unknown or makes no sense, or the processes cannot share the batch.
    """
    folder = RunFolder(path)
    config = changed(read_config(folder)[0], **choices)
    check_same_way(folder)
    events.check(config)
    processes = parallel.fitting(config) if processes is None else processes
    parallel.check(config, processes)
    device.choose(config.device, config.dtype)
    if is_locked(folder):
        raise TrainError(f"{folder.path} is training already: attach to it, or stop it first.")
    status = stored(folder)
    if status.get("state") in LIVE and is_elsewhere(folder, status) and (silence := Hearing(folder).silence(status)) < SILENCE:
        raise TrainError(
            f"{folder.path} shows a run on {status.get('host')} that was heard {silence:.0f} s ago: attach to it, or stop it first."
        )
    fields = config.as_json()
    values = fields["preset"] | fields
    options = [_option(name.replace("_", "-"), values[name]) for name in choices]
    return _spawn(folder, processes, [*options, *(["--accept-data"] if accept_data else [])])


def _option(name: str, value: Any) -> str:
    return f"--{name}={value}" if not isinstance(value, bool) else f"--{name}" if value else f"--no-{name}"


def attach(path: str | Path) -> Run:
    """Opens a run, training or ended. Raises TrainError if there is none."""
    return Run(path)


def _spawn(folder: RunFolder, processes: int, options: Sequence[str] = ()) -> Run:
    launcher, environment = ["-m"], dict(os.environ)
    if processes > 1:
        launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m", "--"]
        environment = {"OMP_NUM_THREADS": "1", "TORCH_ELASTIC_SHUTDOWN_TIMEOUT": LAST_WRITE} | environment
    launch = uuid.uuid4().hex
    fields = {"state": "starting", "sentence": "", "heartbeat": time.time(), "launch": launch}
    fields |= {"host": socket.gethostname(), "lock": None}
    with in_words(folder), open(folder.log, "ab") as log:
        write_json(folder.status, read_status(folder) | fields)
        logged = log.seek(0, os.SEEK_END)
        process = subprocess.Popen(
            [sys.executable, *launcher, "nlcore.train", f"--resume={folder.path}", *options],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
            **APART,
        )
    run = Run(folder.path, Launch(process, launch, logged))
    threading.Thread(target=run._watch, daemon=True).start()
    return run
