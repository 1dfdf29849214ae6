"""Static pictures of a run, read from its folder."""

import math
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nlcore.levels import every
from nlcore.train.launch import Run, attach
from nlcore.train.records import Record
from nlcore.viz import score
from nlcore.viz.axis_of_loss import near
from nlcore.viz.roll import Row, roll
from nlcore.viz.theme import Look, level_looks, run_looks, tidy

MOMENTUM = " momentum"


def curves(*runs: str | Path) -> Figure:
    """Bits per byte of one or more runs, and the size of the updates of the first run's levels."""
    figure, (learning, levels) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for run, look in zip(runs, run_looks(len(runs))):
        _learning(learning, attach(run), look)
    tidy(learning, "What is learnt", "step", "bits per byte")
    learning.legend(frameon=False)
    _updates(levels, attach(runs[0]).levels())
    return figure


def against(*runs: str | Path) -> Figure:
    """The same runs twice: by steps, where each has read as much, and by minutes of training, where each took as long."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained", sharey=True)
    for place, (x, field, scale) in zip(axes, (("step", "step", 1.0), ("minutes of training", "elapsed", 1 / 60))):
        for run, look in zip(runs, run_looks(len(runs))):
            _learning(place, attach(run), look, field, scale)
        near(place, place.lines)
        tidy(place, f"By {x}", x, "bits per byte")
    axes[0].legend(frameon=False)
    return figure


def level_score(run: str | Path, first: int = 1, last: int | None = None) -> Figure:
    """The piano roll of a run's levels, fastest on top, as the dashboard draws it: a notch marks each firing.

    Raises ValueError if nothing was reported between steps `first` and `last`.
    """
    found = score.level_score(attach(run).levels(), first, last)
    figure, axes = plt.subplots(figsize=(10, 0.3 * len(found.levels) + 1.3), layout="constrained")
    named = level_looks(found.levels)
    rows = [Row(level, every(*found.periods[level]), named[level].colour) for level in found.levels]
    left = np.concatenate([[first - 1], found.steps[:-1]])
    roll(axes, rows, left, found.steps, found.size, found.writes)
    axes.set_xlim(left[0], found.steps[-1])
    return figure


def _learning(axes: Axes, run: Run, look: Look, x: str = "step", per: float = 1.0) -> None:
    lines, line = run.metrics(), {"color": look.colour, "linestyle": look.dash}
    if run.config().preset.tokenizer == "bytes":  # a token is a byte, so nats a token are bits a byte but for log 2
        steps, loss = _columns(lines, x, "loss")
        axes.plot(per * steps, loss / math.log(2), **line, alpha=0.4, linewidth=1)
    steps, validation = _columns(lines, x, "validation_bits_per_byte")
    axes.plot(per * steps, validation, **line, marker=look.marker, label=f"{run.folder.path.name}, validation")


def _columns(lines: list[Record], *fields: str) -> tuple[np.ndarray, ...]:
    there = [line for line in lines if all(line.get(field) is not None for field in fields)]
    return tuple(np.array([line[field] for line in there]) for field in fields)


def _updates(axes: Axes, rows: list[Record]) -> None:
    found = score.over_steps([row for row in rows if not row["level"].endswith(MOMENTUM)], "update_norm")
    for (level, (steps, norms)), look in zip(found.items(), level_looks(list(found)).values()):
        axes.plot(steps, norms, **look.line(), markersize=3, markevery=max(len(steps) // 12, 1), label=level)
    axes.set_yscale("log")
    tidy(axes, "How much each level changes", "step", "norm of an update")
    axes.legend(frameon=False, ncols=2, fontsize=8)
