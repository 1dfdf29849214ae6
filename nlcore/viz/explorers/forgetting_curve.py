"""What a memory forgets of new words and of what it knew from its start, for each rule and retention."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from nlcore.memory import (
    L2,
    AssociativeMemory,
    Decay,
    DeltaGradientDescent,
    DotProduct,
    GradientDescent,
    Linear,
    Oja,
    Omega,
    PullToStart,
    ridge,
)
from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.controls import choice, slider, stops
from nlcore.viz.explorers.fading import recall_by_age
from nlcore.viz.theme import looks

NEW, OLD, STREAMS = 32, 8, 6
RULES = {
    "Hebbian": (DotProduct(), GradientDescent()),
    "Oja": (DotProduct(), Oja()),
    "delta": (L2(), GradientDescent()),
    "DGD (delta gradient descent)": (L2(), DeltaGradientDescent()),
    "Omega, last 4": (L2(), Omega((0.4, 0.6, 0.8, 1.0))),
}
RETENTIONS = {"decay": Decay(), "pull to start": PullToStart()}
LOOKS = looks(tuple(RULES))


@dataclass(frozen=True)
class Forgetting:
    """What each rule recalls after all new words: cosines, mean over streams; 0 is forgotten."""

    new: dict[str, np.ndarray]
    """Rule -> (NEW,) by age, the last word first."""
    old: dict[str, float]
    """Rule -> mean over the words that the start knew exactly."""


@cache
def _words(width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Keys and values (OLD + NEW, STREAMS, width) of length one, and the matrix that knows the old exactly."""
    draw = torch.Generator().manual_seed(0)
    k, v = normalize(torch.randn(2, OLD + NEW, STREAMS, width, generator=draw), dim=-1)
    return k, v, ridge(k[:OLD].transpose(0, 1), v[:OLD].transpose(0, 1))


@torch.inference_mode()
def compute(retention: str, alpha: float, eta: float, width: int) -> Forgetting:
    """Writes `NEW` random words, one by one, to a memory that knows `OLD` others from its start.

    All keys and values are random unit vectors, the same at every call.
    Raises ValueError for an unknown retention, an alpha outside 0 to 1, or a width below `OLD`.
    """
    if retention not in RETENTIONS or not 0 <= alpha <= 1 or width < OLD:
        raise ValueError(
            f"retention {retention!r}, alpha {alpha}, width {width}: retention is one of {', '.join(RETENTIONS)}, "
            f"alpha is 0 to 1, width {OLD} or more"
        )
    k, v, start = _words(width)
    new, old = {}, {}
    for rule, (objective, step) in RULES.items():
        memory = AssociativeMemory(Linear(width, width), objective, step, RETENTIONS[retention])
        state = memory.start((STREAMS,), (start,))
        new[rule], state = recall_by_age(memory, state, k[OLD:], v[OLD:], alpha=alpha, eta=eta)
        answers = k[:OLD].transpose(0, 1) @ state.memory[0].mT
        old[rule] = cosine_similarity(answers, v[:OLD].transpose(0, 1), dim=-1).mean().item()
    return Forgetting(new, old)


def chart(found: Forgetting) -> Chart:
    """Recall of new words by age, and of the start's words, a colour for each rule."""
    age, places = np.arange(NEW), np.arange(len(RULES))
    new = tuple(Line(rule, age, recall, LOOKS[rule], "both") for rule, recall in found.new.items())
    old = tuple(
        Line(rule, places[[i]], np.array([recall]), LOOKS[rule], "bars")
        for i, (rule, recall) in enumerate(found.old.items())
    )
    ticks = {float(i): name.split()[0].strip(",") for i, name in enumerate(RULES)}
    return (
        Plot(
            f"The {NEW} new words", "age (words that came after)", "recall (cosine; 1 is exact)", new,
            x_range=(-1, NEW), y_range=(-0.15, 1.05), references={0.5: "half"}, width=1.4,
        ),
        Plot(
            f"The {OLD} words it knew from its start", "", "recall (cosine; 1 is exact)", old,
            y_range=(-0.15, 1.05), references={0.5: "half"}, x_ticks=ticks,
        ),
    )


def forgetting_curve() -> Explorer[Forgetting]:
    """The explorer: recall by age for five rules, with retention, rates and width to choose."""
    return Explorer(
        compute,
        {
            "retention": choice("Kind of retention", "decay", tuple(RETENTIONS)),
            "alpha": slider("α, kept at each write", 0.95, 0.5, 1.0, 0.01),
            "eta": slider("Rate η (share written)", 1.0, 0.1, 1.0, 0.05),
            "width": stops("Width (numbers per word)", 32, (16, 32, 64)),
        },
        chart,
        alt="At retention 0.95, plain decay: recall of the new words falls with age for all five rules, the delta rule "
        "and Omega starting at 1. Of the words known from the start the Hebbian memory keeps about a third, the "
        "others less.",
        try_this="Change the kind of retention to pull to start: the bars say what it saves, the curves what it costs. Then "
        "set α to 1, and ask why the two kinds are one.",
        name="forgetting_curve",
    )
