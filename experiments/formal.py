"""Which models keep a state through strings longer than all of training? Six formal languages (Irie et al., 2023).

    python -m experiments.formal              strings of sizes 2 to 40; 41 to 80; 81 to 120
    python -m experiments.formal --width 50   the printed windows, 2 to 50; 51 to 100; and 101 to 150

A model labels every prefix of a string, and a string counts only if all its labels are right. Bin 0 has the sizes of
training, bin 1 longer ones. Both choose the rate and the step, as in print, so neither is a test: that is bin 2, which
is looked at once, when all is chosen. One letter at a time, without a memory, gets no string right but short ones of
parity and shuffle-2 (see `chance`).

Every model has two blocks, about as many parameters, and the same batches, optimizer and schedule. Sizes grow over the
first half of training, for all. Training ends early where bins 0 and 1 are without a mistake at four checks in a row,
each of other strings. Of linear attention and DeltaNet the chunk's length is only their speed. In print the Transformer
has no positions; ours has rotary ones, so both are run. Titans' eta is divided by its chunk, since gradients go stale
in it; with chunks of one token and the whole eta some untrained models already run away.

Hope is run in three forms. One has linear memories and the dot-product objective (eq. 92). Given its keys, such a write
is exact inside a chunk and read there: of what stood at its key it leaves alpha - eta, down to -1, in chunks of any
length. Another is the layer as it stands, with MLP memories and L2, which in chunks cannot turn a state round; with
chunks of one token it can (see `flips`), at ten times the price. The third, on languages that count, only adds up the
values that it is given: gradient descent, no decay, nothing that modifies itself. What erases at a key cannot count there;
and in trials with memories that make keys or values, counting was learnt, and lost again in the same training. The levels
of the continuum memory are updated at every step.

Three controls. `frozen` is bin 0 while nothing is written in context: what a model has right then, no memory did. Since
(aa)* and (abab)* have one string a size, bin 0 tests what was learnt by heart. And a Hope whose chunks are longer than
one token is told by its own clock where it stands in a chunk. Where the chunk's length is a multiple of the periods 2
and 4, these two languages ask no more: so chunks of 15 stand beside those of 16, and beside them L2 with the memory read
at its chunk's start, which has nothing but the clock.
"""

import argparse
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlcore.models import PRESETS, LanguageModel, build, frozen_memories, parameter_count
from nlcore.tasks.formal import RULES, Formal, bins
from nlcore.tasks.recall import IGNORE
from nlcore.train.schedule import factor

from experiments import baselines
from experiments.experiment import Arm, Experiment, main

WIDTH = 40
"""The largest size of training."""
CHECK, IN_A_ROW = 25, 4
"""Steps from one look at bins 0 and 1 to the next, and how many without a mistake end the training."""
CHOOSING, TESTING = 250, 1000
"""Strings a bin, of a language that has more than one a size."""
HELD_OUT = 1_000_000
"""The seed of the strings that test; those of a check have it and the number of steps before it."""
FORMAT = 1
"""Of a run's configuration: it changes with the way in which `train` and `measure` go about it."""


