"""The run folder: where each file is, files written as a whole, and one trainer at a time."""

import json
import os
import re
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from filelock import lock_descriptor

from nlcore.train.config import TrainError
from nlcore.train.records import Record, read_json
from nlcore.train.words import refusal

WINDOWS = os.name == "nt"
PATIENCE = 1.0
"""Seconds a trainer tries to get the lock: a reader that looks holds it for an instant."""
LEFT = re.compile(r"\.(config|status)\.json\.[0-9]+")
"""What `write_json` has not renamed yet."""
MAILBOX = re.compile(r"control-([\w-]+)\.jsonl")
ROOM = 65536
"""Bytes: a disk with less than this free is full."""
LOOKS = 3
"""How often a reader looks: another reader may be looking at that very instant."""


class RunFolder:
    """The files of one run. Creates nothing by itself."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.config = self.path / "config.json"
        self.metrics = self.path / "metrics.jsonl"
        self.levels = self.path / "levels.jsonl"
        self.surprise = self.path / "surprise.jsonl"
        self.samples = self.path / "samples.jsonl"
        self.control = self.path / "control.jsonl"
        self.applied = self.path / "applied.jsonl"
        self.status = self.path / "status.json"
        self.log = self.path / "log.txt"
        self.tokenizer = self.path / "tokenizer.json"
        self.checkpoints = self.path / "checkpoints"
        self.events = self.path / "tensorboard"
        self.lock = self.path / "lock"
        self.sending = self.path / "sending"
        """Held for the instant in which a command gets its number."""

    def mailbox(self, sender: str) -> Path:
        """Commands of another machine: each writes a file of its own, so that no sync has two versions of one to choose from."""
        return self.path / f"control-{sender}.jsonl"

    def mailboxes(self) -> dict[str, Path]:
        """Those that are there, by sender. Copies that a sync made of a file in doubt have a dot in their names, and are none."""
        return {found[1]: path for path in self.path.iterdir() if (found := MAILBOX.fullmatch(path.name))}

    def begun(self) -> bool:
        """Whether a run has left anything here that is worth keeping."""
        return self.metrics.exists() or self.checkpoints.exists()

    def is_ours(self) -> bool:
        """Whether config.json is a run's: other programs have files of that name too."""
        try:
            config = read_json(self.config).get("config")
        except (OSError, TrainError):
            return False
        return isinstance(config, dict) and "preset" in config

    def content(self) -> list[str]:
        """Names of what is in it, but for what a trainer that was killed at once leaves behind."""
        if not self.path.exists():
            return []
        return sorted(p.name for p in self.path.iterdir() if not (LEFT.fullmatch(p.name) or self._is_lock(p)))

    def _is_lock(self, path: Path) -> bool:
        return path == self.lock and path.is_file() and path.read_bytes().strip()[:8] in (b"", b"process ")

    def tidy(self) -> None:
        """Removes the half-written files of a trainer that was killed; for whoever holds the lock."""
        for path in self.path.iterdir():
            if LEFT.fullmatch(path.name):
                path.unlink()

    def create(self) -> None:
        """Makes the folder, if it is not there. Raises TrainError if it cannot be made."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise TrainError(f"{self.path} cannot be made: {error.strerror}; name another folder.") from error


def free(name: str, root: str | Path = "runs") -> RunFolder:
    """The first of `root`/`name`-1, -2, ... that is not there; it is made, so it stays the caller's."""
    RunFolder(root).create()
    number = 1
    while True:
        folder = RunFolder(Path(root) / f"{name}-{number}")
        try:
            folder.path.mkdir()
            return folder
        except FileExistsError:
            number += 1
        except OSError as error:
            raise TrainError(f"{folder.path} cannot be made: {error.strerror}; name a folder with --run.") from error


def write_json(path: Path, record: Record, durable: bool = False) -> None:
    """Writes a JSON file in one step: a reader sees the old one or the new one. Leaves nothing else if it fails.

    durable: waits until it is on the disk, so that a power cut leaves the one or the other too.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "w", encoding="utf-8", errors="backslashreplace") as file:  # as JSON escapes
            file.write(json.dumps(record, indent=1, ensure_ascii=False) + "\n")
            file.flush()
            if durable:
                os.fsync(file.fileno())
        _replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _replace(temporary: Path, path: Path) -> None:
    """Renames; on Windows that is refused in the instant in which a reader has the file open."""
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return os.replace(temporary, path)
        except PermissionError:
            if not WINDOWS or time.monotonic() > until:
                raise
            time.sleep(0.01)


@contextmanager
def held(path: Path, patience: float = PATIENCE) -> Iterator[BinaryIO]:
    """Holds the system's lock on the file `path` inside the block, making it if it is not there; yields it unbuffered.

    The system frees the lock when its process ends, however it ends. Choose a file that is nothing but a lock:
    on Windows others cannot read its first byte meanwhile. Raises BlockingIOError if another holds it for `patience`
    seconds.
    """
    with open(path, "a+b", buffering=0) as file:
        until = time.monotonic() + patience
        while not lock_descriptor(file.fileno(), blocking=False):
            if time.monotonic() > until:
                raise BlockingIOError(f"{path} is locked by another process")
            time.sleep(0.05)
        yield file


@contextmanager
def locked(folder: RunFolder) -> Iterator[None]:
    """Holds the folder's lock inside the block. Raises TrainError if another process holds it."""
    with ExitStack() as stack:
        try:
            file = stack.enter_context(held(folder.lock))
        except BlockingIOError as error:
            here, owner = folder.path, _owner(folder)
            raise TrainError(f"{here} is being trained by {owner}: stop that run first, or name another.") from error
        file.truncate(0)
        file.write(f"\nprocess {os.getpid()} on {socket.gethostname()}\n".encode())
        yield


def is_locked(folder: RunFolder) -> bool:
    """Whether a living process trains in this folder. True, too, where the system lets nobody look."""
    if not folder.lock.exists():
        return False
    mode = "r+b" if os.access(folder.lock, os.W_OK) else "rb"  # some shared disks lock only what may be written
    try:
        with open(folder.lock, mode) as file:
            return not any(_free(file) for _ in range(LOOKS))
    except OSError:
        return True


def _free(file: BinaryIO) -> bool:
    """Whether nobody holds the lock now; another reader's look is over after an instant."""
    if lock_descriptor(file.fileno(), blocking=False):
        return True
    time.sleep(0.002)
    return False


def _owner(folder: RunFolder) -> str:
    with open(folder.lock, "rb", buffering=0) as file:
        file.seek(1)  # the first byte is the one that is locked on Windows
        return file.read().decode(errors="replace").strip() or "another process"


def is_full(path: Path) -> bool:
    """Whether the disk that a folder is on has no room left."""
    return path.exists() and shutil.disk_usage(path).free < ROOM


def trouble(error: OSError, folder: RunFolder) -> str:
    """What the system's refusal means to the run in this folder, and what to do, in one sentence."""
    if not folder.path.exists():
        return f"{folder.path} was renamed or removed during the training: resume the run where its folder is now."
    return refusal(error, folder.path)
