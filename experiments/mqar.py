"""How many pairs does a byte of state hold, by each rule? Multi-query recall (Arora et al., 2023) in equal bytes.

    python -m experiments.mqar

A text is so many key-value pairs, and then the same keys in another order; at each the model has to name the value. One
block reads it, whose sequence layer is all that differs between arms. The fast weights begin with a short convolution,
which shows a token the three before it: without it no single layer could join a key and its value, two tokens. So
attention gets the same convolution here (see `baselines.convolved`), and what is compared is the memory behind it.

All states of one size have about the same bytes, measured on the state itself: the window keeps as many tokens as have
the bytes of the matrices, and Titans' layers are so narrow that their weights, their momentum and their copy of the
chunk's start fit, give or take an eighth. Omega's window comes on top. Attention, which keeps everything, is the
reference, and a Titans of six times the bytes shows what its small one lacks. The control for what erasing does is
DeltaNet without it.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nlcore.models import PRESETS, LanguageModel, build, frozen_memories, state_bytes
from nlcore.tasks.recall import Recall

from experiments import baselines
from experiments.asked import Logits, trained
from experiments.experiment import Arm, Experiment, main

LOADS = (4, 8, 16, 32, 64)
"""Pairs in a text, from easy to as many as there are keys."""
LOAD = 32
"""That of the score."""
QUESTIONS = 8192
"""Of each load, in texts that no training draws."""
HELD_OUT = 1_000_000
"""Their seed."""
FORMAT = 1
"""Of a run's configuration: it changes with the way in which training and measuring go about it."""


def run(settings: dict[str, Any], rate: float, seed: int, folder: Path) -> dict[str, Any]:
    """Trains one model on texts of all loads, and says what it recalls. It is over so soon that `folder` stays empty.

    error: 1 - recall at LOAD; None, as all figures of recall, where training stopped being finite.
    recall: the share of right answers at each of LOADS; recall_N: the same by name.
    frozen: recall at the easiest load while no memory writes; None for a model without memories.
    bytes, kilobytes: of the state behind a text of LOAD pairs.
    loss: of the last 50 steps, nats a question. steps, seconds: of training.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _model(settings)
    began = time.monotonic()
    losses = list(trained(Logits(model), batches(settings, seed), rate, settings["steps"]))
    figures = {"steps": settings["steps"], "seconds": time.monotonic() - began}
    if not math.isfinite(losses[-1]):
        return figures | {"error": None}
    return figures | {"loss": sum(losses[-50:]) / len(losses[-50:])} | measure(model, settings)


def configuration(settings: dict[str, Any], rate: float, seed: int) -> dict[str, Any]:
    """All that decides a run."""
    held_out = {"loads": LOADS, "load": LOAD, "questions": QUESTIONS, "seed": HELD_OUT}
    return {"format": FORMAT, "settings": settings, "rate": rate, "seed": seed, "held_out": held_out}


def batches(settings: dict[str, Any], seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Tokens and targets of each step: the same number of questions at every load, in the fewer texts, the longer they
    are."""
    draw = torch.Generator().manual_seed(seed)
    for step in range(1, settings["steps"] + 1):
        pairs = load_at(step / settings["steps"], draw)
        yield _texts(pairs, settings["symbols"], settings["questions"], draw)


def load_at(done: float, draw: torch.Generator) -> int:
    """The load of a step, when a share `done` of training is over: the easiest at first, and any of LOADS from two
    thirds on. Shown all loads from the start, DeltaNet names a third of four values after 900 steps, and so all of
    them."""
    known = min(len(LOADS), 1 + int(1.5 * len(LOADS) * done))
    return LOADS[torch.randint(known, (), generator=draw)]


@torch.no_grad()
def measure(model: LanguageModel, settings: dict[str, Any]) -> dict[str, Any]:
    """What the trained model recalls of texts that every arm is given: see `run`."""
    found = {pairs: _recall(model, pairs, settings["symbols"]) for pairs in LOADS}
    with frozen_memories(model):
        frozen = _recall(model, LOADS[0], settings["symbols"])
    tokens, _ = _texts(LOAD, settings["symbols"], LOAD, torch.Generator().manual_seed(HELD_OUT))
    size = state_bytes(model, model(tokens).state)
    figures = {"error": 1 - found[LOAD], "recall": list(found.values()), "bytes": size, "kilobytes": size / 1000}
    figures["frozen"] = frozen if any(level.unit == "tokens" for level in model.levels()) else None
    return figures | {f"recall_{pairs}": share for pairs, share in found.items()}


def _recall(model: LanguageModel, pairs: int, symbols: int) -> float:
    tokens, targets = _texts(pairs, symbols, QUESTIONS, torch.Generator().manual_seed(HELD_OUT))
    return Recall(pairs, symbols, gap=0).accuracy(model(tokens).logits, targets)


def _texts(pairs: int, symbols: int, questions: int, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Tokens and targets of as many texts as ask so many questions."""
    return Recall(pairs, symbols, gap=0).batch(max(1, questions // pairs), draw)


def _model(settings: dict[str, Any]) -> LanguageModel:
    """The model, whose symbols begin as long as what they are compared with: at a language model's 0.02, DeltaNet needs
    several times as many steps before it first joins a key with its value."""
    baselines.register()
    sizes = {name: settings[name] for name in ("dim", "depth", "heads", "hidden")}
    preset = replace(PRESETS["tiny"], **sizes, chunks=(settings["chunk"], settings["window"]))
    model = build(settings["model"], preset, Recall(symbols=settings["symbols"], pairs=1).vocabulary)
    nn.init.normal_(model.embedding.weight, std=settings["dim"] ** -0.5)
    return model


SIZE = dict(dim=64, depth=1, chunk=16, symbols=64, questions=128, steps=1200)
SMALL = SIZE | dict(heads=4, hidden=3, window=9)
"""Four matrices of 16 x 16; a window of 9 tokens hands on 8."""
LARGE = SIZE | dict(heads=2, hidden=5, window=17)
"""Two matrices of 32 x 32."""
MODELS = {  # what the table calls them, what they are, and the minutes of a run
    "linear attention": ("linear-attention", 0.3),
    "RetNet": ("retnet", 0.3),
    "DeltaNet without erasing": ("deltanet-without-erasing", 0.35),
    "DeltaNet": ("deltanet", 0.35),
    "Gated DeltaNet": ("gated-deltanet", 0.4),
    "Oja": ("oja", 0.4),
    "Omega": ("omega", 0.55),
    "Titans": ("titans", 0.5),
    "window": ("convolved-window", 0.25),
}

EXPERIMENT = Experiment(
    name="mqar",
    question="How many pairs does a byte of state hold, by each rule?",
    arms=(
        *(
            Arm(f"{name}, {size}", sizes | dict(model=model), minutes)
            for size, sizes in (("small", SMALL), ("large", LARGE))
            for name, (model, minutes) in MODELS.items()
        ),
        Arm("Titans, six times the bytes", LARGE | dict(model="titans", hidden=32), minutes=0.55),
        Arm("attention", LARGE | dict(model="convolved-attention"), minutes=0.25),
    ),
    rates=(5e-3, 1e-2, 2e-2),
    seeds=(0, 1, 2),
    run=run,
    score="error",
    configuration=configuration,
    columns={"kilobytes": "state, kB"} | {f"recall_{pairs}": f"recall, {pairs} pairs" for pairs in LOADS}
    | {"frozen": "4 pairs, nothing written"},
)

if __name__ == "__main__":
    main(EXPERIMENT)
