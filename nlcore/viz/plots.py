"""Static pictures of a run, read from its folder."""

import math
from pathlib import Path

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from nlcore.train.launch import Run, attach
from nlcore.train.records import Record
from nlcore.viz import score
from nlcore.viz.theme import COLOURS, MARKERS, looks, tidy

MOMENTUM = " momentum"


def curves(*runs: str | Path) -> Figure:
    """Bits per byte of one or more runs, and the size of the updates of the first run's levels."""
    figure, (learning, levels) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
    for index, run in enumerate(runs):
        _learning(learning, attach(run), COLOURS[index], MARKERS[index])
    tidy(learning, "What is learnt", "step", "bits per byte")
    learning.legend(frameon=False)
    _updates(levels, attach(runs[0]).levels())
    return figure


def against(*runs: str | Path) -> Figure:
    """The same runs twice: by steps, where each has read as much, and by minutes of training, where each took as long."""
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained", sharey=True)
    for place, (x, field, scale) in zip(axes, (("step", "step", 1.0), ("minutes of training", "elapsed", 1 / 60))):
        for index, run in enumerate(runs):
            _learning(place, attach(run), COLOURS[index], MARKERS[index], field, scale)
        tidy(place, f"By {x}", x, "bits per byte")
    axes[0].legend(frameon=False)
    return figure


def level_score(run: str | Path, first: int = 1, last: int | None = None) -> Figure:
    """The piano roll of a run's levels, fastest on top; a dot marks where a level changed.

    Raises ValueError if nothing was reported between steps `first` and `last`.
    """
    roll = score.level_score(attach(run).levels(), first, last)
    figure, axes = plt.subplots(figsize=(10, 0.5 * len(roll.levels) + 1.3), layout="constrained")
    edges = _edges(roll.steps)
    seen = roll.size[roll.fired]
    # Sizes differ by powers of ten between levels, so brightness is their logarithm.
    norm = LogNorm(max(seen.min(), 1e-6), max(seen.max(), 1e-5))
    image = axes.pcolormesh(
        edges, np.arange(len(roll.levels) + 1), np.ma.masked_invalid(roll.size), cmap="cividis", norm=norm
    )
    rows, columns = np.nonzero(roll.fired)
    colours = [look.colour for look in looks(roll.levels).values()]
    if len(roll.steps) <= 100:  # closer than that, dots run together
        axes.scatter(roll.steps[columns], rows + 0.5, s=6, color="white", edgecolors="black", linewidths=0.4)
    axes.set_yticks(np.arange(len(roll.levels)) + 0.5, roll.levels)
    for label, colour in zip(axes.get_yticklabels(), colours):
        label.set_color(colour)
    axes.invert_yaxis()
    tidy(axes, "Level score: who changes when, and by how much", "step", "")
    axes.grid(False)
    axes.set_facecolor("#eeeeee")
    figure.colorbar(image, label="update / weights", pad=0.01)
    return figure


def _learning(axes: Axes, run: Run, colour: str, marker: str, x: str = "step", per: float = 1.0) -> None:
    lines = run.metrics()
    if run.config().preset.tokenizer == "bytes":  # a token is a byte, so nats a token are bits a byte but for log 2
        steps, loss = _columns(lines, x, "loss")
        axes.plot(per * steps, loss / math.log(2), color=colour, alpha=0.4, linewidth=1)
    steps, validation = _columns(lines, x, "validation_bits_per_byte")
    axes.plot(per * steps, validation, color=colour, marker=marker, label=f"{run.folder.path.name}, validation")


def _columns(lines: list[Record], *fields: str) -> tuple[np.ndarray, ...]:
    there = [line for line in lines if all(line.get(field) is not None for field in fields)]
    return tuple(np.array([line[field] for line in there]) for field in fields)


def _updates(axes: Axes, rows: list[Record]) -> None:
    found = score.over_steps([row for row in rows if not row["level"].endswith(MOMENTUM)], "update_norm")
    for (level, (steps, norms)), look in zip(found.items(), looks(list(found)).values()):
        axes.plot(steps, norms, **look.line(), markersize=3, markevery=max(len(steps) // 12, 1), label=level)
    axes.set_yscale("log")
    tidy(axes, "How much each level changes", "step", "norm of an update")
    axes.legend(frameon=False, ncols=2, fontsize=8)


def _edges(steps: np.ndarray) -> np.ndarray:
    """Borders of columns centred on `steps`: (S,) -> (S + 1,)."""
    if len(steps) == 1:
        return np.array([steps[0] - 0.5, steps[0] + 0.5])
    middle = (steps[1:] + steps[:-1]) / 2
    return np.concatenate([[2 * steps[0] - middle[0]], middle, [2 * steps[-1] - middle[-1]]])
