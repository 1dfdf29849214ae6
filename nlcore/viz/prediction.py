"""What a reader is asked to predict: tick one of a few answers, move a point, or draw a curve.

    Tick("00-halved", "What does the first key answer after the second write?", ("(4, 2)", "(2, 1)"), right="(2, 1)",
         because="One update passed, and it keeps half.")
    Curve("00-crowding", "Draw the recall of the memory that adds.", line="adds", at={"alpha": 1.0}, because="...")

The definitions stand in `nlcore/viz/predictions/`, a module a chapter, and not in the notebooks, because an answer
that stands beside its question is read before it is guessed. A notebook names the key:

    fading().predict("00-crowding")   # before an explorer, which opens once it is answered
    predict("00-halved")              # alone, about what the next cell will show

The truth of a point or a curve is never typed in: it is what the explorer's own chart shows. Pure; `question` shows it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from nlcore.viz.axis import Axis, axes

if TYPE_CHECKING:  # charts are explored by views that ask, and those judge charts
    from nlcore.viz.chart.plot import Chart, Line, Plot

Place = Callable[[np.ndarray, np.ndarray], tuple[float, float]]
"""From the x and y of a line, the point on it that is asked for."""


@dataclass(frozen=True)
class Verdict:
    """What became of a guess."""

    right: bool
    words: str
    """How near it came, in a sentence."""


@dataclass(frozen=True)
class Tick:
    """One of a few answers."""

    key: str
    """Chapter and name, as in "00-clock"."""
    question: str
    options: tuple[str, ...]
    right: str
    """One of the options."""
    because: str
    """Why that is so, in a sentence or two."""
    at: Mapping[str, Any] = field(default_factory=dict)
    """The explorer's controls at which the answer is seen, where it does not open there."""
    spoils: bool = True
    """The view as it opens shows the answer, and so is hidden until there is one."""

    def __post_init__(self) -> None:
        if self.right not in self.options or len(set(self.options)) < max(2, len(self.options)):
            raise ValueError(f"{self.key}: {self.right!r} has to be one of two or more different options")

    def takes(self, answer: Any) -> bool:
        """Whether this is an answer to the question."""
        return answer in self.options

    def judge(self, answer: str) -> Verdict:
        """Whether this option is right."""
        if answer == self.right:
            return Verdict(True, "You were right.")
        return Verdict(False, "Not this time.")


@dataclass(frozen=True)
class Drawing:
    """What is asked on a chart's axes: the places of the handles, and where they belong."""

    axes: tuple[Axis, Axis]
    x: np.ndarray
    y: np.ndarray
    """(handles,) the truth, in the chart's own numbers."""
    given: tuple[Line, ...] = ()
    """Lines that are shown beside the question."""


@dataclass(frozen=True)
class OnChart(ABC):
    """What is drawn on the axes of an explorer's chart, where one of its lines is the truth."""

    key: str
    question: str
    line: str
    """How the line's name in the chart begins."""
    _: KW_ONLY
    because: str
    at: Mapping[str, Any] = field(default_factory=dict)
    """The explorer's controls at which the line is drawn; those left out stand as they open."""
    plot: int = 0
    given: tuple[str, ...] = ()
    """Lines of the chart that are shown beside the question: how their names begin."""

    @property
    def spoils(self) -> bool:
        """Whether the explorer as it opens shows the answer."""
        return not self.at

    def drawing(self, chart: Chart) -> Drawing:
        """The question on this chart's axes. Raises ValueError if the chart has no such line."""
        plot = chart[self.plot]
        across, up = axes(plot)
        x, y = self._truth(*_seen(_line(plot, self.line), across), across, up)
        return Drawing((across, up), x, y, tuple(_line(plot, name) for name in self.given))

    @abstractmethod
    def _truth(self, x: np.ndarray, y: np.ndarray, across: Axis, up: Axis) -> tuple[np.ndarray, np.ndarray]:
        """Where the handles belong, (handles,) each, on a line of these points."""


