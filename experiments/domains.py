"""Do levels that fire rarely keep what a stream taught them before its domain changed?

    python -m experiments.domains

A small model learns four domains of the built-in text one after the other, without going back, and after each it is
asked for held-out text of all four. Levels with periods 1, 4 and 16 differ from one MLP of their size in three things:
they are a chain, the slow ones have a smaller sum of rates over the stream, and they fire rarely. So beside both stand

- the same chain with all levels at period 1: if it keeps as much, neither the rare firing nor the small sum is what helps;
- the chain at period 1 with slow rates so much smaller that each level has the sum that its period would leave it: if it
  keeps as much, what helps is the small sum, not the frequency;
- the periods with slow rates so much larger that all levels have the same sum: what is left of them is the frequency.

Chosen before the first run:

- The rate is tuned by `final_mean`, the bits per byte of all four domains at the end: it pays neither for a model that
  forgets nothing because it learns nothing nor for one that knows only the last domain.
- The rate is constant after a warm-up. A schedule that falls needs to know where the stream ends, teaches the last
  domain less, and so makes whatever is measured there look remembered.
- A seed decides the first weights, the order of the windows and that of the domains (`stream.ORDERS`), for all arms
  alike: so what is said is said of no single order, and arms are best compared seed by seed.
- A domain lasts a whole number of all periods, so that no firing mixes two of them; the learner is not told that it ends.
- Attention, embedding and norms are updated at every step in all arms: no period protects what they know.
"""

import copy
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

from nlcore.models import InContext, LanguageModel, parameter_count
from nlcore.optim import LevelOptimizer
from nlcore.tasks.batches import Batch
from nlcore.train import TrainConfig, device, parts
from nlcore.train.evaluate import score

from experiments import by_level, language, stream
from experiments.experiment import Arm, Experiment, main
from experiments.stream import Stream

FORMAT = 1
"""Of a run's configuration: it changes with the way in which `run` goes about it."""
WARM_UP = 64
"""Steps in which the rate rises, once."""
WINDOWS = 64
"""Of each domain's held-out text, of one context each, for every measure."""
FEW = 16
"""Of them, for what single levels do."""
OWN = {"scales": {}}
"""Settings that are no choices of `nlcore.train.configure`, and what they are where an arm does not give them."""


@dataclass(frozen=True)
class Learner:
    """What reads the stream and learns from it."""

    reader: LanguageModel | InContext
    """An `InContext` where levels learn from the text that they read too."""
    optimizer: LevelOptimizer

    @property
    def model(self) -> LanguageModel:
        """It, without steps in context."""
        return self.reader.model if isinstance(self.reader, InContext) else self.reader


def run(settings: dict[str, Any], rate: float, seed: int, folder: Path) -> dict[str, Any]:
    """Takes one model through the stream. It is over so soon that `folder` stays empty.

    order: the domains.
    matrix: the bits per byte of each domain (columns, in order) after each domain was learnt (rows); None, as all that
        follows from it, where training stopped being finite.
    final_mean: of the last row. learnt: of the diagonal, each domain right after it was learnt.
    forgotten: how much each domain but the last is worse at the end than at its best; the mean.
    cosine_added, cosine_learnt, gained: see `by_level`; since the last domain began, on held-out text of all.
    firings: of each level. parameters, tokens, steps, seconds: of training.
    kiloparameters, slow_kilofirings: for the table, which shows three decimals.
    """
    config, began = configure(settings, rate, seed), time.monotonic()
    text, learner = stream.of(config), made(settings, config)
    losses, matrix, before = [], [], {}
    for domain in text.domains:
        before = copy.deepcopy(learner.model.state_dict())
        losses += learn(learner, text.batches(domain), rate, len(losses))
        matrix.append(known(learner, text) if math.isfinite(losses[-1]) else None)
    size, tokens = parameter_count(learner.model), len(losses) * text.batch * text.context
    firings = {name: found.count for name, found in learner.optimizer.since.items()}
    figures = {"order": list(text.domains), "matrix": matrix, "parameters": size, "tokens": tokens, "firings": firings}
    figures |= {"steps": len(losses), "kiloparameters": size / 1000, "slow_kilofirings": min(firings.values()) / 1000}
    figures |= in_numbers(matrix) if None not in matrix else {"final_mean": None}
    if None not in matrix:
        few = {domain: next(text.held_out(domain).windows(FEW)) for domain in text.domains}
        figures |= by_level.learnt_since(learner.model, before, few)
        figures["cosine_added"] = by_level.cosine_added(learner.model, few)
    return figures | {"seconds": time.monotonic() - began}


