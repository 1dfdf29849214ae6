"""How does the best learning rate move with width and depth, for Hope and for Transformer++, by each optimizer?

    python -m experiments.rates                  # small widths, the same tokens for all
    python -m experiments.rates --size laptop    # a preset's own sizes, its first 100 steps; another file of results

Under the table stands, for each arm, where a parabola through the best rate and its two neighbours, in the logarithm of
the rate, has its minimum, and between which rates it lies no more than TOLERANCE above that; then the power of the width
that these minima follow, and what it would give at the widths of the presets. These lie far outside of what was
measured: at the large ones a few rates near the extrapolated one, by `--size`, are worth their time.
"""

import argparse
import math
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from nlcore.models import PRESETS, preset_of
from nlcore.sizing import parameters
from nlcore.train.choices import OPTIMIZERS

from experiments.experiment import Arm, Experiment, load, main
from experiments.language import language_model
from experiments.results import FOLDER, Results

MODELS = {"transformer": "Transformer++", "hope": "Hope"}
WIDTHS = (32, 64, 128)
SIZE = dict(
    depth=2, hidden=16, chunks=(64, 64), reads="boundary", narrow_rates=True, projections_share=0.1, periods=(1, 4, 16),
    links="gated", rate_power=-0.5, context=128, batch=4, steps=200, carry=0, final_windows=128,
)  # fmt: skip
"""What all arms share, whatever `tiny` is when this is read: 102,400 tokens. A head is 32 wide."""
MINUTES = {"transformer": {32: 0.1, 64: 0.13, 128: 0.25}, "hope": {32: 0.25, 64: 0.35, 128: 0.6}}
TOLERANCE = 0.02
"""Bits a byte."""
LARGER = tuple(size for size in PRESETS if size != "tiny")
FIRST_STEPS = 100
LAPTOP_MINUTES = 140.0
"""Of that many steps of `laptop` on one core, by the doctor's estimate."""


def arm(model: str, optimizer: str, width: int, depth: int = 2) -> Arm:
    settings = SIZE | dict(model=model, optimizer=optimizer, dim=width, heads=width // 32, depth=depth)
    deeper = f", depth {depth}" if depth > 2 else ""
    return Arm(f"{MODELS[model]}, {optimizer}, width {width}{deeper}", settings, MINUTES[model][width] * depth / 2)


def experiment(size: str | None = None) -> Experiment:
    """The sweep at small widths or, with results of its own, over the first steps of a preset's size."""
    what = "at small widths" if size is None else f"in the first {FIRST_STEPS} steps of {size}"
    if size is None:
        widths = tuple(arm(model, optimizer, width) for optimizer, model, width in product(OPTIMIZERS, MODELS, WIDTHS))
        arms = (*widths, *(arm(model, "adamw", 64, depth=4) for model in MODELS))
    else:
        arms = tuple(_first_steps(size, model, optimizer) for optimizer, model in product(OPTIMIZERS, MODELS))
    return Experiment(
        name=_name(size) if size else "rates",
        question=f"Which learning rate is best {what}, by model, width and optimizer?",
        arms=arms,
        rates=(2e-3, 4e-3, 8e-3) if size is None else tuple(PRESETS[size].lr * factor for factor in (0.5, 1.0, 2.0)),
        seeds=(0, 1),
        run=language_model,
    )


def _name(size: str) -> str:
    return f"rates_{size.replace('.', '_')}"


def _first_steps(size: str, model: str, optimizer: str) -> Arm:
    """A preset's own sizes, on the best device there is; a run as short as this has all of its schedule in it."""
    sizes = {name: value for name, value in asdict(preset_of(size, model)).items() if name != "lr"}
    settings = sizes | dict(model=model, optimizer=optimizer, steps=FIRST_STEPS, device="auto")
    work = (parameters(preset) * preset.batch * preset.context for preset in (PRESETS[size], PRESETS["laptop"]))
    minutes = LAPTOP_MINUTES * next(work) / next(work)
    return Arm(f"{MODELS[model]}, {optimizer}, first {FIRST_STEPS} steps of {size}", settings, round(minutes))


@dataclass(frozen=True)
class Best:
    """An arm's best rate, and the rates between which the parabola is within TOLERANCE of its minimum."""

    rate: float
    low: float
    high: float


def best(tried: list[list[float | None]]) -> Best | None:
    """By a parabola through the best of these rates, each with its score, and its two neighbours.

    None where the best has no neighbour on one side, or a neighbour's run diverged.
    """
    scores = [math.inf if score is None else score for _, score in tried]
    at = min(range(len(tried)), key=scores.__getitem__, default=0)
    around = scores[max(at - 1, 0) : at + 2]
    if len(around) < 3 or math.inf in around:
        return None
    curve, slope, _ = np.polyfit([math.log(rate) for rate, _ in tried[at - 1 : at + 2]], around, 2)
    if curve <= 0:
        return None
    middle, half = -slope / (2 * curve), math.sqrt(TOLERANCE / curve)
    return Best(*(math.exp(middle + way * half) for way in (0, -1, 1)))


@dataclass(frozen=True)
class Power:
    """The line log rate = power log width + constant, by least squares through the best rates of so many widths."""

    power: float
    constant: float
    widths: int

    def rate(self, width: int) -> float:
        return math.exp(self.constant) * width**self.power


def powers(results: Results) -> dict[tuple[str, str], Power]:
    """By model and optimizer, at depth 2. Those that have fewer than two widths with a best rate are not there."""
    settings = {each["name"]: each["settings"] for each in results.experiment["arms"]}
    found: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for row in results.rows:
        own, at = settings[row["arm"]], best(row["tried"])
        if own["depth"] == SIZE["depth"] and at is not None and row["rate"] is not None:
            found.setdefault((own["model"], own["optimizer"]), []).append((math.log(own["dim"]), math.log(at.rate)))
    return {of: Power(*np.polyfit(*zip(*points), 1), len(points)) for of, points in found.items() if len(points) > 1}


def report(results: Results) -> str:
    """What stands under the table: the parabolas, the powers, and the presets."""
    lines = [f"Best by a parabola, and the rates within {TOLERANCE:g} bits a byte of its minimum:"]
    for row in results.rows:
        at = best(row["tried"]) if row["rate"] is not None else None
        said = f"{at.rate:.2g} ({at.low:.2g} to {at.high:.2g})" if at else "not found yet"
        lines.append(f"  {row['arm']}: {said}")
    found = powers(results)
    for (model, optimizer), line in found.items():
        lines.append(f"{MODELS[model]}, {optimizer}: over {line.widths} widths the best rate goes as width to the {line.power:+.2f}.")
        if optimizer == "adamw":
            lines += [_extrapolated(model, size, line) for size in PRESETS]
    lines += [f"Not run: python -m experiments.rates --size {size}" for size in LARGER if not _file(size).exists()]
    return "\n".join(lines)


def _file(size: str) -> Path:
    return FOLDER / f"{_name(size)}.json"


def _extrapolated(model: str, size: str, line: Power) -> str:
    preset = preset_of(size, model)
    by = f"{line.rate(preset.dim):.2g} by that power"
    return f"  {MODELS[model]} {size}, width {preset.dim}: {by}, and the preset has {preset.lr:g}"


EXPERIMENT = experiment()

if __name__ == "__main__":
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--size", choices=LARGER)
    given, others = parser.parse_known_args()
    asked = experiment(given.size)
    main(asked, others)
    print("\n" + report(load(asked.name)))