@dataclass(frozen=True)
class Curve(OnChart):
    """The course of the line, drawn by a few handles, which move up and down."""

    _: KW_ONLY
    handles: int = 5
    within: float = 0.2
    """Right, if no handle is further off, as a share of the frame's height: a mean would forgive a wrong course."""

    def _truth(self, x: np.ndarray, y: np.ndarray, across: Axis, up: Axis) -> tuple[np.ndarray, np.ndarray]:
        here = np.round(across.value(np.linspace(*across.share(x[[0, -1]]), self.handles)), 12)
        return here, up.value(np.interp(across.share(here), across.share(x), up.share(y)))

    def takes(self, answer: Any) -> bool:
        """Whether this is an answer to the question: a height for each handle."""
        return _numbers(answer, self.handles)

    def judge(self, answer: Sequence[float], drawing: Drawing) -> Verdict:
        """Whether these heights of the handles are near enough to the drawing's."""
        up = drawing.axes[1]
        off = float(np.abs(up.share(np.asarray(answer)) - up.share(drawing.y)).max())
        return _verdict(off <= self.within, f"at its worst point your curve is {off:.0%} of the frame’s height off.")


@dataclass(frozen=True)
class Point(OnChart):
    """One point on the line."""

    _: KW_ONLY
    where: Place
    """Which of its points, as `last_below(0.05)`."""
    within: float = 0.1
    """Right, if it is no further off in either direction, as a share of the frame."""

    def _truth(self, x: np.ndarray, y: np.ndarray, across: Axis, up: Axis) -> tuple[np.ndarray, np.ndarray]:
        here, there = self.where(x, y)
        return np.array([here]), np.array([there])

    def takes(self, answer: Any) -> bool:
        """Whether this is an answer to the question: x and y."""
        return _numbers(answer, 2)

    def judge(self, answer: Sequence[float], drawing: Drawing) -> Verdict:
        """Whether this x and y is near enough to the drawing's point."""
        truth = drawing.x[0], drawing.y[0]
        off = [abs(axis.share(at) - axis.share(true)) for axis, at, true in zip(drawing.axes, answer, truth)]
        return _verdict(bool(max(off) <= self.within), f"your point is {off[0]:.0%} of the frame off across and {off[1]:.0%} up.")


Prediction = Tick | Curve | Point


@dataclass(frozen=True)
class Chapter:
    """A chapter's title and its predictions, at most four, in the order in which they are met."""

    title: str
    predictions: tuple[Prediction, ...]


def last_below(height: float) -> Place:
    """The last of a line's points, from left to right, that lies lower."""

    def place(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
        last = np.flatnonzero(y < height)[-1]
        return float(x[last]), float(y[last])

    return place


def _line(plot: Plot, name: str) -> Line:
    found = [line for line in plot.lines if line.name.startswith(name)]
    if len(found) != 1:
        there = ", ".join(repr(line.name) for line in plot.lines)
        raise ValueError(f"{len(found)} lines of {plot.title!r} begin with {name!r}; it has {there}")
    return found[0]


def _seen(line: Line, across: Axis) -> tuple[np.ndarray, np.ndarray]:
    """The part of a line that has numbers and lies in the frame, from left to right."""
    x, y = np.asarray(line.x, dtype=float), np.asarray(line.y, dtype=float)
    order = np.argsort(x)
    order = order[np.isfinite(y[order]) & (x[order] >= across.low) & (x[order] <= across.high)]
    return x[order], y[order]


def _numbers(answer: Any, count: int) -> bool:
    return (
        isinstance(answer, Sequence) and len(answer) == count
        and all(isinstance(one, int | float) and np.isfinite(one) for one in answer)
    )  # fmt: skip


def _verdict(right: bool, how: str) -> Verdict:
    return Verdict(right, f"You were right: {how}" if right else f"Not this time: {how}")