def run(settings: dict[str, Any], rate: float, seed: int, folder: Path) -> dict[str, Any]:
    """Trains one model on one language, and says which strings it labels. It is over so soon that `folder` stays empty.

    error: 1 - the mean of bins 0 and 1 at the best check, by which rates are chosen; where that ties, a thousandth of
        the wrong labels' share decides, and then how soon training ended. None where training stopped being finite.
    bin_0, bin_1, bin_2: shares of other strings without a mistake, by the model of that check.
    labels_2: the share of right labels in bin 2.
    frozen: bin 0 while no memory writes; None for a model without memories.
    chance: the most that one letter at a time gets of bin 0.
    best: the step of the best check. checks: bins 0 and 1 at each. loss: of the last 25 steps, in nats a label.
    kiloparameters; steps, seconds: of training.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = made(settings)
    began = time.monotonic()
    losses, checks, best = train(model, settings, rate, seed)
    figures = {"steps": len(losses), "seconds": time.monotonic() - began, "checks": checks}
    if not math.isfinite(losses[-1]):
        return figures | {"error": None}
    step, error, weights = best
    model.load_state_dict(weights)
    figures |= {"error": error + len(losses) / settings["steps"] / 1e5, "best": step}
    figures |= {"loss": sum(losses[-CHECK:]) / len(losses[-CHECK:]), "kiloparameters": parameter_count(model) / 1000}
    return figures | measure(model, settings)


def configuration(settings: dict[str, Any], rate: float, seed: int) -> dict[str, Any]:
    """All that decides a run."""
    held_out = {"check": CHECK, "in_a_row": IN_A_ROW, "strings": [CHOOSING, TESTING], "seed": HELD_OUT}
    return {"format": FORMAT, "settings": settings, "rate": rate, "seed": seed, "held_out": held_out}


Best = tuple[int, float, dict[str, Tensor]]
"""Step, error and weights."""


def train(model: LanguageModel, settings: dict[str, Any], rate: float, seed: int) -> tuple[list[float], list, Best]:
    """The loss of each step, bins 0 and 1 at each check, and the best of them; ends where a loss is not finite.

    AdamW, the rate on `nlcore.train`'s schedule, gradients clipped at 1.
    """
    draw = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.95), weight_decay=0.01)
    losses, checks, best, perfect = [], [], (0, math.inf, {}), 0
    while len(losses) < settings["steps"] and perfect < IN_A_ROW:
        done = (len(losses) + 1) / settings["steps"]
        tokens, labels = of_training(settings, done).batch(settings["batch"], draw)
        loss = F.cross_entropy(model(tokens).logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORE)
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            break
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate * factor(done)
        optimizer.step()
        if len(losses) % CHECK == 0:
            found = [scored(model, task, CHOOSING, HELD_OUT + len(losses)) for task in tasks(settings)[:2]]
            error, wrong = (1 - sum(shares) / 2 for shares in zip(*found))
            checks.append([strings for strings, _ in found])
            perfect = perfect + 1 if error == 0 else 0
            if error + wrong / 1000 <= best[1]:
                best = len(losses), error + wrong / 1000, {name: x.clone() for name, x in model.state_dict().items()}
    return losses, checks, best


def of_training(settings: dict[str, Any], done: float) -> Formal:
    """The strings of a step, when a share `done` of training is over: sizes up to a quarter of the window at first, and
    up to all of it from the half on."""
    low, high = bins(settings["width"])[0]
    return Formal(settings["language"], low, round(high * min(1.0, 0.25 + 1.5 * done)))


def tasks(settings: dict[str, Any]) -> list[Formal]:
    """The language in the windows of the three bins."""
    return [Formal(settings["language"], *window) for window in bins(settings["width"])]


@torch.no_grad()
def scored(model: LanguageModel, task: Formal, strings: int, seed: int) -> tuple[float, float]:
    """The shares of whole strings and of labels that are right."""
    tokens, labels = task.test(strings, torch.Generator().manual_seed(seed))
    logits = torch.cat([model(part).logits for part in tokens.split(CHOOSING)])
    return task.accuracy(logits, labels), task.positions(logits, labels)


def measure(model: LanguageModel, settings: dict[str, Any]) -> dict[str, Any]:
    """What the chosen model labels of strings that had no part in choosing it: see `run`."""
    first, *_, last = windows = tasks(settings)
    found = [scored(model, task, TESTING, HELD_OUT) for task in windows]
    figures = {f"bin_{number}": strings for number, (strings, _) in enumerate(found)} | {"labels_2": found[-1][1]}
    with frozen_memories(model):
        frozen = scored(model, first, TESTING, HELD_OUT)[0]
    figures["frozen"] = frozen if any(level.unit == "tokens" for level in model.levels()) else None
    figures["chance"] = first.chance(*first.test(TESTING, torch.Generator().manual_seed(HELD_OUT)))[0]
    return figures


def made(settings: dict[str, Any]) -> LanguageModel:
    """The model, whose letters begin as long as what they are compared with, since there are so few of them."""
    baselines.register()
    chunk = settings["chunk"]
    sizes = dict(dim=settings["dim"], depth=settings["depth"], heads=settings["heads"], hidden=settings["hidden"])
    preset = replace(PRESETS["tiny"], **sizes, chunks=(chunk, chunk), periods=(1, 1, 1), **settings.get("memories", {}))
    model = build(settings["model"], preset, Formal(settings["language"]).vocabulary)
    nn.init.normal_(model.embedding.weight, std=settings["dim"] ** -0.5)
    return model


@torch.no_grad()
def answers_to_a(chunk: int, convolved: bool, letters: int = 60) -> Tensor:
    """What an untrained Hope says at each letter of `aaa...`, (letters, vocabulary).

    Memories are read at their chunk's start. Without the convolution equal inputs get equal answers there, in every
    block: the whole chunk is told one thing, and (aa)*, which needs two, cannot be learnt unless a chunk is one token.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = made(SIZE | dict(language="(aa)*", model="hope", chunk=chunk)).double()
    if not convolved:
        for block in model.blocks:
            block.mixer.convolution.copy_(torch.tensor([0.0, 0.0, 0.0, 1.0]))
    return model(torch.zeros(1, letters, dtype=torch.long)).logits[0]


