"""status.json: what a run is doing, for everyone who looks."""

import math
import os
import socket
import time
from typing import Any

from nlcore.train.config import TrainError
from nlcore.train.folder import RunFolder, is_full, is_locked, write_json
from nlcore.train.records import STATUS, Record, has_shape, number, read_json

LIVE = ("starting", "training", "validating", "paused")
"""States of a run whose process is there; the others are "done", "stopped", "failed" and "lost"."""
HEARTBEAT = 0.5
"""Seconds between two heartbeats, at least."""
START = 60.0
"""Seconds that a process may take from its launch to the lock."""
SILENCE = 30.0
"""Seconds without a new heartbeat after which a copy of the folder says when it heard the last one."""


class Status:
    """The trainer's side. What `set` is given stays until it is set anew."""

    def __init__(self, folder: RunFolder) -> None:
        self.path, self.beaten = folder.status, -math.inf
        own = {"pid": os.getpid(), "host": socket.gethostname(), "lock": _inode(folder)}
        self.fields: Record = stored(folder) | own

    def set(self, **fields: Any) -> None:
        """Changes fields and writes the file."""
        self.fields |= fields | {"heartbeat": time.time()}
        write_json(self.path, self.fields)
        self.beaten = time.monotonic()

    def beat(self, **fields: Any) -> None:
        """The same, but at most every HEARTBEAT seconds while the state stays."""
        same = fields.get("state") == self.fields.get("state")
        if not same or time.monotonic() - self.beaten > HEARTBEAT:
            self.set(**fields)


def read_status(folder: RunFolder) -> Record:
    """What the file says, {} before any launch. The state is "lost" if the process ought to be there and is not.

    Where the run trains elsewhere, nobody can tell from here, so the state is the last one heard of.
    """
    status = stored(folder)
    if status.get("state") not in LIVE or is_locked(folder) or is_elsewhere(folder, status) or _starts(status):
        return status
    status = stored(folder)  # it may have ended, in order, since the first look
    if status.get("state") in LIVE:
        status |= {"state": "lost", "sentence": _lost(folder)}
    return status


def is_elsewhere(folder: RunFolder, status: Record) -> bool:
    """Whether the run's process is, or was, on another machine, or at another folder that this one is a copy of."""
    host, lock = status.get("host"), status.get("lock")
    return host not in (None, socket.gethostname()) or lock not in (None, _inode(folder))


def _inode(folder: RunFolder) -> int | None:
    """Tells a folder's lock from a copy of it."""
    return folder.lock.stat().st_ino if folder.lock.exists() else None


class Hearing:
    """When a run that trains elsewhere was last heard of, without trust in its machine's clock, if that can be.

    A heartbeat that has changed since the look before was heard just now, whatever it says. Of one that was there at the
    first look, the two clocks say how old it is, and this machine's at least since when the file is here.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder, self.last = folder, {}
        self.heard = 0.0
        """By the monotonic clock."""

    def silence(self, status: Record) -> float:
        """Seconds since the status was news."""
        beat, now = status.get("heartbeat"), time.monotonic()
        if not self.last:
            arrived = os.stat(self.folder.status).st_ctime if self.folder.status.exists() else time.time()
            self.heard = now - max(time.time() - min(beat if number(beat) else arrived, arrived), 0.0)
        elif beat != self.last.get("heartbeat"):
            self.heard = now
        self.last = status
        return now - self.heard

    def listen(self, status: Record) -> Record:
        """The status, with a sentence if nothing new has come for long; of a file that has come by half, the one before."""
        status = status or (self.last if self.folder.status.exists() else {})
        if status.get("state") not in LIVE or not is_elsewhere(self.folder, status) or is_locked(self.folder):
            return status
        seconds = self.silence(status)
        if seconds < SILENCE:
            return status
        return status | {
            "sentence": f"Last heard {seconds:,.0f} s ago from {status.get('host')}: this folder shows what has come from there."
        }


def stored(folder: RunFolder) -> Record:
    """What the file says; {} where it cannot be read, as a power cut may leave it: the next `set` writes it anew."""
    try:
        found = read_json(folder.status)
    except TrainError:
        return {}
    return found if has_shape(found, STATUS) else {}


def _starts(status: Record) -> bool:
    """Whether its process may still be on its way to the lock. A clock that was set back is no reason to wait."""
    launched = status.get("heartbeat")
    return status["state"] == "starting" and isinstance(launched, float) and abs(time.time() - launched) < START


def _lost(folder: RunFolder) -> str:
    """A full disk is said by the reader, since the process had no room to write it."""
    if is_full(folder.path):
        return f"There is no space left on the disk of {folder.path}: make room, then resume the run."
    return "The process ended without a word (killed, or the machine stopped): resume the run."
