"""What do six synthetic tasks tell of a layer? MAD (Poli et al., 2024): compress, recall in three ways, copy, memorise.

    python -m experiments.mad              small models, and MAD's first setting of every task
    python -m experiments.mad --protocol   MAD's size of models, its number of steps, and all 66 of its settings

The texts, the questions and the score are MAD-Lab's: training asks for every next token in recall, a test only for what
the text has told; the score is accuracy balanced over answers, the mean of batches of 128 texts. Every model has two
blocks, about as many parameters, and the same optimizer and schedule, which are this course's. Scores depend on how
long one trains, so none stands beside a paper's: beside Hope's stand those of a Transformer from this very file.

In print a Transformer sees one token at a time; recurrent layers begin with a convolution over four, which shows a value
its key. So attention behind the same convolution is run too. Hope and Titans take their gradients where a chunk begins,
and read inside it; the levels of Hope's continuum memory are updated at every step. The control is `frozen`: what is
right while no memory writes, the memory did not know.
"""

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from nlcore.models import PRESETS, build, frozen_memories, parameter_count
from nlcore.tasks.mad import TASKS, Compression, settings as settings_of_mad
from nlcore.tasks.recall import Asked

from experiments import baselines
from experiments.asked import Logits, trained
from experiments.baselines.auto_encoder import AutoEncoder
from experiments.experiment import Arm, Experiment, main
from experiments.results import Results

SCORED = 128
"""Texts that accuracy is balanced over."""
HELD_OUT = 1_000_000
"""The seed of the texts of the test."""
DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
FORMAT = 1
"""Of a run's configuration: it changes with the way in which training and measuring go about it."""


def run(settings: dict[str, Any], rate: float, seed: int, folder: Path) -> dict[str, Any]:
    """Trains one model on one task, and says how much of the test is right. `folder` stays empty.

    error: 1 - accuracy; None, as all figures of the test, where training stopped being finite.
    accuracy: MAD-Lab's, in [0, 1]. frozen: the same while no memory writes; None for a model without memories.
    chance: what a guess among the answers gets. loss: of the last 50 steps, nats a token that is asked for.
    kiloparameters; steps, seconds: of training.
    """
    task = task_of(settings)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = made(settings, task).to(DEVICE)
    began = time.monotonic()
    losses = list(trained(model, batches(task, settings, seed), rate, settings["steps"], settings["decay"]))
    figures = {"steps": len(losses), "seconds": time.monotonic() - began, "kiloparameters": parameter_count(model) / 1000}
    if not math.isfinite(losses[-1]):
        return figures | {"error": None}
    return figures | {"loss": sum(losses[-50:]) / len(losses[-50:])} | measure(model, task, settings["tests"])


def configuration(settings: dict[str, Any], rate: float, seed: int) -> dict[str, Any]:
    """All that decides a run."""
    return {"format": FORMAT, "settings": settings, "rate": rate, "seed": seed, "held_out": [HELD_OUT, SCORED]}


def task_of(settings: dict[str, Any]) -> Asked:
    """The task with the numbers that the settings give."""
    return replace(TASKS[settings["task"]][0], **settings["numbers"])


