"""What the terminal shows, and log.txt keeps."""

import shutil
import sys
import time
from typing import TextIO

from nlcore.train.folder import RunFolder

PLAIN_EVERY = 5.0
"""Seconds between two progress lines where they cannot be rewritten."""


class Progress:
    """One rewriting line on a terminal; plain lines, not too many, anywhere else.

    Args:
        folder: sentences are kept in its log.txt; progress lines are not.
        stream: None is standard output.
    """

    def __init__(self, folder: RunFolder, stream: TextIO | None = None) -> None:
        self.log, self.stream = folder.log, stream or sys.stdout
        self.width, self.shown = 0, 0.0

    def say(self, sentence: str) -> None:
        """Prints lines of their own, and keeps them."""
        self._end_line()
        print(sentence, file=self.stream, flush=True)
        self.note(sentence)

    def note(self, sentence: str) -> None:
        """Keeps lines in log.txt without printing them."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        with open(self.log, "a", encoding="utf-8") as log:
            log.write("".join(f"{stamp}  {line}\n" for line in sentence.splitlines()))

    def show(self, line: str) -> None:
        """Shows how far the run is."""
        if self.stream.isatty():
            line = line[: shutil.get_terminal_size().columns - 1]
            print("\r" + line.ljust(self.width), end="", file=self.stream, flush=True)
            self.width = len(line)
        elif time.monotonic() - self.shown >= PLAIN_EVERY:
            print(line, file=self.stream, flush=True)
            self.shown = time.monotonic()

    def _end_line(self) -> None:
        if self.width:
            print(file=self.stream)
            self.width = 0


def line(step: int, steps: int | None, loss: float, tokens_per_second: float, left: float) -> str:
    """The progress line: how far, the loss, the speed, the time left."""
    far = f"step {step:,}" + (f" of {steps:,}" if steps else "")
    return f"{far}   loss {loss:.3f} nats a token   {tokens_per_second:,.0f} tokens/s   {clock(left)} left"


def clock(seconds: float) -> str:
    """Hours, minutes and seconds: 1:02:03, or 2:03."""
    minutes, rest = divmod(max(round(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
