"""The map that fills up: Hope as a nested system, of which each chapter of the course builds a part.

    hope_map(6)    # at the end of chapter 06: what chapters 00 to 06 have built is filled, the rest is grey
"""

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import permutations
from pathlib import Path

from IPython import get_ipython
from IPython.display import publish_display_data
from matplotlib.figure import Figure

from nlcore.levels import Component, NestedSystem, Transfer
from nlcore.viz.nested import diagram
from nlcore.viz.show import show

TRANSFERS = 7
"""The chapter that builds the lines."""
CHAPTERS = {
    1: "a memory", 2: "the weights", 3: "momentum", 4: "squares", 5: "the memory's rule", 6: "its place in a model",
    7: "the lines", 8: "the chain", 9: "the projections", 10: "the whole",
}  # fmt: skip
"""What a chapter builds of it."""
_IN_CONTEXT = {"memory": Fraction(16), "projections": Fraction(4)}
_TRAINED = {"weights": Fraction(1), "cms-3": Fraction(1), "cms-2": Fraction(1, 4), "cms-1": Fraction(1, 16)}
"""Updates per step, as Hope of size `laptop` has them."""


def _hope() -> NestedSystem:
    """In the words of the X-ray, whose `exp_avg` is a momentum here, and `exp_avg_sq` squares."""
    itself = "L2 to its own value (eq. 86)", "DGD (eq. 88)", "tokens"
    components = [Component(name, rate, *itself) for name, rate in _IN_CONTEXT.items()]
    needs, transfers = [], [Transfer("projections", "memory", "generation")]
    for name in _IN_CONTEXT:
        transfers += [Transfer("weights", name, "initialisation"), Transfer(name, "weights", "parametric")]
    for name, rate in _TRAINED.items():
        moments = [f"momentum of {name}", f"squares of {name}"]
        gathers = "L2 to the gradients", "running mean", "gradients"
        components += [Component(moment, rate, *gathers) for moment in moments]
        components.append(Component(name, rate, "the loss", "Adam", "batches"))
        needs += [(name, moment) for moment in moments]
        transfers += [Transfer(*ends, "generation") for moment in moments for ends in ((name, moment), (moment, name))]
    transfers += [Transfer(*pair, "backpropagation") for pair in permutations(_TRAINED, 2)]
    return NestedSystem(tuple(components), tuple(needs), tuple(transfers))


HOPE = _hope()
"""Hope while it trains, frequencies in updates per step."""


def builders(name: str) -> tuple[int, ...]:
    """The chapters that build a component of `HOPE`."""
    alone = {"memory": (1, 5, 6), "projections": (9,), "weights": (2,)}
    moment, _, owner = name.rpartition(" of ")
    if not moment:
        return alone.get(name, (8,))
    return {"momentum": (3,), "squares": (4,)}[moment] + (() if owner in alone else (8,))


@dataclass(frozen=True)
class HopeMap:
    """The map after some chapters. As the last line of a cell it shows picture, words, and links to the chapters."""

    built: int
    """The last chapter that counts."""

    def __post_init__(self) -> None:
        if not isinstance(self.built, int) or not 0 <= self.built <= 13:
            raise ValueError(f"{self.built!r} is no chapter: give the number of the last one that is done, 0 to 13")

    def filled(self) -> dict[str, tuple[float, float]]:
        """Component -> of the chapters that build it, the share that is done, and the share of the last one alone."""
        by = {component.name: builders(component.name) for component in HOPE.components}
        return {name: (sum(n <= self.built for n in chapters) / len(chapters), (self.built in chapters) / len(chapters))
                for name, chapters in by.items()}

    def picture(self) -> Figure:
        """Each box filled as far as it is built, darker what the last chapter did; under its name the chapters that do; lines
        from chapter 07 on."""
        said = tuple(replace(c, context=f"{c.context} · {_numbers(builders(c.name))}") for c in HOPE.components)
        lines = HOPE.transfers if self.built >= TRANSFERS else ()
        filled = self.filled()
        figure = diagram(NestedSystem(said, HOPE.needs, lines), filled=filled)
        come = f"as far as chapter {self.built:02d} has come" if self.built else "before anything is built"
        new = "; darker: what is new" if any(new for _, new in filled.values()) else ""
        figure.axes[0].set_title(f"Hope, {come}{new}; numbers: the chapters that build a part", loc="left", fontsize=11)
        return figure

    def alt(self) -> str:
        """What the picture shows."""
        parts = {"built": [], "begun": [], "grey": [], "new": []}
        for name, (share, new) in self.filled().items():
            parts["built" if share == 1 else "begun" if share else "grey"].append(name)
            parts["new"] += [name] if new else []
        told = "; ".join(f"{state}: {', '.join(names)}" for state, names in parts.items() if names)
        lines = "the lines between them are drawn" if self.built >= TRANSFERS else "no lines between them yet"
        return f"Hope as a nested system, fastest part on top, after chapter {self.built:02d}. {told}; {lines}."

    def links(self, folder: Path) -> str:
        """In Markdown, what each chapter has built; a link where its source, and so its notebook, lies in `folder`."""
        found = {n: next(folder.glob(f"{n:02d}_*.py"), None) for n in CHAPTERS if n <= self.built}
        told = (f"[{n:02d}]({at.stem}.ipynb) {CHAPTERS[n]}" if at else f"{n:02d} {CHAPTERS[n]}" for n, at in found.items())
        return " · ".join(told)

    def show(self) -> None:
        """Shows it; a script, which has no display, shows nothing."""
        show(self.picture(), alt=self.alt(), name=f"hope_map_{self.built:02d}")
        if get_ipython() is not None and self.built:
            publish_display_data({"text/markdown": f"Built in: {self.links(Path.cwd())}"})

    _ipython_display_ = show


def hope_map(built: int) -> HopeMap:
    """The map at the end of chapter `built`. Raises ValueError for a number that is no chapter's."""
    return HopeMap(built)


def _numbers(chapters: tuple[int, ...]) -> str:
    return " ".join(f"{n:02d}" for n in chapters)
