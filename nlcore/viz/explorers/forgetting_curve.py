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
    DotProduct,
    GradientDescent,
    Linear,
    Oja,
    Omega,
    PullToStart,
    ridge,
)
from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.controls import slider, stops
from nlcore.viz.explorers.fading import recall_by_age
from nlcore.viz.explorers.store_and_recall import LOOKS as RULE_LOOKS
from nlcore.viz.theme import COLOURS, Look

NEW, OLD, STREAMS = 32, 8, 50
RULES = {
    "Hebbian": (DotProduct(), GradientDescent()),
    "Oja": (DotProduct(), Oja()),
    "delta": (L2(), GradientDescent()),
    "Omega, last 4": (L2(), Omega((0.4, 0.6, 0.8, 1.0))),
}
RETENTIONS = {"decay": Decay(), "pull to start": PullToStart()}
OMEGA = Look(COLOURS[-1], "dashed", "X")
TITLES = {"decay": "Plain decay", "pull to start": "Pull to start"}
LOOKS = {rule: RULE_LOOKS.get(rule, OMEGA) for rule in RULES}
"""A rule looks as it does in `store_and_recall`, which has no Omega."""


@dataclass(frozen=True)
class Forgetting:
    """What each rule recalls after all new words: cosines, mean over streams; 0 is forgotten."""

    new: dict[str, dict[str, np.ndarray]]
    """Retention -> rule -> (NEW,) by age, the last word first."""
    old: dict[str, dict[str, float]]
    """Retention -> rule -> mean over the words that the start knew exactly."""


@cache
def _words(width: int) -> tuple[Tensor, Tensor, Tensor]:
    """Keys and values (OLD + NEW, STREAMS, width) of length one, and the matrix that knows the old exactly."""
    draw = torch.Generator().manual_seed(0)
    k, v = normalize(torch.randn(2, OLD + NEW, STREAMS, width, generator=draw), dim=-1)
    return k, v, ridge(k[:OLD].transpose(0, 1), v[:OLD].transpose(0, 1))


@torch.inference_mode()
def compute(alpha: float, eta: float, width: int) -> Forgetting:
    """Writes `NEW` random words, one by one, to a memory that knows `OLD` others from its start.

    All keys and values are random unit vectors, the same at every call.
    Raises ValueError for an alpha outside 0 to 1, or a width below `OLD`.
    """
    if not 0 <= alpha <= 1 or width < OLD:
        raise ValueError(f"alpha {alpha}, width {width}: alpha is 0 to 1, width {OLD} or more")
    k, v, start = _words(width)
    new: dict[str, dict[str, np.ndarray]] = {retention: {} for retention in RETENTIONS}
    old: dict[str, dict[str, float]] = {retention: {} for retention in RETENTIONS}
    for retention, keeps in RETENTIONS.items():
        for rule, (objective, step) in RULES.items():
            memory = AssociativeMemory(Linear(width, width), objective, step, keeps)
            state = memory.start((STREAMS,), (start,))
            new[retention][rule], state = recall_by_age(memory, state, k[OLD:], v[OLD:], alpha=alpha, eta=eta)
            answers = k[:OLD].transpose(0, 1) @ state.memory[0].mT
            old[retention][rule] = cosine_similarity(answers, v[:OLD].transpose(0, 1), dim=-1).mean().item()
    return Forgetting(new, old)


def chart(found: Forgetting) -> Chart:
    """For each retention, recall of new words by age and, at the right, of the start's words."""
    ticks = {0.0: "0", 10.0: "10", 20.0: "20", 30.0: "30", NEW + 4.0: "start"}

    def plot(retention: str) -> Plot:
        new = tuple(
            Line(rule, np.arange(NEW), recall, LOOKS[rule]) for rule, recall in found.new[retention].items()
        )
        old = tuple(
            Line("", np.array([NEW + 2.5 + i]), np.array([recall]), LOOKS[rule], "points", size=9)
            for i, (rule, recall) in enumerate(found.old[retention].items())
        )
        return Plot(
            TITLES[retention], "words that came after", "recall (cosine; 1 is exact)", (*new, *old),
            x_range=(-1, NEW + 8), y_range=(-0.05, 1.05), x_ticks=ticks,
        )  # fmt: skip

    return tuple(plot(retention) for retention in RETENTIONS)


def forgetting_curve() -> Explorer[Forgetting]:
    """The explorer: recall by age for four rules under both retentions, with rates and width to choose."""
    return Explorer(
        compute,
        {
            "alpha": slider("α, kept at each write", 0.95, 0.5, 1.0, 0.01),
            "eta": slider("Rate η (share written)", 1.0, 0.1, 1.0, 0.05),
            "width": stops("Width (numbers per word)", 32, (16, 32, 64)),
        },
        chart,
        alt="Two plots at retention 0.95. Left, plain decay: recall of 32 new words falls smoothly with age under all four rules, "
        "delta and Omega from nearly 1, Hebbian and Oja from 0.9; the words of its start are recalled at 0.34 by Hebbian, at 0.14 by "
        "the others. Right, pull to start: the curves lie a little lower, and the start is recalled at 0.74 to 0.88.",
        try_this="Set α to 1, and ask why the two plots are one. Then halve the rate: whose newest word suffers, and whose oldest "
        "gains?",
        name="forgetting_curve",
    )
