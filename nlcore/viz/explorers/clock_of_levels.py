"""The clock of levels: one text, seven memories that differ in how often they are written."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import anywidget
import numpy as np
import torch
import traitlets
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch.nn.functional import cosine_similarity, normalize

from nlcore.memory import L2, AssociativeMemory, Decay, DotProduct, GradientDescent, Linear, Rates, State
from nlcore.memory.objectives import Objective

from nlcore.viz.theme import Look, looks

# Lewis Carroll, Through the Looking-Glass: chapter 5, and before it a sentence of chapter 2.
TEXT = (
    "The rule is, jam to-morrow and jam yesterday, but never jam to-day. It must come sometimes to jam "
    "to-day, Alice objected. No, it can't, said the Queen. It's jam every other day: to-day isn't any "
    "other day, you know. It's a poor sort of memory that only works backwards, the Queen remarked."
)
BEFORE = (
    "Now, here, you see, it takes all the running you can do, to keep in the same place. If you want "
    "to get somewhere else, you must run at least twice as fast as that."
)
WIDTH = 64
RETENTION = 0.7
PERIODS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
NEVER = 0
SHOWN = 0.5


@dataclass(frozen=True)
class Kind:
    """What a level is besides its period."""

    objective: Objective
    window: int | None = None
    """Forget all and read this many words anew at an update; None: keep, and read what came since."""
    trained: bool = False
    """The memory has read `BEFORE`."""


KINDS = {
    "attention": Kind(L2(), window=8),
    "fast weights": Kind(DotProduct()),
    "momentum": Kind(DotProduct()),
    "CMS, fast": Kind(L2()),
    "CMS, middle": Kind(L2()),
    "CMS, slow": Kind(L2()),
    "pre-training": Kind(L2(), trained=True),
}
START = (
    ("attention", 1), ("fast weights", 1), ("momentum", 2), ("CMS, fast", 4), ("CMS, middle", 12),
    ("CMS, slow", 24), ("pre-training", NEVER),
)
LOOKS = looks(tuple(KINDS))


@dataclass(frozen=True)
class Trace:
    """What one level did while the text was read."""

    recall: np.ndarray
    """(T + 1, T) after t words, how well word j is recalled: cosine, cut off at 0."""
    fired: np.ndarray
    """(T + 1,) whether the level was written at word t; index 0 is before the first."""


def words(text: str) -> list[str]:
    """The text's words as a memory sees them: small letters, no punctuation."""
    return [word.strip(".,:").lower() for word in text.split()]


@cache
def vectors() -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    """A fixed random key and value for each word, both unit vectors of size `WIDTH`."""
    known = sorted({*words(TEXT), *words(BEFORE)})
    draw = torch.Generator().manual_seed(1)
    pairs = normalize(torch.randn(len(known), 2, WIDTH, generator=draw), dim=-1)
    return {word: (pair[0], pair[1]) for word, pair in zip(known, pairs)}


@cache
def trace(name: str, period: int) -> Trace:
    """One level reads the text, and is written every `period` words (`NEVER`: not at all).

    An update keeps `RETENTION` of the memory, then writes each word it has waited for.
    Pure, so its answers are remembered.
    Raises ValueError for a level or period there is not.
    """
    if name not in KINDS or not (period in PERIODS or period == NEVER):
        raise ValueError(f"there is no level {name!r} with period {period!r}: take one of {', '.join(KINDS)}")
    kind, text = KINDS[name], words(TEXT)
    memory = AssociativeMemory(Linear(WIDTH, WIDTH), kind.objective, GradientDescent(), Decay())
    state = _write(memory, memory.start(), words(BEFORE)) if kind.trained else memory.start()
    keys, values = (torch.stack(part) for part in zip(*(vectors()[word] for word in text)))
    fired = np.array([bool(period) and t > 0 and t % period == 0 for t in range(len(text) + 1)])
    recall = []
    for t, fires in enumerate(fired):
        if fires and kind.window:
            state = _write(memory, memory.start(), text[max(0, t - kind.window) : t])
        elif fires:
            state = _write(memory, state, text[t - period : t], RETENTION)
        recall.append(cosine_similarity(memory.read(state, keys), values, dim=-1).clamp(min=0))
    return Trace(torch.stack(recall).numpy(), fired)