SIZE = dict(width=WIDTH, dim=32, depth=2, heads=2, hidden=16, batch=32, steps=1000)
LINEAR = dict(architecture="matrix", objective="dot product", reads="after")
"""Of Hope: the preset's fields."""
ADDING = LINEAR | dict(rule="gradient descent", retention="keep all", learns="given", narrow_rates=False, adaptive=())
MODELS = {  # what the table calls them, what they are, and the minutes of a run on strings of 40 letters
    "LSTM": (dict(model="lstm", chunk=1), 0.3),
    "Hope, linear, chunks of 16": (dict(model="hope", chunk=16, memories=LINEAR), 2.1),
    "DeltaNet, negative eigenvalues": (dict(model="deltanet-negative", chunk=16), 0.7),
    "DeltaNet": (dict(model="deltanet", chunk=16), 0.7),
    "Transformer": (dict(model="transformer", chunk=1), 0.4),
    "Transformer, no positions": (dict(model="unplaced-transformer", chunk=1), 0.3),
    "linear attention": (dict(model="linear-attention", chunk=16), 0.6),
    "Titans": (dict(model="titans", chunk=16), 1.2),
}
OF_ALL = ("parity", "(aa)*", "a^n b^n")
"""Languages that every model learns; the others are for those named in FEW."""
FEW = ("LSTM", "Hope, linear, chunks of 16", "DeltaNet, negative eigenvalues")
MLP = {"Hope, MLP, chunks of 16": (dict(model="hope", chunk=16), 2.5)}
CLOCKED = MLP | {
    "Hope, MLP, chunks of 15": (dict(model="hope", chunk=15), 2.5),
    "Hope, linear, chunks of 15": (dict(model="hope", chunk=15, memories=LINEAR), 2.1),
}
COUNTING = {"Hope, adding, chunks of 16": (dict(model="hope", chunk=16, memories=ADDING), 1.5)}
CONTROLS = {"parity": MLP, "(aa)*": CLOCKED, "(abab)*": CLOCKED} | dict.fromkeys(("a^n b^n", "a^n b^n c^n", "shuffle-2"), COUNTING)
"""Further forms of Hope: where a state is to be turned round, to be told from a chunk's clock, or to be counted in."""


def experiment(width: int = WIDTH) -> Experiment:
    """The experiment with windows 2 to `width`, and as wide ones behind it; each width has results of its own."""
    asked = [(language, name, *MODELS[name]) for language in RULES for name in (MODELS if language in OF_ALL else FEW)]
    asked += [(language, name, *of) for language, models in CONTROLS.items() for name, of in models.items()]
    size = SIZE | dict(width=width)
    return Experiment(
        name="formal" if width == WIDTH else f"formal_{width}",
        question="Which models keep a state through strings longer than all of training?",
        arms=tuple(
            Arm(f"{language}, {name}", size | dict(language=language) | model, round(minutes * longer, 2))
            for language, name, model, minutes in asked
            for longer in [width / WIDTH * RULES[language].symbols]
        ),
        rates=(3e-3, 9e-3, 2.7e-2),
        seeds=(0, 1, 2),
        run=run,
        score="error",
        configuration=configuration,
        columns={f"bin_{number}": f"bin {number}" for number in range(3)}
        | {"labels_2": "labels, bin 2", "frozen": "nothing written", "chance": "chance", "kiloparameters": "k weights"},
    )


EXPERIMENT = experiment()

if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--width", type=int, default=WIDTH)
    given, others = parser.parse_known_args()
    main(experiment(given.width), others)
