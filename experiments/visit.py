"""A trained model goes abroad and comes home: what do levels that learn in context learn there, and what do they forget?

    python -m experiments.visit

The model is the course's tiny Hope-Attention, its weights as they are stored. It reads English that was held out of its
training; for 3,072 tokens every letter is replaced by another, by a code that no text ever used before; then the text
goes on as it began. The model has three levels of a chain, and they alone learn. Every row has its own text, its own
code, and its own instant of departure, because a clock that knows the borders would have half of the answer.

Attention sees windows of 256 tokens, as in the model's training, so what lasts longer is in the levels. The first seed,
with its own texts and codes, tunes the rate of each arm, on the bits per byte from the departure on; what is compared
is the others'.

The controls: all three levels at one frequency at equal rates; and again with the rates of the slow ones so much smaller
that the sum of the rates over time is that of three frequencies, since a level that only moves less forgets less too. Two arms
are abroad for 768 tokens only, so that the slowest level takes one step there or none.
"""

import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from nlcore.models import InContext, InnerLevel, LanguageModel
from nlcore.tasks import corpus
from nlcore.train import load, pretrained

from experiments.experiment import Arm, Experiment, main

MODEL = "tiny-hope-attention"
WINDOW, TOKENS, ROWS = 256, 8192, 4
"""Of attention; of a text; texts in a run."""
EARLIEST, LATEST, AWAY = 1024, 2048, 3072
"""Tokens before the departure, from the first to below the second; tokens abroad, where an arm does not say another
number, and as many are looked at when home again."""
BIN = 256
"""Tokens that a figure of a curve is the mean of."""
BEFORE = 4
"""Figures of a curve before the departure."""
FORMAT = 1
"""Of a run's configuration: it changes with the way in which `run` goes about it."""


