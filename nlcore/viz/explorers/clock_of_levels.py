"""The clock of levels: one text, and seven memories that are one thing with other arguments."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import torch
import traitlets
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch.nn.functional import cosine_similarity, normalize

from nlcore.viz.controls import Control
from nlcore.viz.demo import Demo
from nlcore.viz.tape import TapeView, packed
from nlcore.viz.theme import COLOURS, GREY, Look, level_looks, momentum_look
from nlcore.viz.view import script, style

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
Vectors = Mapping[str, tuple[torch.Tensor, torch.Tensor]]
"""Word -> its key and its value, (WIDTH,) each."""
WIDTH = 64
RETENTION = 0.7
BANDWIDTH = 0.1
"""Of attention: how much less alike than the query a key may be and still be heard."""
PERIODS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48)
NEVER = 0
SHOWN = 0.5
"""A word that is recalled as well as this, or better, counts as known."""
OPENS = 26
"""Words that are read when the clock opens: half of the text, so that there is something left to guess."""


@dataclass(frozen=True)
class Kind:
    """What a level is besides its period."""

    corrects: bool = True
    """It writes what is wrong about its answer (objective L2); else all of the value (dot product)."""
    theta: float = 0.0
    """What the momentum of its steps keeps of itself; 0 is none."""
    shows: Literal["weights", "momentum"] = "weights"
    """Which of the two is asked."""
    window: int = 0
    """Keep so many of the newest words themselves, and solve for the answer anew at each read; 0: keep a matrix."""
    trained: bool = False
    """It has read `BEFORE`, one word at a time, and kept all."""


KINDS = {
    "attention": Kind(window=8),
    "fast weights": Kind(corrects=False),
    "momentum": Kind(theta=0.5, shows="momentum"),
    "CMS, fast": Kind(theta=0.5),
    "CMS, middle": Kind(theta=0.5),
    "CMS, slow": Kind(theta=0.5),
    "pre-training": Kind(trained=True),
}
START = (
    ("attention", 1), ("fast weights", 1), ("momentum", 4), ("CMS, fast", 4), ("CMS, middle", 12),
    ("CMS, slow", 24), ("pre-training", NEVER),
)
NEEDED = {"momentum": "CMS, fast"}
"""Who is updated whenever the other is, and just before: the two keep one clock, and Def. 2 lets the needed one come first."""
_SAME = {"fast weights": "memory", "CMS, fast": "cms-3", "CMS, middle": "cms-2", "CMS, slow": "cms-1", "pre-training": "weights"}
"""The level of Hope that a row is, with whose look it is drawn."""
LOOKS = {
    "attention": Look(COLOURS[7], "solid", "X"),  # which is no level of Hope
    "momentum": momentum_look(_SAME["CMS, fast"]),
    **{row: level_looks([level])[level] for row, level in _SAME.items()},
}


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
def vectors() -> Vectors:
    """Of each word of `TEXT` and `BEFORE`."""
    return drawn({*words(TEXT), *words(BEFORE)})


def drawn(text: Iterable[str]) -> Vectors:
    """A fixed random key and value for each word, both unit vectors of size `WIDTH`."""
    known = sorted(set(text))
    draw = torch.Generator().manual_seed(1)
    pairs = normalize(torch.randn(len(known), 2, WIDTH, generator=draw), dim=-1)
    return {word: (pair[0], pair[1]) for word, pair in zip(known, pairs)}


@cache
def trace(name: str, period: int) -> Trace:
    """One level reads the text, and is updated every `period` words (`NEVER`: not at all).

    Pure, so its answers are remembered.
    Raises ValueError for a level or period there is not.
    """
    if name not in KINDS or not (period in PERIODS or period == NEVER):
        raise ValueError(f"there is no level {name!r} with period {period!r}: take one of {', '.join(KINDS)}")
    return follow(KINDS[name], period, words(TEXT), vectors())


def follow(kind: Kind, period: int, text: Sequence[str], known: Vectors) -> Trace:
    """What a level of this kind does while any text is read whose words are all `known`.

    An update writes each word it has waited for, all at the state before it, and keeps `RETENTION` of that state.
    """
    keys, values = _pairs(text, known)
    weights, momentum, window = torch.zeros(WIDTH, WIDTH), torch.zeros(WIDTH, WIDTH), text[:0]
    for k, v in (known[word] for word in words(BEFORE) if kind.trained):
        weights = weights + torch.outer(v - weights @ k, k)
    fired = np.array([bool(period) and t > 0 and t % period == 0 for t in range(len(text) + 1)])
    recall = []
    for t, fires in enumerate(fired):
        if fires and kind.window:
            window = text[max(0, t - kind.window) : t]
        elif fires:
            k, v = keys[t - period : t], values[t - period : t]
            wrong = v - k @ weights.T if kind.corrects else v
            momentum = kind.theta * momentum + wrong.T @ k
            weights = RETENTION * weights + momentum
        asked = momentum if kind.shows == "momentum" else weights
        answers = attend(window, keys, known) if kind.window else keys @ asked.T
        recall.append(cosine_similarity(answers, values, dim=-1).clamp(min=0))
    return Trace(torch.stack(recall).numpy(), fired)


def attend(window: Sequence[str], query: torch.Tensor, known: Vectors) -> torch.Tensor:
    """Softmax attention over these words: answers to queries (n, WIDTH); zeros if there is no word."""
    if not window:
        return torch.zeros_like(query)
    k, v = _pairs(window, known)
    return torch.softmax(query @ k.T / BANDWIDTH, dim=-1) @ v


def _pairs(text: Sequence[str], known: Vectors) -> tuple[torch.Tensor, torch.Tensor]:
    """Keys and values of these words, (n, WIDTH) each."""
    keys, values = zip(*(known[word] for word in text))
    return torch.stack(keys), torch.stack(values)


def compute(levels: Sequence[tuple[str, int]]) -> dict[str, Trace]:
    """The trace of each level (name, period), in the order given."""
    return {name: trace(name, period) for name, period in levels}


class ClockView(TapeView):
    """A row of words for each level; `at` is {"word": words read, "levels": (name, period) of each, in order}.

    The tape is the recall of each level of `levels` at each of `periods`, (T + 1, T), as bytes 0 to 255.
    """

    _esm = script("page", "controls", "tape", "prediction", "clock_of_levels")
    _css = style("page", "controls", "prediction", "tape", "clock_of_levels")
    words = traitlets.List().tag(sync=True)
    periods = traitlets.List().tag(sync=True)
    levels = traitlets.List().tag(sync=True)
    """(name, period) of each level at the start, fastest first."""
    looks = traitlets.Dict().tag(sync=True)
    needed = traitlets.Dict().tag(sync=True)
    """As `NEEDED`."""


def tape() -> bytes:
    """The recall of all words after each word, for every level of `START` at every period there is."""
    recall = np.stack([trace(name, period).recall for name, _ in START for period in (*PERIODS, NEVER)])
    return np.round(recall * 255).clip(0, 255).astype(np.uint8).tobytes()


def known(found: Trace, word: int, text: Sequence[str] | None = None) -> tuple[int, int]:
    """How many different words a level knows after so many words, and how many there were to know.

    A word that came more than once counts as it is recalled in its last place.
    """
    seen = dict(zip((text or words(TEXT))[:word], (found.recall[word] >= SHOWN).tolist()))
    return sum(seen.values()), len(seen)


def picture(traces: dict[str, Trace], word: int) -> Figure:
    """Each level's row of words after so many words, each marked as strongly as the level recalls it."""
    figure, rows = plt.subplots(len(traces), figsize=(8, 1.15 * len(traces)), layout="constrained")
    for axes, (name, found) in zip(rows, traces.items()):
        _row(axes, name, found, word)
    return figure


