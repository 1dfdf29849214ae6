"""A stored run, played again: what a dashboard shows of it arrives line by line, as it did when it was trained."""

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import groupby
from pathlib import Path

from nlcore.train import Run, TrainError
from nlcore.train.control import Command, Inbox
from nlcore.train.folder import RunFolder, locked, write_json
from nlcore.train.records import Record, append, read_json, records
from nlcore.train.status import Status
from nlcore.viz.view import STATIC, building

STORED = STATIC / "replay"
"""Stored runs, by name; `python -m checkpoints.record` makes them."""
SECONDS, LOOK = 60.0, 0.1
"""What a run takes when it is played, and how often the reader's commands are looked for."""
PLAYED = "A stored run, played again: Resume plays it from its first step."
CANNOT = "not done: a stored run can be paused, resumed and stopped, and no more"
FILES = ("metrics", "levels", "surprise", "samples")
_played: dict[str, "Replay"] = {}
"""Those of this kernel: one of each name."""


class Replay(Run):
    """A stored run in a folder of its own, which fills as it did; `Dashboard` shows it as any run.

    Raises TrainError if there is no stored run of that name.
    """

    def __init__(self, name: str = "tiny-hope") -> None:
        self.source = RunFolder(STORED / name)
        if not self.source.is_ours():
            known = ", ".join(sorted(path.name for path in STORED.glob("*"))) or "none on this machine"
            raise TrainError(f"There is no stored run {name!r}: there is {known}.")
        self.place = tempfile.TemporaryDirectory(prefix="played-", ignore_cleanup_errors=True)
        path = Path(self.place.name, name)
        path.mkdir()
        shutil.copyfile(self.source.config, path / self.source.config.name)
        super().__init__(path)
        self.stopped, self.thread = threading.Event(), None

    def play(self, seconds: float = SECONDS) -> None:
        """Plays it from its first step, in so many seconds; 0 is at once. One that plays already begins again."""
        if self.thread is not None:
            self.stopped.set()
            self.thread.join()
        self.stopped = threading.Event()
        for name in (*FILES, "control", "applied"):
            getattr(self.folder, name).unlink(missing_ok=True)
        write_json(self.folder.status, {"state": "starting", "sentence": PLAYED, "heartbeat": time.time()})
        self.thread = threading.Thread(target=self._play, args=(seconds, self.stopped), daemon=True)
        self.thread.start()
        if not seconds:
            self.thread.join()

    def _play(self, seconds: float, stopped: threading.Event) -> None:
        with suppress(OSError, TrainError), locked(self.folder):  # nobody is left to be told where the folder is gone
            player = _Player(self.folder, self.config().preset.steps, seconds, stopped)
            for step, lines in self._lines():
                if not player.wait(step):
                    break
                for path, line in lines:
                    append(path, line)
            player.end(read_json(self.source.status)["result"])

    def _lines(self) -> Iterator[tuple[int, list[tuple[Path, Record]]]]:
        """Steps in their order, and what is to be written at each."""
        found = [(line["step"], (getattr(self.folder, name), line))
                 for name in FILES for line in records(getattr(self.source, name))]
        for step, group in groupby(sorted(found, key=lambda one: one[0]), key=lambda one: one[0]):
            yield step, [line for _, line in group]


class _Player:
    """The clock of one playing: it tells the folder where it is, and follows what commands it can."""

    def __init__(self, folder: RunFolder, steps: int, seconds: float, stopped: threading.Event) -> None:
        self.steps, self.seconds, self.stopped = steps, seconds, stopped
        self.status, self.inbox = Status(folder), Inbox(folder, held=0, attempt=1)
        self.paused, self.played, self.looked, self.step = False, 0.0, time.monotonic(), 0

    def wait(self, step: int) -> bool:
        """Waits for the moment of `step`; False if it was stopped before."""
        while not self.stopped.is_set():
            now = time.monotonic()
            self.played += 0.0 if self.paused else now - self.looked
            self.looked = now
            if self.played >= self.seconds * step / self.steps:
                break
            for command in self.inbox.due(self.step + 1)[0]:
                self._follow(command)
            self._tell()
            self.stopped.wait(LOOK)
        self.step = step
        self._tell()
        return not self.stopped.is_set()

    def _follow(self, command: Command) -> None:
        can = command.command in ("pause", "resume", "stop")
        if command.command == "stop":
            self.stopped.set()
        elif can:
            self.paused = command.command == "pause"
        self.inbox.note(command, self.step + 1, can, command.command if can else CANNOT)

    def _tell(self) -> None:
        share = self.step / self.steps
        left = max(self.seconds - self.played, 0.0)
        self.status.beat(state="paused" if self.paused else "training", step=self.step, steps=self.steps, done=share,
                         seconds_left=left, sentence=PLAYED, line=f"step {self.step} of {self.steps}", attempt=1)

    def end(self, result: Record) -> None:
        whole = self.step >= self.steps
        self.status.set(state="done" if whole else "stopped", sentence=PLAYED, result=result if whole else None, seconds_left=None)


def replay(name: str = "tiny-hope", seconds: float = SECONDS) -> Replay:
    """The stored run of that name, playing from its first step; at once to its end where a notebook is built.

    Called again it begins again. Raises TrainError if there is no run of that name.
    """
    if name not in _played:
        _played[name] = Replay(name)
    _played[name].play(0.0 if building() else seconds)
    return _played[name]