def configure(settings: dict[str, Any], rate: float, seed: int) -> TrainConfig:
    """The sizes of the model and of the stream, and its text."""
    return language.configure({name: value for name, value in settings.items() if name not in OWN}, rate, seed)


def configuration(settings: dict[str, Any], rate: float, seed: int) -> dict[str, Any]:
    """As a language model's, and what `nlcore.train` does not know: the stream, the warm-up and the arm's own."""
    own = {name: settings.get(name, default) for name, default in OWN.items()}
    asked = {"order": stream.ORDERS[seed % len(stream.ORDERS)], "warm_up": WARM_UP, "windows": [WINDOWS, FEW]}
    choices = {name: value for name, value in settings.items() if name not in OWN}
    return language.configuration(choices, rate, seed) | asked | own | {"stream": FORMAT}


def made(settings: dict[str, Any], config: TrainConfig) -> Learner:
    """The arm's model, its first weights drawn from the seed, and its optimizer, with a level's rate scaled if asked."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        reader = parts.built(config, stream.TOKENIZER.vocabulary)
    optimizer = parts.optimizer(reader, config.preset.lr)
    optimizer.scales |= settings.get("scales", {})
    return Learner(reader, optimizer)


def learn(learner: Learner, batches: Iterator[Batch], rate: float, step: int) -> list[float]:
    """The loss of each batch, in nats a token, after `step` steps; learning ends where one is not finite."""
    losses: list[float] = []
    for step, (inputs, targets) in enumerate(batches, step + 1):
        loss = F.cross_entropy(learner.reader(inputs).logits.flatten(0, 1), targets.flatten())
        losses.append(loss.item())
        if not math.isfinite(losses[-1]):
            break
        loss.backward()
        learner.optimizer.step(step, rate * min(1.0, step / WARM_UP))
    return losses


def known(learner: Learner, text: Stream) -> list[float]:
    """Bits per byte of each domain's held-out text, in the stream's order."""
    measure = partial(score, windows=WINDOWS, choice=device.choose("cpu", "float32"), beat=lambda: None)
    return [measure(learner.reader, text.held_out(domain)).bits_per_byte for domain in text.domains]


def in_numbers(matrix: list[list[float]]) -> dict[str, float]:
    """final_mean, learnt and forgotten of a matrix of bits per byte: see `run`."""
    bits = torch.tensor(matrix, dtype=torch.float64)
    worse = bits[-1] - bits.amin(0)
    means = {"final_mean": bits[-1].mean(), "learnt": bits.diagonal().mean(), "forgotten": worse[:-1].mean()}
    return {name: mean.item() for name, mean in means.items()}


SIZE = dict(
    model="hope-attention", dim=72, depth=2, heads=4, context=256, batch=4, steps=4 * 640, links="gated",
    continuum="sequential", order="fast first", rate_power=0.0,
    hidden=16, chunks=(64, 64), reads="boundary", narrow_rates=True, projections_share=0.1, carry=0,
)  # fmt: skip
"""What all arms share, whatever `tiny` is when this is read. At width 72 one link, or two, three or four together, have
the same 192 hidden units. The last line is of Hope alone, and yet stored."""
SLOW = SIZE | dict(periods=(1, 4, 16))
ONE = SIZE | dict(periods=(1, 1, 1))

EXPERIMENT = Experiment(
    name="domains",
    question="Do levels that fire rarely keep what a stream taught them before its domain changed?",
    arms=(
        Arm("one MLP, period 1", SIZE | dict(periods=(1,)), minutes=1.8),
        Arm("three levels, periods 1 4 16", SLOW, minutes=1.8),
        Arm("three levels, periods 1 1 1", ONE, minutes=1.8),
        Arm("periods 1 4 16, slow rates times 4 16", SLOW | dict(rate_power=1.0), minutes=1.8),
        Arm("periods 1 1 1, slow rates over 4 16", ONE | dict(scales={"cms-2": 1 / 4, "cms-1": 1 / 16}), minutes=1.8),
    ),
    rates=(1e-3, 2e-3, 4e-3),
    seeds=(0, 1, 2),
    run=run,
    score="final_mean",
    configuration=configuration,
    columns={
        "learnt": "when learnt", "forgotten": "forgotten", "cosine_learnt": "cosine, learnt", "cosine_added": "cosine, added",
        "kiloparameters": "parameters, 1000", "slow_kilofirings": "slowest fires, 1000",
    },
)  # fmt: skip

if __name__ == "__main__":
    main(EXPERIMENT)
