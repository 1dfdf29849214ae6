"""A nested system as a picture: components by their frequency, and what each hands to whom."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import cycle

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from nlcore.levels import KINDS, Component, NestedSystem, every
from nlcore.train.records import Record
from nlcore.viz import score
from nlcore.viz.roll import Row, roll
from nlcore.viz.theme import COLOURS, GREY, LEVELS, Look, level_looks, looks

LINES = {
    "parametric": ("solid", "-|>"),
    "non-parametric": ((0, (1, 1.5)), "-|>"),
    "backpropagation": ((0, (6, 2)), "<|-|>"),
    "initialisation": ((0, (6, 2, 1, 2)), "-|>"),
    "generation": ((0, (3, 2)), "->"),
}
"""Each kind of transfer as a kind of line, in ink: colours belong to levels."""
UNBUILT = "#c4c8cf"
"""Of a box of which nothing is filled."""
BOX, PITCH, ROOM, CLOSE = (2.15, 0.6), 2.4, 1.15, 0.8
"""A component's width and height; the distance of two in a level; the least of two levels, and where no lines run between."""


def diagram(system: NestedSystem, unit: str = "step", filled: Mapping[str, tuple[float, float]] | None = None) -> Figure:
    """Fastest on top, on a logarithmic scale of updates per `unit`; equally fast levels share a band, who is needed above.

    A band has to be as high as its levels are many, so the scale is logarithmic from band to band. Levels updated
    never, or anew at every read, have no place on it and stand at its ends.

    filled: by component, the shares of its box, from 0 to 1, up to which it is filled with its level's colour and, among
        these, newly so, which is darker; one of which nothing is filled is grey. By default none is filled, none grey.
    """
    levels, room = system.levels, ROOM if system.transfers else CLOSE
    heights = _heights([level[0].frequency for level in levels], room)
    places = {c.name: (_across(len(level), n), y) for level, y in zip(levels, heights) for n, c in enumerate(level)}
    wide = max(3, max(map(len, levels)))
    figure, axes = plt.subplots(figsize=(0.85 * (wide * PITCH + 1), 0.75 * (heights[0] - heights[-1] + 2.2)), layout="constrained")
    for transfer in dict.fromkeys((t.kind, *_ends(t.kind, t.source, t.target)) for t in system.transfers):
        _line(axes, transfer[0], places[transfer[1]], places[transfer[2]])
    drawn = _looks(system)
    for component in system.components:
        name = component.name
        _box(axes, component, places[name], drawn[name], None if filled is None else filled[name])
    _scale(axes, [level[0].frequency for level in levels], heights, room, unit, wide)
    _key(axes, {transfer.kind for transfer in system.transfers})
    return figure


def updates(system: NestedSystem, records: list[Record]) -> Figure:
    """The level score of an X-ray's records, fastest on top, in the colours of its diagram: a notch marks each update."""
    found, drawn = score.level_score(records), _looks(system)
    figure, axes = plt.subplots(figsize=(10, 0.3 * len(found.levels) + 1.3), layout="constrained")
    rows = [Row(name, every(*found.periods[name]), drawn[name].colour) for name in found.levels]
    roll(axes, rows, found.steps - 1, found.steps, found.size, found.writes)
    axes.set_xlim(0, found.steps[-1])
    return figure


def _looks(system: NestedSystem) -> dict[str, Look]:
    """Of each component, by name: what belongs to a level of Hope looks as in every picture of a run. The others have, level
    by level, one of the looks that are left; beside a level of Hope, first those that none of its levels has."""
    owners = {component.name: _owner(component.name, system.needs) for component in system.components}
    drawn = {name: level_looks([owner])[owner] for name, owner in owners.items() if owner}
    taken = {look.colour for look in drawn.values()}
    hope = {look.colour for look in level_looks(LEVELS).values()} if drawn else set()
    left = [look for look in looks([str(number) for number in range(len(COLOURS))]).values() if look.colour not in taken]
    following = cycle(sorted(left, key=lambda look: look.colour in hope))
    for level in system.levels:
        if others := [component.name for component in level if component.name not in drawn]:
            drawn |= dict.fromkeys(others, next(following))
    return drawn


def _owner(name: str, needs: Iterable[tuple[str, str]]) -> str | None:
    """The level of Hope that has this name, or needs it (so the X-ray finds a momentum), or that the name says it is "of"."""
    possible = (name, *(part for part, need in needs if need == name and part in LEVELS), name.rpartition(" of ")[2])
    return next((its for its in possible if its.removesuffix(" in context") in LEVELS), None)


