"""Any number of reports in a fixed number of columns: when the columns are full, neighbours merge."""

import numpy as np


class Bins:
    """Series of numbers over steps, in bounded memory.

    A column holds `width` reports, 1 at first. When all columns are full, pairs of them merge and
    `width` doubles; a column keeps the mean and the largest value of each series. NaN is "no value".

    Args:
        series: S, how many numbers a report has.
        columns: N, even.
    """

    def __init__(self, series: int, columns: int = 512) -> None:
        if columns < 2 or columns % 2:
            raise ValueError(f"columns is {columns}: give an even number, 2 or more, so that pairs can merge")
        self.columns, self.used, self.width, self.held = columns, 0, 1, 0
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
        if not self.used or step != self.last[self.used - 1]:
            self._advance()
        column, there = self.used - 1, np.isfinite(values)
        self.last[column] = step
        self.total[there, column] += values[there]
        self.count[there, column] += 1
        self.most[:, column] = np.fmax(self.most[:, column], np.where(there, values, np.nan))
        self.touched = min(self.touched, column)

    def _advance(self) -> None:
        """Makes room for one more report."""
        if self.used and self.held < self.width:
            self.held += 1
            return
        if self.used == self.columns:
            self._merge()
        self.used, self.held = self.used + 1, 1

    def _merge(self) -> None:
        half = self.columns // 2
        self.last[:half] = self.last[1::2]
        for kept, join, empty in ((self.total, np.add, 0), (self.count, np.add, 0), (self.most, np.fmax, np.nan)):
            kept[:, :half] = join(kept[:, 0::2], kept[:, 1::2])
            kept[:, half:] = empty
        self.used, self.width, self.touched = half, self.width * 2, 0

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
