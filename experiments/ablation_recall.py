"""What is each part of Hope worth for recall in context? The rows of the paper's Table 6 once more.

    python -m experiments.ablation_recall

A text is so many key-value pairs, a gap as long as a chunk, and then the same keys in another order; at each the model has
to name the value (multi-query recall, Arora et al., 2023). All is drawn anew for every text, so that weights alone get one
answer in 32, and what is more was written while reading. The arms are those of `ablation`, in one small block. The
levels of the continuum memory keep their periods. `frozen` is the control: what is right while no memory writes.
"""

import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlcore.models import PRESETS, LanguageModel, build, frozen_memories
from nlcore.tasks.recall import Recall
from nlcore.train.parts import optimizer
from nlcore.train.schedule import factor

from experiments.ablation import PRINTED, ROWS
from experiments.experiment import Arm, Experiment, main

LOADS = (2, 4, 8)
"""Pairs in a text."""
QUESTIONS = 4096
"""Of each load, in texts that no training draws."""
HELD_OUT = 1_000_000
"""Their seed."""
FORMAT = 1
"""Of a run's configuration: it changes with the way in which `train` and `measure` go about it."""


def run(settings: dict[str, Any], rate: float, seed: int, folder: Path) -> dict[str, Any]:
    """Trains one model, and says what it recalls. It is over so soon that `folder` stays empty.

    error: 1 - the mean of recall over LOADS; None where training stopped being finite, as all figures of recall.
    recall_N: the share of right answers with N pairs. frozen: with the fewest, while no memory writes.
    loss: of the last 50 steps, nats a question. steps, seconds: of training.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _model(settings)
    began = time.monotonic()
    losses = train(model, settings, rate, seed)
    figures = {"steps": settings["steps"], "seconds": time.monotonic() - began}
    if not math.isfinite(losses[-1]):
        return figures | {"error": None}
    return figures | {"loss": sum(losses[-50:]) / len(losses[-50:])} | measure(model, settings)


def configuration(settings: dict[str, Any], rate: float, seed: int) -> dict[str, Any]:
    """All that decides a run."""
    held_out = {"loads": LOADS, "questions": QUESTIONS, "seed": HELD_OUT}
    return {"format": FORMAT, "settings": settings, "rate": rate, "seed": seed, "held_out": held_out}


def train(model: LanguageModel, settings: dict[str, Any], rate: float, seed: int) -> list[float]:
    """The loss of each step, of the questions alone; training ends where one is not finite. Loads rise with time."""
    draw, by_level, losses = torch.Generator().manual_seed(seed), optimizer(model, rate), []
    for step in range(1, settings["steps"] + 1):
        done = step / settings["steps"]
        known = min(len(LOADS), 1 + int(1.5 * len(LOADS) * done))
        pairs = LOADS[torch.randint(known, (), generator=draw)]
        tokens, targets = _texts(pairs, settings, settings["questions"], draw)
        loss = F.cross_entropy(model(tokens).logits.flatten(0, 1), targets.flatten())
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            break
        loss.backward()
        by_level.step(step, rate * factor(done))
    return losses


@torch.no_grad()
def measure(model: LanguageModel, settings: dict[str, Any]) -> dict[str, Any]:
    """What the trained model recalls of texts that every arm is given: see `run`."""
    found = {pairs: _recall(model, pairs, settings) for pairs in LOADS}
    with frozen_memories(model):
        frozen = _recall(model, LOADS[0], settings)
    shares = {f"recall_{pairs}": share for pairs, share in found.items()}
    return shares | {"error": 1 - sum(found.values()) / len(found), "frozen": frozen}


def _recall(model: LanguageModel, pairs: int, settings: dict[str, Any]) -> float:
    tokens, targets = _texts(pairs, settings, QUESTIONS, torch.Generator().manual_seed(HELD_OUT))
    return _task(pairs, settings).accuracy(model(tokens).logits, targets)


def _texts(pairs: int, settings: dict[str, Any], questions: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Tokens and targets of as many texts as ask so many questions."""
    return _task(pairs, settings).batch(questions // pairs, draw)


def _task(pairs: int, settings: dict[str, Any]) -> Recall:
    return Recall(pairs, settings["symbols"], gap=settings["chunks"][0])


def _model(settings: dict[str, Any]) -> LanguageModel:
    """The model, whose symbols begin as long as what they are compared with: see `experiments.mqar`."""
    task = {"steps", "questions", "symbols"}
    preset = replace(PRESETS["tiny"], **{name: value for name, value in settings.items() if name not in task})
    model = build("hope", preset, _task(1, settings).vocabulary)
    nn.init.normal_(model.embedding.weight, std=preset.dim**-0.5)
    return model


SIZE = dict(dim=64, depth=1, heads=2, hidden=16, chunks=(8, 16), symbols=32, questions=128, steps=500)

EXPERIMENT = Experiment(
    name="ablation_recall",
    question="What is each part of Hope worth for recall in context: the rows of Table 6?",
    arms=tuple(Arm(name, SIZE | PRINTED | change, minutes=0.8) for name, change in ROWS.items()),
    rates=(4e-3, 8e-3, 1.6e-2),
    seeds=(0, 1, 2),
    run=run,
    score="error",
    configuration=configuration,
    columns={f"recall_{pairs}": f"recall, {pairs} pairs" for pairs in LOADS} | {"frozen": "2 pairs, nothing written"},
)

if __name__ == "__main__":
    main(EXPERIMENT)
