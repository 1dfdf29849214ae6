"""How far a preparation is, in a line now and then."""

import time
from collections.abc import Callable

from nlcore.tasks.formats import Source

EVERY = 5.0
"""Seconds between two lines."""


class Meter:
    """Counts what this call has read; the time left is known where all sources say their size."""

    def __init__(self, sources: list[Source], say: Callable[[str], None]) -> None:
        self.sizes, self.say = [source.size for source in sources], say
        self.documents = self.size = 0
        self.share = 0.0
        """Of the source that is being read."""
        self.started = self.said = time.perf_counter()
        self.begun: float | None = None

    def show(self, source: int, documents: int, size: int) -> None:
        """So many documents more, of so many bytes, are done, and this source, by its number, is being read."""
        done = self._done(source)
        self.begun = done if self.begun is None else self.begun
        self.documents, self.size = self.documents + documents, self.size + size
        now = time.perf_counter()
        if now - self.said >= EVERY:
            self.said = now
            self.say(f"{self.line(now - self.started)}{self._left(done, now - self.started)}")

    def line(self, seconds: float) -> str:
        speed = self.size / 1e6 / max(seconds, 1e-9)
        return f"{self.documents:,} documents, {self.size / 1e6:,.0f} MB of text, {speed:,.1f} MB/s"

    def _done(self, source: int) -> float:
        """Share of all sources that has been read; 0 where a size is not known."""
        if None in self.sizes:
            return 0.0
        here = self.share * self.sizes[source] if source < len(self.sizes) else 0.0
        return (sum(self.sizes[:source]) + here) / max(sum(self.sizes), 1)

    def _left(self, done: float, seconds: float) -> str:
        if not self.begun or done <= self.begun:
            return ""
        left = seconds * (1 - done) / (done - self.begun)
        return f", about {left / 3600:,.1f} hours left" if left > 5400 else f", about {left / 60:,.1f} minutes left"
