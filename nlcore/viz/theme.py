"""One look per level, everywhere: a colour that colour-blind readers can tell, a dash and a marker.

A level keeps its look from chapter to chapter because the look goes by its place in the order of
speed, fastest first.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from matplotlib.axes import Axes

# Okabe and Ito's palette; its yellow is left out, being too pale for a line on white. Hope's eight levels need an eighth,
# which is no nearer to any other, in the eyes of the colour-blind, than two of theirs are.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8833EE")
DASHES = ("solid", "dashed", "dotted", "dashdot")
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
GREY = "#6b6b6b"  # 4.5 to 1 on white
GREYS = ("#5f6670", "#8a919b")
"""Of the runs that another is compared with: colours belong to levels."""


@dataclass(frozen=True)
class Look:
    """How one level is drawn."""

    colour: str
    dash: str
    marker: str

    def line(self) -> dict[str, str]:
        """Keyword arguments for matplotlib's `plot`."""
        reference = self.dash == "reference"
        colour = GREY if self.colour == "reference" else self.colour
        return {"color": colour, "linestyle": REFERENCE_DASH if reference else self.dash, "marker": self.marker}


REFERENCE = Look("reference", "reference", "X")
"""Of what is no level and no rule: a soft ink, and a dash that no level has."""
REFERENCE_DASH = (0, (9, 2.5, 1.5, 2.5, 1.5, 2.5))


def looks(levels: Sequence[str]) -> dict[str, Look]:
    """A look for each level; `levels` are names, fastest first."""
    return {
        name: Look(COLOURS[i % len(COLOURS)], DASHES[i % len(DASHES)], MARKERS[i % len(MARKERS)])
        for i, name in enumerate(levels)
    }


LEVELS = ("memory", "projections", "weights", "cms-3", "cms-2", "cms-1")
"""Of Hope at size tiny, which all differ; any further one of the chain is black."""


def level_looks(levels: Sequence[str]) -> dict[str, Look]:
    """The look of each level of a trained model, by its name: the same in every picture of every model.

    A level's memories and its momentum are drawn in the level's own look; what it learns in context in its colour.
    """
    return {name: _of_level(name) for name in levels}


def _of_level(name: str) -> Look:
    level = name.removesuffix(" in context")
    at, shift = LEVELS.index(level) if level in LEVELS else len(LEVELS), level != name
    return Look(COLOURS[at], DASHES[(at + shift) % len(DASHES)], MARKERS[at + shift])


def momentum_look(level: str) -> Look:
    """Of a level's momentum where both are in one picture: the level's colour, with a dash and a mark of its own."""
    return replace(_of_level(level), dash="dashed", marker="*")


def run_looks(count: int) -> list[Look]:
    """Looks of so many runs in one picture: the first in the page's ink, its rivals in greys with dashes of their own."""
    greys = [Look(GREYS[i % 2], DASHES[1 + i % 3], MARKERS[1 + i % 7]) for i in range(count - 1)]
    return [Look("#000000", "solid", "o"), *greys][:count]


def tidy(axes: Axes, title: str, x: str, y: str) -> None:
    """Titles one plot, labels its axes (with units) and takes away what carries no information."""
    axes.set_title(title, loc="left", fontsize=11)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.25)
