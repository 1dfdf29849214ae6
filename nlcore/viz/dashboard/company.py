"""Tells whether another kernel's dashboard watches the same run."""

import fcntl
from pathlib import Path

NAME = "watched"


class Company:
    """A shared lock on a small file in the run folder; the system frees it when the kernel ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        try:
            self.file = open(folder / NAME, "ab")
            fcntl.flock(self.file, fcntl.LOCK_SH)
        except OSError:  # a folder that may only be read
            self.file = None

    def others(self) -> bool:
        """Whether someone else holds the lock too."""
        if self.file is None:
            return False
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return False
        except OSError:
            return True
        finally:  # a failed change of the lock drops it
            fcntl.flock(self.file, fcntl.LOCK_SH)

    def leave(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None
