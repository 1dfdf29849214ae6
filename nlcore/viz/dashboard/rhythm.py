"""Whether a level keeps its time: how often it was to fire, how often it did, and since when it has not moved."""

from collections.abc import Iterable

from nlcore.levels import every

Change = tuple[int, int]
"""A step, and the period from that step on."""


class Rhythm:
    """What is expected of one row of the score, beside what is reported.

    Of an outer level all firings are counted. An in-context memory is counted in the steps that are reported, where
    it is to write once for each whole chunk of the context.

    Attributes:
        expected, seen: firings so far.
        moved: the last report before which it changed.
    """

    def __init__(self, period: int, unit: str, context: int) -> None:
        self.period, self.unit, self.context = period, unit, context
        self.expected = self.seen = self.moved = self.step = 0
        self._fired = 0
        """The last step at which it was to fire."""

    def report(self, step: int, period: int, writes: int, moved: bool, changes: Iterable[Change] = ()) -> None:
        """A report: the period that holds there, firings since the one before, whether anything changed by them.

        changes: commands, in order of their steps; those before the last report are done.
        """
        if self.unit == "tokens":
            self.expected += self.context // max(period, 1)
        else:
            for at, new in changes:
                if self.step < at <= step:
                    self._go(at - 1)
                    self.period = new
            self._go(step)
        self.step, self.period = step, period
        self.seen += writes
        self.moved = step if moved else self.moved

    def _go(self, step: int) -> None:
        """By the rule of `Clock`: it fires once `period` steps have passed since it last did."""
        period = max(self.period, 1)
        first = max(self._fired + period, self.step + 1)
        if first <= step:
            times = 1 + (step - first) // period
            self.expected, self._fired = self.expected + times, first + (times - 1) * period
        self.step = step

    @property
    def late(self) -> bool:
        """Whether it has not moved for longer than its period. A run's very first step may have a rate of 0."""
        if self.unit == "tokens":
            return self.context > self.period and self.moved < self.step
        return self.step - self.moved > self.period

    def sentence(self, label: str) -> str:
        """What is wrong, for whoever watches."""
        since = f"has not moved since step {self.moved:,}" if self.moved else "has never moved"
        return f"{label} is late: it {since}, and is to move {every(self.period, self.unit)} ({self.expected:,} expected, {self.seen:,} seen)."
