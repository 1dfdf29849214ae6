"""A run's whole history in bounded memory: the levels' figures and the run's metrics, by step."""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from statistics import median

import numpy as np

from nlcore.train.records import Record
from nlcore.viz.dashboard.bins import Bins
from nlcore.viz.dashboard.rhythm import Change, Rhythm

FIGURES = ("change", "weight_norm", "surprise", "eta", "alpha", "lr", "gradient_norm", "second_moment_norm", "fired")
"""What is kept of each row. `change` is the update's norm over the row's own norm, where it fired; `fired` how often."""
METRICS = ("loss", "validation_bits_per_byte", "tokens_per_second", "lr", "gradient_norm", "memory", "tokens", "elapsed")
BEFORE = 20
"""Reports whose losses say what is usual."""
SPIKE = 6.0
"""Deviations above the usual loss, at which a loss is a spike."""
Row = tuple[str, str | None]
"""A level and, for an in-context one, the memory."""


@dataclass(frozen=True)
class Levels:
    """What every row did. R rows, n columns; NaN where there is no value."""

    rows: tuple[Row, ...]
    steps: np.ndarray
    """(n,) the last step of each column."""
    mean: dict[str, np.ndarray]
    """By figure, (R, n)."""
    largest: dict[str, np.ndarray]
    """By figure, (R, n)."""
    fired: np.ndarray
    """(R, n) how often the row fired in the column, at reported steps and between them."""


class LevelHistory:
    """Rows of levels.jsonl, binned. `add` takes them in the order of the file."""

    def __init__(self, columns: int = 512, context: int = 0) -> None:
        self.bins, self.context = Bins(0, columns), context
        self.rows: dict[Row, int] = {}
        self.rhythms: dict[Row, Rhythm] = {}
        self.periods: dict[str, tuple[int, str]] = {}
        """Each level's latest period and its unit."""
        self.changes: dict[str, deque[Change]] = {}
        """Commands that changed a level's period."""

    def add(self, records: Iterable[Record]) -> None:
        for step, report in groupby(records, key=lambda record: record["step"]):
            self._add_report(step, list(report))

    def _add_report(self, step: int, report: list[Record]) -> None:
        for record in report:
            row = (record["level"], record["memory"])
            if row not in self.rows:
                self.rows[row] = len(self.rows)
                self.bins.grow(len(FIGURES))
                self.rhythms[row] = Rhythm(record["period"], record["unit"], self.context)
            moved = record["writes"] > 0 and record["update_norm"] != 0
            changes = self.changes.get(record["level"], ())
            self.rhythms[row].report(step, record["period"], record["writes"], moved, changes)
            self.periods[record["level"]] = (record["period"], record["unit"])
        values: list[float | None] = [None] * (len(self.rows) * len(FIGURES))
        for record in report:
            begin = self.rows[record["level"], record["memory"]] * len(FIGURES)
            values[begin : begin + len(FIGURES)] = _figures(record)
        self.bins.add(step, np.array(values, dtype=float))

    def view(self) -> Levels:
        """All that is kept, as arrays."""
        shape = (len(self.rows), len(FIGURES), self.bins.used)
        tables = (values.reshape(shape) for values in (self.bins.mean(), self.bins.largest(), self.bins.sum()))
        mean, largest, total = ({name: values[:, i] for i, name in enumerate(FIGURES)} for values in tables)
        return Levels(tuple(self.rows), self.bins.steps(), mean, largest, fired=total["fired"])


def compute(records: Iterable[Record], columns: int = 512) -> Levels:
    """What the level score shows of rows of levels.jsonl, in at most `columns` columns."""
    history = LevelHistory(columns)
    history.add(records)
    return history.view()


def _figures(record: Record) -> list[float | None]:
    """In the order of FIGURES; None for what a row does not have."""
    fired, norm, update = record["writes"], record["weight_norm"], record["update_norm"]
    change = update / norm if fired and norm and update is not None else None
    return [change, *[record[name] for name in FIGURES[1:-1]], fired]


class MetricHistory:
    """Lines of metrics.jsonl, binned; the loss in bits per byte where a token is a byte."""

    def __init__(self, byte_tokens: bool, columns: int = 512) -> None:
        self.bins, self.scale = Bins(len(METRICS), columns), 1 / math.log(2) if byte_tokens else math.nan
        self.latest: Record = {}
        self.best: tuple[float, int] | None = None
        """The least validation so far, and its step."""
        self.recent: deque[float] = deque(maxlen=BEFORE)
        self.spike: tuple[int, float, float] | None = None
        """Step, loss and usual loss of the last spike, in nats a token; None when it is long past."""
        self.past = 0
        """Reports since then."""
        self.waited = 0.0
        """Share of the last report's time in which its steps waited for data."""

    def add(self, records: Iterable[Record]) -> None:
        for record in records:
            seconds = (record.get("elapsed") or 0) - (self.latest.get("elapsed") or 0)
            self.waited = (record.get("data_seconds") or 0) / seconds if seconds > 0 else 0.0
            self.latest = record
            values = np.array([record.get(name) for name in METRICS], dtype=float)
            values[0] *= self.scale
            self.bins.add(record["step"], values)
            found = record["validation_bits_per_byte"]
            if found is not None and (self.best is None or found < self.best[0]):
                self.best = (found, record["step"])
            if record["loss"] is not None:
                self._watch(record["step"], record["loss"])

    def _watch(self, step: int, loss: float) -> None:
        """Notes a loss far above those of the reports before it: by their spread, and by a tenth of their middle."""
        if len(self.recent) == BEFORE:
            usual = median(self.recent)
            spread = median(abs(one - usual) for one in self.recent)
            if loss - usual > max(SPIKE * spread, usual / 10):
                self.spike, self.past = (step, loss, usual), 0
        self.past += 1
        if self.past > BEFORE:
            self.spike = None
        self.recent.append(loss)