def run(settings: dict[str, Any], rate: float, seed: int, folder: Path) -> dict[str, Any]:
    """Reads `ROWS` texts with levels that learn; `folder` stays empty.

    bits: per byte, from the departure on, mean of abroad and home again. abroad, last_abroad: all of it, and its last
    1,024 tokens. return: the first 256 tokens at home again; again: all 3,072 of them.
    curve: of each 256 tokens, four before the departure, all abroad, twelve at home again. frozen: the same curve
    of the model as it is. updates: parameters updated per token.
    """
    away = settings.get("away", AWAY)
    tokens, departures = texts(seed, away)
    model, _ = load(MODEL)
    levels = levels_of(settings, rate)
    curve = course(read(model, tokens, levels, settings["nested"]), departures, away)
    frozen = course(read(model, tokens, [InnerLevel("cms-3", TOKENS, 0.0)]), departures, away)
    abroad, again = curve[BEFORE : BEFORE + away // BIN], curve[BEFORE + away // BIN :]
    size = sum(p.numel() for p in model.get_submodule(model.places("cms-1")[0]).parameters()) * len(model.places("cms-1"))
    return {
        "bits": _mean(curve[BEFORE:]), "abroad": _mean(abroad), "last_abroad": _mean(abroad[-4:]),
        "return": again[0], "again": _mean(again), "curve": curve, "frozen": frozen,
        "updates": sum(size / level.period for level in levels),
    }  # fmt: skip


def configuration(settings: dict[str, Any], rate: float, seed: int) -> dict[str, Any]:
    """All that decides a run."""
    text = dict(window=WINDOW, tokens=TOKENS, rows=ROWS, departure=[EARLIEST, LATEST], away=AWAY)
    _, card = pretrained.described(pretrained.find(MODEL))
    return {"corpus": _english()[1], "format": FORMAT, "settings": settings, "rate": rate, "seed": seed,
            "text": text, "model": card["sha256"]}  # fmt: skip


def levels_of(settings: dict[str, Any], rate: float) -> list[InnerLevel]:
    """cms-3 to cms-1, each with its period and its share of the rate."""
    pairs = zip(settings["periods"], settings["shares"])
    return [InnerLevel(f"cms-{3 - i}", period, rate * share) for i, (period, share) in enumerate(pairs)]


def texts(seed: int, away: int = AWAY) -> tuple[Tensor, Tensor]:
    """Tokens (ROWS, TOKENS), and where each row departs, (ROWS,). No two seeds share a text or a code."""
    draw, whole = torch.Generator().manual_seed(seed), _english()[0]
    rows = whole[seed * ROWS * TOKENS :][: ROWS * TOKENS].view(ROWS, TOKENS).clone()
    departures = torch.randint(EARLIEST, LATEST, (ROWS,), generator=draw)
    for row, start in zip(rows, departures.tolist()):
        row[start : start + away] = encoded(row[start : start + away], draw)
    return rows, departures


def encoded(tokens: Tensor, draw: torch.Generator) -> Tensor:
    """Every letter replaced by another, capitals by capitals; what is no letter stays."""
    letters, table = torch.randperm(26, generator=draw), torch.arange(256)
    for first in (ord("a"), ord("A")):
        table[first : first + 26] = first + letters
    return table[tokens]


@torch.no_grad()
def read(model: LanguageModel, tokens: Tensor, levels: list[InnerLevel], nested: bool = False) -> Tensor:
    """Bits that each next token costs, (rows, T - 1): attention begins anew with each window, the levels go on."""
    reader = InContext(model, levels, nested)
    state, logits = reader.start(len(tokens)), []
    for window in tokens.split(WINDOW, dim=1):
        output = reader(window, state._replace(now=None))
        state = output.state
        logits.append(output.logits)
    return F.cross_entropy(torch.cat(logits, 1)[:, :-1].mT, tokens[:, 1:], reduction="none") / math.log(2)


def course(bits: Tensor, departures: Tensor, away: int = AWAY) -> list[float]:
    """The mean over rows of each `BIN` tokens, counted from each row's departure: before it, abroad, home again."""
    count = BEFORE + (away + AWAY) // BIN
    costs = F.pad(bits, (1, 0))  # of the token at a place; the first is never guessed
    rows = [row[start - BEFORE * BIN :][: count * BIN] for row, start in zip(costs, departures.tolist())]
    return torch.stack(rows).view(len(rows), count, BIN).mean((0, 2)).tolist()


@lru_cache
def _english() -> tuple[Tensor, str]:
    """The held-out English as tokens, and the hash of the built-in text."""
    built = corpus.builtin()
    text = corpus.join(document for document in built.validation if document.domain == "english")
    return torch.tensor(list(text)), built.hash


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


THREE, ONE = dict(periods=[64, 256, 1024]), dict(periods=[64, 64, 64])
SHORT = dict(away=768)
"""Less than the longest period."""
EQUAL, SUM = dict(shares=[1.0, 1.0, 1.0]), dict(shares=[1.0, 0.25, 0.0625])

EXPERIMENT = Experiment(
    name="visit",
    question="A trained model goes abroad and comes home: what do levels in context learn there, and what do they forget?",
    arms=(
        Arm("three frequencies", THREE | EQUAL | dict(nested=False), minutes=0.4),
        Arm("three frequencies, nested", THREE | EQUAL | dict(nested=True), minutes=0.4),
        Arm("one frequency", ONE | EQUAL | dict(nested=False), minutes=0.4),
        Arm("one frequency, equal sum of rates", ONE | SUM | dict(nested=False), minutes=0.4),
        Arm("three frequencies, a short visit", THREE | EQUAL | SHORT | dict(nested=False), minutes=0.4),
        Arm("one frequency, equal sum of rates, a short visit", ONE | SUM | SHORT | dict(nested=False), minutes=0.4),
    ),
    rates=(0.1, 0.173, 0.3, 0.52, 0.9),
    seeds=(0, 1, 2, 3, 4),
    run=run,
    score="bits",
    configuration=configuration,
    columns={"abroad": "abroad", "last_abroad": "abroad, the end", "return": "home, the first 256", "again": "home again",
             "updates": "updated per token"},
)  # fmt: skip

if __name__ == "__main__":
    main(EXPERIMENT)