def _heights(frequencies: list[float], room: float) -> list[float]:
    """Of each level, given fastest first: they lie `room` apart, and 0.8 of that more for each decade."""
    heights = [0.0]
    for upper, lower in zip(frequencies, frequencies[1:]):
        decades = math.log10(upper / lower) if lower and not math.isinf(upper) else 0.0
        heights.append(heights[-1] - room * (1 + 0.8 * decades))
    return heights


def _across(count: int, n: int) -> float:
    return (n - (count - 1) / 2) * PITCH


def _ends(kind: str, source: str, target: str) -> tuple[str, str]:
    """Backpropagation goes both ways, and is one line."""
    return tuple(sorted((source, target))) if kind == "backpropagation" else (source, target)


def _line(axes: Axes, kind: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    """Bent, always to its own left, so that two opposite lines stand apart."""
    dash, heads = LINES[kind]
    level = start[1] == end[1]
    gap = BOX[1] / 2 + 0.04
    down = np.sign(end[1] - start[1])
    ends = [(start[0] + down * 0.3, start[1] + down * gap), (end[0] + down * 0.3, end[1] - down * gap)]
    if level:  # over their heads
        ends = [(start[0], start[1] + gap), (end[0], end[1] + gap)]
    bend = 0.35 * np.sign(start[0] - end[0]) if level else 0.12
    axes.annotate("", ends[1], ends[0], zorder=1, arrowprops={
        "arrowstyle": heads, "linestyle": dash, "color": "#444444", "linewidth": 1.2, "connectionstyle": f"arc3,rad={bend}",
        "shrinkA": 0, "shrinkB": 0, "mutation_scale": 11})


def _box(axes: Axes, component: Component, place: tuple[float, float], look: Look, shares: tuple[float, float] | None) -> None:
    x, y = place
    width, height = BOX
    corner, (share, new) = (x - width / 2, y - height / 2), shares or (0, 0)
    colour, ink = (UNBUILT, GREY) if shares and not share else (look.colour, "#000000")
    axes.add_patch(plt.Rectangle(corner, width, height, facecolor="white", edgecolor=colour, linewidth=2, zorder=2))
    for begin, part, alpha in ((0, share - new, 0.2), (share - new, new, 0.4)):
        axes.add_patch(plt.Rectangle((corner[0] + width * begin, corner[1]), width * part, height, facecolor=colour, alpha=alpha, zorder=2))
    axes.plot(x - width / 2 + 0.11, y + 0.1, look.marker, color=colour, markersize=6, zorder=3)
    axes.text(x + 0.1, y + 0.1, component.name, ha="center", va="center", fontsize=9, weight="bold", color=ink, zorder=3)
    axes.text(x, y - 0.13, f"from {component.context}", ha="center", va="center", fontsize=8, color="#222222", zorder=3)


def _scale(axes: Axes, frequencies: list[float], heights: list[float], room: float, unit: str, wide: int) -> None:
    """Bands and ticks, one a frequency."""
    half = wide * PITCH / 2
    counts, ticks = Counter(frequencies), []
    for frequency, count in counts.items():
        top = heights[frequencies.index(frequency)]
        bottom = top - (count - 1) * room
        axes.axhspan(bottom - 0.46 * room, top + 0.46 * room, color="#f3f4f6", zorder=0)
        ticks.append(((top + bottom) / 2, "never" if frequency == 0 else "at every read" if math.isinf(frequency) else f"{float(frequency):.3g}"))
    axes.set_yticks(*zip(*ticks))
    axes.set(xlim=(-half, half), ylim=(heights[-1] - 0.65, heights[0] + 0.7), xticks=[], ylabel=f"updates per {unit} (logarithmic)")
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def _key(axes: Axes, kinds: set[str]) -> None:
    """Title, and the kinds of line that there are."""
    key = [Line2D([], [], color="#444444", linestyle=LINES[kind][0], label=kind) for kind in KINDS if kind in kinds]
    axes.set_title("Who hands knowledge to whom" if key else "Fastest on top", loc="left", fontsize=11)
    if key:
        axes.legend(handles=key, loc="upper center", bbox_to_anchor=(0.5, 0), ncols=5, frameon=False, fontsize=9, handlelength=3.2)
