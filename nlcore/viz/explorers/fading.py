"""How long a word lasts: what a memory recalls of a word, by how many words came after it."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize

from nlcore.memory import L2, AssociativeMemory, DotProduct, Rates, State
from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.controls import slider, stops
from nlcore.viz.explorers.clock_of_levels import LOOKS as CLOCK

WORDS = 48
STREAMS = 16
OBJECTIVES = {"adds (dot product)": DotProduct(), "corrects (L2)": L2()}
LOOKS = dict(zip(OBJECTIVES, (CLOCK["fast weights"], CLOCK["CMS, fast"])))
"""Those of the clock's rows that add, and that correct."""


@dataclass(frozen=True)
class Fading:
    """What is recalled of each word after all of them, (T,) of them by age."""

    age: np.ndarray
    """(T,) words that came after this one; 0 is the last."""
    recall: dict[str, np.ndarray]
    """Rule -> (T,) cosine of the answer to the word's value, mean over streams; 0 is forgotten."""

    def lasts(self, rule: str) -> int:
        """How many of the last words are recalled at 0.5 or better, counted up to the first that is not."""
        return int(np.append(self.recall[rule] < 0.5, True).argmax())

    def label(self, rule: str) -> str:
        """The rule's name and how long a word lasts in it."""
        words = self.lasts(rule)
        return f"{rule}: a word lasts {words} words" if words < WORDS else f"{rule}: all {WORDS} words last"


def compute(alpha: float, period: int, width: int) -> Fading:
    """Writes `WORDS` random words to a `width` x `width` memory, once with each objective.

    The memory is updated every `period` words: it keeps `alpha` of itself, and writes those words, all at its state
    before the update. All words differ; keys and values are random unit vectors, the same at every call.
    Raises ValueError for an alpha outside 0 to 1, or a period or width below 1.
    """
    if not (0 <= alpha <= 1 and period >= 1 and width >= 1):
        raise ValueError(f"alpha {alpha}, period {period}, width {width}: alpha is 0 to 1, the others 1 or more")
    draw = torch.Generator().manual_seed(0)
    k, v = normalize(torch.randn(2, WORDS, STREAMS, width, generator=draw), dim=-1).transpose(1, 2)
    recall = {}
    for rule, objective in OBJECTIVES.items():
        memory = torch.zeros(STREAMS, width, width)
        for t in range(0, WORDS, period):
            keys, values = k[:, t : t + period], v[:, t : t + period]
            wrong = -objective.gradient(keys @ memory.mT, values)
            memory = alpha * memory + wrong.mT @ keys
        recall[rule] = cosine_similarity(k @ memory.mT, v, dim=-1).mean(0).numpy()[::-1]
    return Fading(np.arange(WORDS), recall)


def recall_by_age(
    memory: AssociativeMemory, state: State, k: Tensor, v: Tensor, *, alpha: float, eta: float = 1.0
) -> tuple[np.ndarray, State]:
    """Writes words (T, streams, width) to a linear memory; then each word's recall, (T,), the last first.

    Recall is the cosine of the answer to the word's value, mean over streams. The second answer
    is the memory's state after the last word.
    """
    one = torch.ones(k.shape[1])
    for t in range(len(k)):
        state, _ = memory.write(state, k[t], v[t], Rates(eta * one, alpha * one))
    answers = k.transpose(0, 1) @ state.memory[0].mT
    return cosine_similarity(answers, v.transpose(0, 1), dim=-1).mean(0).numpy()[::-1], state


def chart(fading: Fading) -> Chart:
    """Recall by age, a curve for each objective."""
    lines = tuple(
        Line(fading.label(rule), fading.age, recall, LOOKS[rule], style="both") for rule, recall in fading.recall.items()
    )
    return (
        Plot(
            "How long a word lasts", "age (words that came after)", "recall (cosine; 1 is exact)", lines,
            x_range=(-1, WORDS), y_range=(-0.15, 1.05), references={0.5: "half: a word lasts until here"},
        ),
    )


def fading() -> Explorer[Fading]:
    """The explorer: recall by age, with sliders for retention, period and the memory's width."""
    return Explorer(
        compute,
        {
            "alpha": slider("Retention α (each update)", 1.0, 0.5, 1.0, 0.01),
            "period": slider("Period (words)", 1, 1, 16, 1),
            "width": stops("Width (numbers per word)", 32, (8, 16, 32, 64)),
        },
        chart,
        alt="Recall of a word by its age. At retention 1 and width 32 the memory that adds recalls all 48 words alike, at "
        "about 0.64. The one that corrects recalls the last word exactly and older ones ever less, below one half from age "
        "24 or so, and the first at 0.2.",
        try_this="Double the width: both know more, because fewer words crowd each number. Then set α to 0.9: now words fade "
        "as well, in both. Last, let the period grow: words fade later, but what corrects is no longer exact about the last one.",
        name="fading",
    )
