"""Does a memory that was trained to last go on to profit from what it reads, far beyond the training's context?

    python -m experiments.lasting

A model whose windows all begin fresh has never seen a memory that is older than a window. With `carry` it trains on
windows that follow each other in the text, with its state carried on and the gradient cut between them. How that
turns out stands against the position in a long text, beside the same bytes read from fresh states.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from nlcore import tasks
from nlcore.models import LanguageModel, frozen_memories
from nlcore.tasks.tokenizers import Tokenizer
from nlcore.train import device, load
from nlcore.train.evaluate import HeldOut
from nlcore.train.positions import afresh, by_position, reading_on, through_a_window

from experiments import language
from experiments.experiment import Arm, Experiment, main

PIECES = 16
"""Of one training context each, in a stretch of held-out text."""
STRETCHES = 32


def run(settings: dict[str, Any], rate: float, seed: int, folder: Path) -> dict[str, Any]:
    """A run of `language_model`, and its bits per byte by position: see `positions`."""
    figures = language.language_model(settings, rate, seed, folder)
    if figures["bits_per_byte"] is None:
        return figures
    config = language.configure(settings, rate, seed)
    return figures | positions(*load(folder), config.data, config.preset.context)


def configuration(settings: dict[str, Any], rate: float, seed: int) -> dict[str, Any]:
    """As a language model's, and what is read with it."""
    return language.configuration(settings, rate, seed) | {"stretches": STRETCHES, "pieces": PIECES}


def positions(model: LanguageModel, tokenizer: Tokenizer, data: str, context: int) -> dict[str, Any]:
    """Bits per byte against the position, in pieces of one context, of the same stretches of held-out text.

    reading_on: (PIECES,) with the state carried; a model without memories reads through a window of `context` instead.
    afresh: (PIECES,) each piece from a fresh state: how hard the text is at each position.
    eta_0: (PIECES,) reading on without a write in context; only for a model with memories.
    gain: (PIECES,) afresh less reading_on: on the same bytes, so that the text's own ups and downs fall out of it.
    gain_error: (PIECES,) the gain's standard error over stretches.
    rise, rise_error: reading_on at the last piece less that at the first, other text, and its standard error.
    mean_reading_on, mean_afresh: over all pieces; mean_gain: over all but the first.
    last_gain, last_gain_error: the last of `gain` and of `gain_error`.
    """
    tokens = tasks.prepare(tasks.load(data), tokenizer).validation
    held_out = HeldOut(tokens, tokenizer, context, batch=STRETCHES)
    measure = partial(
        by_position, model, held_out, stretches=STRETCHES, pieces=PIECES, choice=device.choose("cpu", "auto")
    )
    remembers = any(level.unit == "tokens" for level in model.levels())
    on, fresh = measure(reading_on if remembers else through_a_window), measure(afresh)
    gain, rise = fresh - on, on[:, -1] - on[:, 0]
    figures = {"reading_on": on.mean(0), "afresh": fresh.mean(0), "gain": gain.mean(0), "gain_error": _error(gain)}
    if remembers:
        with frozen_memories(model):
            figures["eta_0"] = measure(reading_on).mean(0)
    lists = {name: np.round(values, 5).tolist() for name, values in figures.items()}
    return lists | {
        "mean_reading_on": float(on.mean()),
        "mean_afresh": float(fresh.mean()),
        "rise": float(rise.mean()),
        "rise_error": float(_error(rise)),
        "last_gain": lists["gain"][-1],
        "last_gain_error": lists["gain_error"][-1],
        "mean_gain": float(gain[:, 1:].mean()),
    }


def _error(values: np.ndarray) -> np.ndarray:
    """Standard error of the mean over the first dimension."""
    return values.std(axis=0, ddof=1) / np.sqrt(len(values))


SIZE = dict(
    dim=128, depth=2, heads=4, hidden=32, chunks=(64, 64), reads="boundary", narrow_rates=True, projections_share=0.1,
    periods=(1, 4, 16), links="gated", rate_power=-0.5, context=256, batch=4, steps=380,
)  # fmt: skip
"""What all arms share, whatever `tiny` is when this is read."""

EXPERIMENT = Experiment(
    name="lasting",
    question="Trained with its state carried on, does Hope keep what it reads for 16 times the training's context?",
    arms=(
        Arm("Hope, every window fresh", SIZE | dict(model="hope", carry=0), minutes=2.3),
        Arm("Hope, carry 3", SIZE | dict(model="hope", carry=3), minutes=2.3),
        Arm("Hope, carry 15", SIZE | dict(model="hope", carry=15), minutes=2.3),
        Arm("Transformer++, its own window", SIZE | dict(model="transformer", carry=0), minutes=0.8),
    ),
    rates=(2e-3, 4e-3, 8e-3),
    seeds=(0, 1, 2),
    run=run,
    configuration=configuration,
    columns={"bits_per_byte_eta_0": "eta 0", "mean_afresh": "pieces afresh", "mean_reading_on": "reading on",
             "mean_gain": "gain, pieces 2 to 16", "last_gain": "gain, piece 16", "last_gain_error": "its error"},
)

if __name__ == "__main__":
    main(EXPERIMENT)
