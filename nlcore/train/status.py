"""status.json: what a run is doing, for everyone who looks."""

import os
import socket
import time
from typing import Any

from nlcore.train.folder import Record, RunFolder, is_locked, read_json, write_json

LIVE = ("starting", "training", "validating", "paused")
"""States of a run whose process is there; the others are "done", "stopped", "failed" and "lost"."""
HEARTBEAT = 0.5
"""Seconds between two heartbeats, at least."""
START = 60.0
"""Seconds that a process may take from its launch to the lock."""


class Status:
    """The trainer's side. What `set` is given stays until it is set anew."""

    def __init__(self, folder: RunFolder) -> None:
        self.path = folder.status
        self.fields: Record = read_json(self.path) | {"pid": os.getpid(), "host": socket.gethostname()}

    def set(self, **fields: Any) -> None:
        """Changes fields and writes the file."""
        self.fields |= fields | {"heartbeat": time.time()}
        write_json(self.path, self.fields)

    def beat(self, **fields: Any) -> None:
        """The same, but at most every HEARTBEAT seconds while the state stays."""
        same = fields.get("state") == self.fields.get("state")
        if not same or time.time() - self.fields.get("heartbeat", 0) > HEARTBEAT:
            self.set(**fields)


def read_status(folder: RunFolder) -> Record:
    """What the file says, {} before any launch. The state is "lost" if the process ought to be there and is not."""
    status = read_json(folder.status)
    if status.get("state") not in LIVE or is_locked(folder):
        return status
    if status["state"] == "starting" and time.time() - status["heartbeat"] < START:
        return status
    status = read_json(folder.status)  # it may have ended, in order, since the first look
    if status["state"] in LIVE:
        lost = "The process ended without a word (killed, or the machine stopped): resume the run."
        status |= {"state": "lost", "sentence": lost}
    return status
