"""Any number of reports in a fixed number of columns: when the columns are full, neighbours merge."""

import numpy as np


class Bins:
    """Series of numbers over steps, in bounded memory.

    A column is one report, at first. When all columns are used, those merge that lie in the same `width` steps: twice the
    least distance of two reports, and then twice as many again and again. A column keeps the mean and the largest value of
    each series; NaN is "no value". Where reports are rarer than `width`, each keeps a column of its own.

    Args:
        series: S, how many numbers a report has.
        columns: N, 2 or more.
    """

    def __init__(self, series: int, columns: int = 512) -> None:
        if columns < 2:
            raise ValueError(f"columns is {columns}: give 2 or more, so that some can merge")
        self.columns, self.used, self.width = columns, 0, 1
        self.last = np.zeros(columns, dtype=np.int64)
        self.total = np.zeros((series, columns))
        self.count = np.zeros((series, columns), dtype=np.int64)
        self.most = np.full((series, columns), np.nan)
        self.touched = 0
        """The first column that changed since this was set."""

    def grow(self, series: int) -> None:
        """Adds series, without values so far."""
        self.total = np.concatenate([self.total, np.zeros((series, self.columns))])
        self.count = np.concatenate([self.count, np.zeros((series, self.columns), dtype=np.int64)])
        self.most = np.concatenate([self.most, np.full((series, self.columns), np.nan)])
        self.touched = 0

    def add(self, step: int, values: np.ndarray) -> None:
        """Adds `values` (S,) of a step; more values of the step added last join the same report."""
        if not self._is_last(step):
            self._advance(step)
        column, there = self.used - 1, np.isfinite(values)
        self.last[column] = step
        self.total[there, column] += values[there]
        self.count[there, column] += 1
        self.most[:, column] = np.fmax(self.most[:, column], np.where(there, values, np.nan))
        self.touched = min(self.touched, column)

    def _place(self, step: int | np.ndarray) -> int | np.ndarray:
        """Which of all columns of this width a step belongs to."""
        return (step - 1) // self.width

    def _is_last(self, step: int) -> bool:
        """Whether a step belongs to the last column."""
        return self.used > 0 and self._place(step) == self._place(self.last[self.used - 1])

    def _advance(self, step: int) -> None:
        """Makes room for the report of a step, in a column of its own if need be."""
        if self.used == self.columns and self.width == 1:
            self.width = int(np.diff(self.last).min())
        while self.used == self.columns:
            self.width *= 2
            self._merge()
        self.used += not self._is_last(step)

    def _merge(self) -> None:
        """Joins the columns that lie in one of the new width."""
        last = self.last[: self.used]
        begins = np.flatnonzero(np.diff(self._place(last), prepend=-1))
        ends, used = np.append(begins[1:], self.used) - 1, len(begins)
        self.last[:used] = last[ends]
        for kept, join, empty in ((self.total, np.add, 0), (self.count, np.add, 0), (self.most, np.fmax, np.nan)):
            kept[:, :used] = join.reduceat(kept[:, : self.used], begins, axis=1)
            kept[:, used:] = empty
        self.used, self.touched = used, 0

    def steps(self) -> np.ndarray:
        """The last step of each used column: (n,)."""
        return self.last[: self.used]

    def mean(self) -> np.ndarray:
        """(S, n); NaN where a column has no value."""
        count = self.count[:, : self.used]
        return np.where(count > 0, self.total[:, : self.used] / np.maximum(count, 1), np.nan)

    def sum(self) -> np.ndarray:
        """(S, n); 0 where a column has no value."""
        return self.total[:, : self.used]

    def largest(self) -> np.ndarray:
        """(S, n); NaN where a column has no value."""
        return self.most[:, : self.used]