def alt(traces: dict[str, Trace], word: int) -> str:
    """What `picture` shows at the start."""
    counts = ", ".join(f"{known(found, word)[0]} ({name})" for name, found in traces.items())
    total = known(traces["attention"], word)[1]
    return (
        f"Seven memories in the middle of a text, after word {word} of {len(words(TEXT))}. Of the {total} different words "
        f"so far, from the fastest level to the slowest, they know: {counts}. Attention and the fast weights know only the "
        "last few words; the slower a level, the further back it knows them; pre-training knows only words that it met before."
    )


def strongest(colour: str) -> np.ndarray:
    """The strongest mark of `colour`, as RGB: at most three quarters of it on white, so that black text on it has 4.5 to 1."""
    rgb = np.array(to_rgb(colour))
    marks = (1 + share * (rgb - 1) for share in np.arange(0.75, 0, -0.02))
    return next(mark for mark in marks if luminance(mark) >= 4.5 * 0.05 - 0.05)


def luminance(rgb: np.ndarray) -> float:
    """Relative luminance, 0 to 1, as the guidelines for accessible pages define it."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def _row(axes: Axes, name: str, found: Trace, read: int, line: int = 64) -> None:
    look, mark, lines = LOOKS[name], strongest(LOOKS[name].colour), re.findall(rf".{{1,{line}}}(?:\s|$)", TEXT)
    axes.set(xlim=(0, line), ylim=(len(lines) + 0.2, -0.8), xticks=[], yticks=[])
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.spines["left"].set(color=look.colour, linestyle=look.dash, linewidth=2.5)
    axes.set_ylabel("{}\nknows {} of {}".format(name, *known(found, read)), rotation=0, ha="right", va="center", fontsize=10)
    recall = np.where(np.arange(len(found.recall[0])) < read, found.recall[read], 0)
    places = [(y, word) for y, text in enumerate(lines) for word in re.finditer(r"\S+", text)]
    for i, ((y, word), r) in enumerate(zip(places, recall)):
        x, wide, share = word.start() + 1, word.end() - word.start(), float(r) ** 1.5
        axes.add_patch(Rectangle((x - 0.2, y - 0.42), wide + 0.4, 0.84, color=1 + share * (mark - 1), zorder=1))
        ink = float(np.clip(1 - 2 * r, 0, 1)) * np.array(to_rgb(GREY))
        axes.text(x, y, word[0], color=ink, weight="bold" if r >= SHOWN else "normal",
                  family="monospace", fontsize=11.4, va="center_baseline")
        if i == read - 1:
            axes.plot([x, x + wide], [y + 0.42] * 2, color="black", linewidth=1.6)
    at = (np.flatnonzero(found.fired) - 0.5) * line / len(recall)
    axes.vlines(at, len(lines) + 0.1, np.where(np.flatnonzero(found.fired) <= read, len(lines) - 0.35, len(lines) - 0.1),
                color=look.colour, linewidth=3)


def clock_of_levels() -> Demo:
    """The demo: read the text, pause, give each level another period, change their order."""
    text = TEXT.split()
    places = tuple(f"word {i + 1} of {len(text)}: {word}" for i, word in enumerate(words(TEXT)))
    reading = Control("Words read", ("nothing read yet", *places), tuple(range(len(text) + 1)), OPENS, "player", beat=400)
    start = [list(level) for level in START]
    view = ClockView(
        try_this="Press Play, and stop at a word you like. Which rows still know “jam”? Then make one level slower, and "
        "play again.",
        controls={"word": reading.facts()},
        at={"word": OPENS, "levels": start},
        words=text, periods=[*PERIODS, NEVER], levels=start, needed=NEEDED,
        looks={name: vars(look) for name, look in LOOKS.items()},
        tape=packed(tape()),
    )
    traces = compute(START)
    return Demo(view, lambda: picture(traces, OPENS), alt=alt(traces, OPENS), name="clock_of_levels")
