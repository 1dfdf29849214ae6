"""status.json: what a run is doing, for everyone who looks."""

import math
import os
import socket
import time
from typing import Any

from nlcore.train.config import TrainError
from nlcore.train.folder import RunFolder, is_full, is_locked, write_json
from nlcore.train.records import STATUS, Record, has_shape, read_json

LIVE = ("starting", "training", "validating", "paused")
"""States of a run whose process is there; the others are "done", "stopped", "failed" and "lost"."""
HEARTBEAT = 0.5
"""Seconds between two heartbeats, at least."""
START = 60.0
"""Seconds that a process may take from its launch to the lock."""


class Status:
    """The trainer's side. What `set` is given stays until it is set anew."""

    def __init__(self, folder: RunFolder) -> None:
        self.path, self.beaten = folder.status, -math.inf
        self.fields: Record = stored(folder) | {"pid": os.getpid(), "host": socket.gethostname()}

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
    """What the file says, {} before any launch. The state is "lost" if the process ought to be there and is not."""
    status = stored(folder)
    if status.get("state") not in LIVE or is_locked(folder) or _starts(status):
        return status
    status = stored(folder)  # it may have ended, in order, since the first look
    if status.get("state") in LIVE:
        status |= {"state": "lost", "sentence": _lost(folder)}
    return status


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
