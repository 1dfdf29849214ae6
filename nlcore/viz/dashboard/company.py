"""Tells whether another kernel's dashboard watches the same run."""

from pathlib import Path

from filelock import lock_descriptor

NAMES = tuple(f"watched-{seat}" for seat in range(1, 10))
"""A watcher's seat is a file in the run folder; beyond the last one, watchers see others and are not seen."""


class Company:
    """The lock on a seat of its own; the system frees it when the kernel ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.seat, self.file = folder, "", None
        try:
            for name in NAMES:
                file = open(folder / name, "ab")
                if lock_descriptor(file.fileno(), blocking=False):
                    self.seat, self.file = name, file
                    return
                file.close()
        except OSError:  # a folder that may only be read
            return

    def others(self) -> bool:
        """Whether someone else is in another seat."""
        return any(self._is_taken(self.folder / name) for name in NAMES if name != self.seat)

    def _is_taken(self, seat: Path) -> bool:
        try:
            with open(seat, "r+b") as file:
                return not lock_descriptor(file.fileno(), blocking=False)
        except OSError:  # nobody has ever sat there, or the folder may only be read
            return False

    def leave(self) -> None:
        if self.file is not None:
            self.file.close()
            self.file = None
