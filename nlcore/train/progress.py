"""What the terminal shows, and log.txt keeps."""

import shutil
import sys
import time
from contextlib import suppress
from typing import TextIO

from nlcore.train.folder import RunFolder
from nlcore.train.words import visible

PLAIN_EVERY = 5.0
"""Seconds between two progress lines where they cannot be rewritten."""


class Display:
    """A stream for people. It may be missing, closed, gone or poor in letters: what it cannot show is lost, no more.

    Args:
        stream: None is standard output, which a process may lack.
    """

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = sys.stdout if stream is None else stream

    def write(self, text: str) -> None:
        """Shows the text at once; letters that the stream has no code for are shown as escapes. Never raises."""
        if self.stream is None:
            return
        try:
            code = getattr(self.stream, "encoding", None) or "utf-8"
            self.stream.write(text.encode(code, "backslashreplace").decode(code))
            self.stream.flush()
        except Exception:  # whatever a stream may raise, it is not worth a run
            self.stream = None

    def rewrites(self) -> bool:
        """Whether it is a terminal, where a line can be written over."""
        with suppress(Exception):  # a closed stream raises, and others have no such method
            return self.stream.isatty()
        return False


class Progress:
    """One rewriting line on a terminal; plain lines, not too many, anywhere else. Never raises: a run goes on unseen.

    Args:
        folder: sentences are kept in its log.txt; progress lines are not.
        stream: None is standard output.
    """

    def __init__(self, folder: RunFolder, stream: TextIO | None = None) -> None:
        self.log, self.display = folder.log, Display(stream)
        self.width, self.shown = 0, 0.0

    def say(self, sentence: str) -> None:
        """Prints lines of their own, and keeps them; control characters in them are made visible."""
        self._end_line()
        self.display.write(visible(sentence) + "\n")
        self.note(sentence)

    def note(self, sentence: str) -> None:
        """Keeps lines in log.txt without printing them; without room for them they are lost."""
        stamp = time.strftime("%Y-%m-%d %H:%M:%S")
        lines = "".join(f"{stamp}  {line}\n" for line in visible(sentence).split("\n"))
        with suppress(OSError), open(self.log, "a", encoding="utf-8") as log:
            log.write(lines)

    def show(self, line: str) -> None:
        """Shows how far the run is."""
        if self.display.rewrites():
            line = line[: shutil.get_terminal_size().columns - 1]
            self.display.write("\r" + line.ljust(self.width))
            self.width = len(line)
        elif time.monotonic() - self.shown >= PLAIN_EVERY:
            self.display.write(line + "\n")
            self.shown = time.monotonic()

    def _end_line(self) -> None:
        if self.width:
            self.display.write("\n")
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