def batches(task: Asked, settings: dict[str, Any], seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Tokens and targets of each step: the training's texts, epoch by epoch, each in an order of its own."""
    draw, size = torch.Generator().manual_seed(seed), settings["batch"]
    tokens, targets = task.batch(min(settings["texts"], size * settings["steps"]), draw, training=True)
    while True:
        for rows in torch.randperm(len(tokens), generator=draw).split(size):
            yield tokens[rows].to(DEVICE), targets[rows].to(DEVICE)


@torch.no_grad()
def measure(model: nn.Module, task: Asked, texts: int) -> dict[str, Any]:
    """What the trained model gets right of texts that every arm is given: see `run`."""
    accuracy = _accuracy(model, task, texts)
    with frozen_memories(model):
        frozen = _accuracy(model, task, texts) if remembers(model) else None
    return {"error": 1 - accuracy, "accuracy": accuracy, "frozen": frozen, "chance": chance(task)}


def _accuracy(model: nn.Module, task: Asked, texts: int) -> float:
    draw = torch.Generator().manual_seed(HELD_OUT)
    found = []
    for _ in range(texts // SCORED):
        tokens, targets = task.batch(SCORED, draw)
        found.append(task.balanced(model(tokens.to(DEVICE)).cpu(), targets))
    return sum(found) / len(found)


def chance(task: Asked) -> float:
    """The balanced accuracy of a guess: as the plain one, but that compression's last token, which always ends a text,
    is one answer among as many as there are tokens."""
    return 2 / task.vocabulary if isinstance(task, Compression) else task.chance


def remembers(model: nn.Module) -> bool:
    """Whether a memory of the model writes as it reads."""
    return any(getattr(part, "periods", None) for part in model.modules())


def made(settings: dict[str, Any], task: Asked) -> nn.Module:
    """The model, whose tokens begin as long as what they are compared with; an auto-encoder if the task is compression."""
    baselines.register()
    sizes = {name: settings[name] for name in ("dim", "depth", "heads", "hidden", "reads")}
    preset = replace(PRESETS["tiny"], **sizes, chunks=(settings["chunk"],) * 2, periods=(1, 1, 1))
    model = build(settings["model"], preset, task.vocabulary)
    nn.init.normal_(model.embedding.weight, std=settings["dim"] ** -0.5)
    return AutoEncoder(model) if isinstance(task, Compression) else Logits(model)


def scores(results: Results) -> dict[str, dict[str, float | None]]:
    """By task and model, the mean over the task's settings of the accuracy with the better decay of the weights.

    None where a run diverged or is not there yet.
    """
    settings = {arm["name"]: arm["settings"] for arm in results.experiment["arms"]}
    errors: dict[tuple[str, str], dict[str, list[float]]] = {}
    for row in results.rows:
        own = settings[row["arm"]]
        setting = str([own["numbers"], own["texts"]])
        of_setting = errors.setdefault((own["task"], LABELS[own["model"]]), {}).setdefault(setting, [])
        of_setting += [] if row["mean"] is None else [row["mean"]]
    table: dict[str, dict[str, float | None]] = {}
    for (task, model), found in errors.items():
        whole = all(found.values())
        table.setdefault(task, {})[model] = 1 - sum(map(min, found.values())) / len(found) if whole else None
    return table


MODELS = {  # what the table calls them, what they are, and the seconds of a step of 1024 tokens of 32, 128 and 256 each
    "Hope": ("hope", {32: 0.1, 128: 0.2, 256: 0.3}),
    "Titans": ("titans", {32: 0.05, 128: 0.1, 256: 0.12}),
    "Transformer": ("transformer", {32: 0.02, 128: 0.03, 256: 0.04}),
    "attention, convolved": ("convolved-attention", {32: 0.02, 128: 0.03, 256: 0.05}),
    "linear attention": ("linear-attention", {32: 0.04, 128: 0.05, 256: 0.05}),
    "DeltaNet": ("deltanet", {32: 0.04, 128: 0.06, 256: 0.07}),
}
LABELS = {model: label for label, (model, _) in MODELS.items()}
SIZE = dict(dim=64, depth=2, heads=2, hidden=16, chunk=32, reads="after", decay=0.01, tests=256)
STEPS = {
    "in-context recall": 300, "memorization": 100, "compression": 400, "noisy recall": 300, "selective copying": 400,
    "fuzzy recall": 300,
}  # fmt: skip
"""Each of about 1024 tokens, so that texts are read once; memorization has so few that it reads them 12 times."""


def small() -> Iterator[Arm]:
    """MAD's first setting of each task."""
    for name, steps in STEPS.items():
        task, texts = next(settings_of_mad(name))
        length = task.length
        given = dict(task=name, numbers=asdict(task), texts=texts, batch=1024 // length, steps=steps)
        for label, (model, seconds) in MODELS.items():
            yield Arm(f"{name}, {label}", SIZE | given | dict(model=model), round(seconds[length] * steps / 60, 2))


def protocol() -> Iterator[Arm]:
    """All settings of MAD, each with and without decay of the weights, at its size: 200 epochs in batches of 128."""
    for name in TASKS:
        first = asdict(TASKS[name][0])
        for task, texts in settings_of_mad(name):
            changed = [f"{field} {value}" for field, value in asdict(task).items() if value != first[field]]
            steps = 200 * math.ceil(texts / 128)
            given = dict(task=name, numbers=asdict(task), texts=texts, batch=128, steps=steps, dim=128, tests=1280)
            for label, (model, seconds) in MODELS.items():
                minutes = round(max(seconds.values()) * 4 * task.length / 256 * 32 * steps / 60)
                for decay in (0.0, 0.1):
                    title = ", ".join([name, *(changed or [f"{texts} texts"]), label, f"decay {decay:g}"])
                    yield Arm(title, SIZE | given | dict(model=model, decay=decay), minutes)


def experiment(arms: tuple[Arm, ...], name: str, rates: tuple[float, ...], seeds: tuple[int, ...]) -> Experiment:
    """The question, asked of these arms."""
    return Experiment(
        name=name,
        question="What do six synthetic tasks tell of a layer: compression, three kinds of recall, copying, memorization?",
        arms=arms,
        rates=rates,
        seeds=seeds,
        run=run,
        score="error",
        configuration=configuration,
        columns={"accuracy": "accuracy", "frozen": "nothing written", "chance": "chance", "kiloparameters": "1000 parameters"},
    )


EXPERIMENT = experiment(tuple(small()), "mad", (2e-3, 4e-3, 8e-3), (0, 1, 2))
PROTOCOL = experiment(tuple(protocol()), "mad_protocol", (2.5e-4, 5e-4, 1e-3), (12345,))
"""MAD-Lab tries rates of 1e-4, 5e-4 and 1e-3; here a grid grows where its best lies at an edge."""

if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--protocol", action="store_true")
    given, others = parser.parse_known_args()
    main(PROTOCOL if given.protocol else EXPERIMENT, others)