def compute(levels: Sequence[tuple[str, int]]) -> dict[str, Trace]:
    """The trace of each level (name, period), in the order given."""
    return {name: trace(name, period) for name, period in levels}


def _write(memory: AssociativeMemory, state: State, text: list[str], retention: float = 1.0) -> State:
    one = torch.ones(())
    for i, word in enumerate(text):
        rates = Rates(eta=one, alpha=one * retention if i == 0 else one)
        state, _ = memory.write(state, *vectors()[word], rates)
    return state


class ClockView(anywidget.AnyWidget):
    """The canvas: a row of words for each level. `value` is the (name, period) of each, fastest first."""

    _esm = Path(__file__).parent.parent / "static" / "clock_of_levels.js"
    _css = Path(__file__).parent.parent / "static" / "clock_of_levels.css"
    value = traitlets.List().tag(sync=True)
    words = traitlets.List().tag(sync=True)
    periods = traitlets.List().tag(sync=True)
    looks = traitlets.Dict().tag(sync=True)
    tape = traitlets.Dict().tag(sync=True)

    def draw(self, traces: dict[str, Trace]) -> None:
        """Sends the traces to the browser, which plays them by itself: (level, T + 1, T), 0 to 255."""
        recall = np.stack([trace.recall for trace in traces.values()])
        fired = np.stack([trace.fired for trace in traces.values()])
        self.tape = {
            "levels": list(traces),
            "recall": np.round(recall * 255).clip(0, 255).astype(np.uint8).tobytes(),
            "fired": fired.astype(np.uint8).tobytes(),
        }


def picture(traces: dict[str, Trace]) -> Figure:
    """Each level's row of words after the last word, as dark as the level recalls them."""
    figure, rows = plt.subplots(len(traces), figsize=(8, 1.06 * len(traces)), layout="constrained")
    for axes, (name, trace) in zip(rows, traces.items()):
        _row(axes, name, trace, LOOKS[name])
    return figure


def _row(axes: Axes, name: str, trace: Trace, look: Look, line: int = 64) -> None:
    lines = re.findall(rf".{{1,{line}}}(?:\s|$)", TEXT)
    axes.set(xlim=(0, line), ylim=(len(lines) - 0.4, -0.8), xticks=[], yticks=[])
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.spines["left"].set(color=look.colour, linestyle=look.dash, linewidth=2.5)
    updates = f"{trace.fired.sum()} updates" if trace.fired.any() else "no update"
    axes.set_ylabel(f"{name}\n{updates}", color=look.colour, rotation=0, ha="right", va="center", fontsize=10)
    recall = iter(trace.recall[-1])
    for y, text in enumerate(lines):
        for word in re.finditer(r"\S+", text):
            ink = 0.1 + 0.9 * float(next(recall)) ** 1.5
            axes.text(word.start() + 1, y, word[0], color=look.colour, alpha=min(ink, 1),
                      family="monospace", fontsize=12.6, va="center")


def clock_of_levels() -> Explorer[dict[str, Trace]]:
    """The explorer: read the text, pause, give each level another period, change their order."""
    shown = {name: vars(look) for name, look in LOOKS.items()}
    view = ClockView(value=[list(level) for level in START], words=TEXT.split(),
                     periods=[*PERIODS, NEVER], looks=shown)
    return Demo(
        lambda levels: compute([(name, period) for name, period in levels]),
        {"levels": view},
        view,
        draw=view.draw,
        picture=picture,
        alt="Seven memories after reading one text of 52 words. Attention holds its last eight words, fast "
        "weights and momentum a fading few more, each slower level words from further back, and pre-training "
        "only the common words it knew before.",
        try_this="Press Play, and stop at a word you like. Which rows still know “jam”? Then make one "
        "level slower, and play again.",
        name="clock_of_levels",
    )
