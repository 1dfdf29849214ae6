"""Does a model find a needle at one, two and four times the length of its training? After RULER (Hsieh et al., 2024).

    python -m experiments.needles

A number is hidden in English, and asked for at the end: RULER's S-NIAH-2 in its own words, but of bytes, and so short
that two cores can read it. Models of 0.1 million parameters learn the answer alone, from texts of 448 bytes, and then
read longer ones. So this tests what a memory makes of a length that it has never seen; it is no test of a language
model, and none of its numbers stands beside those of the paper's Table 1.

A sample is right if all digits of its number are: greedy decoding would write them then, and no others. The control is
the sliding window: what lies farther back than its blocks together reach, it cannot know, and it is scored on all
needles alike. For models with memories, `frozen` is what they find while nothing is written.
"""

import math
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nlcore.models import PRESETS, LanguageModel, build, frozen_memories, parameter_count
from nlcore.tasks import join, load
from nlcore.tasks.needles import TASKS, Sample
from nlcore.tasks.recall import IGNORE

from experiments import baselines
from experiments.asked import Logits, trained
from experiments.experiment import Arm, Experiment, main

TASK = "S-NIAH-2"
LONGER = (1, 2, 4)
"""Times the length of training."""
TESTS = 128
"""Samples of each length."""
HELD_OUT = 1_000_000
"""Their seed."""
TEXT = "builtin:english"
ANSWER = 10
"""Bytes kept for the answer: a blank, seven digits, a full stop, and one more."""
FORMAT = 1
"""Of a run's configuration: it changes with the way in which training and measuring go about it."""


def run(settings: dict[str, Any], rate: float, seed: int, folder: Path) -> dict[str, Any]:
    """Trains one model to answer, and says which needles it finds. It is over so soon that `folder` stays empty.

    error: 1 - the share of right digits at the length of training; None where training stopped being finite.
    found: the share of samples with all digits right at each of LONGER; found_N: the same by name.
    digits_N: the share of right digits there; of a guess, a tenth. frozen: found_1 while no memory writes; None for a
    model without memories. loss: of the last 50 steps, nats a byte of the answer. kiloparameters; steps, seconds: of
    training.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = made(settings)
    began = time.monotonic()
    losses = list(trained(Logits(model), batches(settings, seed), rate, settings["steps"]))
    figures = {"steps": len(losses), "seconds": time.monotonic() - began}
    if not math.isfinite(losses[-1]):
        return figures | {"error": None}
    figures["kiloparameters"] = parameter_count(model) / 1000
    return figures | {"loss": sum(losses[-50:]) / len(losses[-50:])} | measure(model, settings["length"])


def configuration(settings: dict[str, Any], rate: float, seed: int) -> dict[str, Any]:
    """All that decides a run."""
    held_out = {"longer": LONGER, "tests": TESTS, "seed": HELD_OUT}
    given = {"settings": settings, "rate": rate, "seed": seed}
    return {"corpus": corpus().hash, "format": FORMAT, "held_out": held_out} | given


corpus = lru_cache(partial(load, TEXT))


@lru_cache
def words(split: str) -> list[str]:
    """Of one split of the corpus; rules and addresses of more than 32 letters might leave no room for a haystack."""
    return [word for word in join(getattr(corpus(), split)).decode().split() if len(word) <= 32]


def samples(number: int, length: int, split: str, draw: torch.Generator) -> list[Sample]:
    """Samples of so many bytes, answer included, each in its own stretch of the split's text."""
    task, text = replace(TASKS[TASK], length=length, reserved=ANSWER), words(split)
    begins = torch.randint(len(text) - length, (number,), generator=draw).tolist()
    return [task.sample(draw, text[begin : begin + length]) for begin in begins]  # a word has two bytes or more


def as_batch(asked: list[Sample]) -> tuple[Tensor, Tensor]:
    """Bytes and targets, each (B, T): every byte of the answer is asked for, and what is short ends in blanks."""
    texts = [(sample.prompt + sample.answer).encode() for sample in asked]
    width = max(map(len, texts))
    tokens = torch.tensor([list(text.ljust(width)) for text in texts])
    targets = torch.full_like(tokens, IGNORE)
    for row, (text, sample) in enumerate(zip(texts, asked)):
        answer = slice(len(text) - len(sample.answer), len(text))
        targets[row, answer] = tokens[row, answer]
    return tokens[:, :-1], targets[:, 1:]


def batches(settings: dict[str, Any], seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Those of each step."""
    draw = torch.Generator().manual_seed(seed)
    while True:
        yield as_batch(samples(settings["batch"], settings["length"], "train", draw))


@torch.no_grad()
def measure(model: LanguageModel, length: int) -> dict[str, Any]:
    """What the trained model finds in samples that every arm is given: see `run`."""
    shares = [_found(model, times * length) for times in LONGER]
    figures = {"error": 1 - shares[0][1], "found": [whole for whole, _ in shares]}
    for times, (whole, digits) in zip(LONGER, shares):
        figures |= {f"found_{times}": whole, f"digits_{times}": digits}
    with frozen_memories(model):
        remembers = any(level.unit == "tokens" for level in model.levels())
        return figures | {"frozen": _found(model, length)[0] if remembers else None}


def _found(model: LanguageModel, length: int) -> tuple[float, float]:
    """Shares of whole numbers and of single digits that are right."""
    asked = samples(TESTS, length, "validation", torch.Generator().manual_seed(HELD_OUT))
    right = []
    for first in range(0, TESTS, 16):
        tokens, targets = as_batch(asked[first : first + 16])
        is_digit = (targets >= ord("0")) & (targets <= ord("9"))
        hits = (model(tokens).logits.argmax(-1) == targets)[is_digit]
        right.append(hits.reshape(len(tokens), -1))
    right = torch.cat(right)
    return right.all(1).float().mean().item(), right.float().mean().item()


def made(settings: dict[str, Any]) -> LanguageModel:
    """The model, whose bytes begin as long as what they are compared with."""
    baselines.register()
    sizes = {name: settings[name] for name in ("dim", "depth", "heads", "hidden", "reads")}
    preset = replace(PRESETS["tiny"], **sizes, chunks=(settings["chunk"],) * 2, periods=(1, 1, 1))
    model = build(settings["model"], preset, 256)
    nn.init.normal_(model.embedding.weight, std=settings["dim"] ** -0.5)
    return model


SIZE = dict(dim=64, depth=2, heads=2, hidden=16, chunk=64, reads="after", length=448, batch=16, steps=400)
MODELS = {  # what the table calls them, what they are, and the minutes of a run
    "Hope": ("hope", 7.0),
    "Titans": ("titans", 3.0),
    "Transformer": ("transformer", 2.0),
    "attention, convolved": ("convolved-attention", 2.2),
    "sliding window": ("sliding-window", 1.8),
}
EXPERIMENT = Experiment(
    name="needles",
    question="Does a model find a needle at one, two and four times the length of its training?",
    arms=tuple(Arm(name, SIZE | dict(model=model), minutes) for name, (model, minutes) in MODELS.items()),
    rates=(2e-3, 4e-3, 8e-3),
    seeds=(0, 1, 2),
    run=run,
    score="error",
    configuration=configuration,
    columns={f"found_{times}": f"found at {times} x" for times in LONGER}
    | {"frozen": "nothing written", "digits_1": "digits at 1 x", "kiloparameters": "1000 parameters"},
)

if __name__ == "__main__":
    main(EXPERIMENT)
