"""Checks of the exercises of notebook 11. Each returns a sentence and never raises."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from nlcore.exercises.checking import RIGHT, UNKNOWN, compare, compare_names, never_raises, number

Rows = list[dict[str, Any]]
Train = Callable[[str, float, int, int], list[float]]
"""(model, peak rate, steps, seed) -> the loss after each step of a run whose schedule ends with its last step."""
STEPS, RATES, SEEDS = 100, (0.001, 0.002, 0.004, 0.008, 0.016), (0, 1, 2)


@never_raises
def check_fired(fired: Callable[[Rows, str], list[int]]) -> str:
    """Checks `fired(rows, level)`: the steps at which a level fired."""
    rows = [
        {"level": level, "step": step, "fired": step % period == 0}
        for step in range(1, 13)
        for level, period in (("weights", 1), ("cms-2", 4), ("cms-1", 6))
    ]
    found = fired(rows, "cms-2")
    if found is None or list(found) == []:
        return "It finds no step: cms-2 fires at three of the check's twelve."
    found = list(found)
    if any(not isinstance(step, int) or isinstance(step, bool) for step in found):
        return f"It returns {found[:3]}: return step numbers, row['step']."
    if found == [4, 8, 12]:
        return RIGHT if list(fired(rows, "cms-1")) == [6, 12] else "It is right for cms-2 only: use the argument `level`."
    if found == list(range(1, 13)):
        return "All steps are there: a level that did not fire has a row too."
    if sorted(found) == sorted(row["step"] for row in rows if row["fired"]):
        return "The steps of all levels are there: take the rows of this one."
    return UNKNOWN


@never_raises
def check_bits_per_byte(bits_per_byte: Callable[[float, float], float]) -> str:
    """Checks `bits_per_byte(nats, bytes_per_token)`."""
    nats, size = 2.1, 3.7
    bits = nats / math.log(2)
    return compare(
        bits_per_byte(nats, size),
        number(bits / size),
        {
            "These are bits per token: a token stands for several bytes.": number(bits),
            "These are nats per byte: a nat is 1 / ln 2 bits.": number(nats / size),
            "It multiplies by the bytes of a token: its bits are shared by them, so divide.": number(bits * size),
            "A nat is more than a bit: divide by ln 2, do not multiply.": number(nats * math.log(2) / size),
        },
    )


@never_raises
def check_cost(updated: Callable[[int, tuple[int, ...]], float]) -> str:
    """Checks `updated(parameters, periods)`: parameters updated per step, on average."""
    size, periods = 1000, (1, 4, 16, 64)
    return compare(
        updated(size, periods),
        number(size * sum(1 / period for period in periods)),
        {
            "Every level is counted in every step: a slow one is updated once in its period.": number(size * len(periods)),
            "This is the mean over levels: add them up.": number(size * sum(1 / p for p in periods) / len(periods)),
            "A longer period costs less, not more: divide by it.": number(size * sum(periods)),
            "Only the fastest level is counted.": number(size),
        },
    )


def _rows(ill: str) -> Rows:
    """What levels.jsonl holds of 128 steps, a report a step."""
    rows: Rows = []
    for step in range(1, 129):
        for level, period, unit in (("memory", 64, "tokens"), ("weights", 1, "steps"), ("cms-2", 4, "steps"), ("cms-1", 16, "steps")):
            writes = 4 if unit == "tokens" else int(step % (1 if ill == "hurried" and level == "cms-2" and step > 40 else period) == 0)
            if ill == "late" and level == "cms-1" and step > 64:
                writes = 0
            moved = 0.0 if ill == "silent" and level == "memory" else (0.3 if unit == "tokens" else 0.01 * (129 - step) / 128)
            rows.append({"step": step, "level": level, "period": period, "unit": unit, "fired": writes > 0, "writes": writes,
                         "update_norm": moved if writes else None, "weight_norm": 1.0})  # fmt: skip
    return rows


_ILL = {"A": "hurried", "B": "silent", "C": "sound", "D": "late"}
RUNS: dict[str, Rows] = {name: _rows(ill) for name, ill in _ILL.items()}
"""Four runs, as levels.jsonl has them; three of them are ill."""


@never_raises
def check_runs(answer: Mapping[str, str]) -> str:
    """Checks which of `RUNS` is "sound", and which "late", "hurried" or "silent"."""
    hints = {
        "A": "Count what each level fires in all: does it keep to its period from the first step to the last?",
        "B": "Every level fires as often as it should. Does each of them also move when it does?",
        "C": "Compare what each level fired with what its period asks for, and look for updates of size zero.",
        "D": "Look for the last step at which each level fired: is any of them more than a period before the end?",
    }
    return compare_names(answer, _ILL, hints)


def _trains(best: Mapping[str, float], floor: Mapping[str, float]) -> Train:
    """A world in which each model has a best rate, and a loss that it nears; nothing is trained in it."""

    def train(model: str, rate: float, steps: int, seed: int) -> list[float]:
        known = model in best and rate > 0 and int(steps) == steps and steps > 0
        if not known:
            raise ValueError(f"train({model!r}, {rate!r}, {steps!r}, {seed!r}): give 'A' or 'B', a rate, steps and a seed")
        ends = floor[model] + 0.15 * abs(math.log2(rate / best[model])) ** 1.5 + 0.3 * math.sin(7 * seed + len(best) * ord(model))
        warm = [(1 + math.cos(math.pi * step / steps)) / 2 for step in range(1, int(steps) + 1)]
        return [ends + 3 / math.sqrt(step) + 0.6 * share for step, share in enumerate(warm, 1)]

    return train


trained = _trains({"A": 0.004, "B": 0.002}, {"A": 2.0, "B": 1.55})
"""The world that a reader may try things in. The check has another."""


@never_raises
def check_gap(gap: Callable[[Train, tuple[float, ...], tuple[int, ...], int], float]) -> str:
    """Checks `gap(train, rates, seeds, steps)`: how much more B loses than A after so many steps, if both are treated alike."""
    world, asked = _trains({"A": 0.002, "B": 0.004}, {"A": 2.05, "B": 1.8}), []

    def train(model: str, rate: float, steps: int, seed: int) -> list[float]:
        asked.append((model, rate, steps, seed))
        return world(model, rate, steps, seed)

    def mean(model: str, rate: float, seeds: tuple[int, ...] = SEEDS) -> float:
        return sum(world(model, rate, STEPS, seed)[-1] for seed in seeds) / len(seeds)

    own = {model: min(RATES, key=lambda rate: mean(model, rate)) for model in "AB"}  # noqa: B023
    right = mean("B", own["B"]) - mean("A", own["A"])
    found = gap(train, RATES, SEEDS, STEPS)
    if found is not None and any(steps != STEPS for _, _, steps, _ in asked):
        return "A run of another length was asked for: at step 100 its rate is not down yet, so let every schedule end at 100."
    return compare(
        found,
        number(right),
        {
            "The sign is the other way about: what B loses, minus what A loses.": number(-right),
            "One seed may be luck: take the mean over all of them.": number(mean("B", own["B"], SEEDS[:1]) - mean("A", own["A"], SEEDS[:1])),
            "The best single run is luck: choose a rate by its mean over the seeds.": number(
                min(mean("B", rate, (seed,)) for rate in RATES for seed in SEEDS)
                - min(mean("A", rate, (seed,)) for rate in RATES for seed in SEEDS)
            ),
            "Both have the rate that suits A: B is to have its own best.": number(mean("B", own["A"]) - mean("A", own["A"])),
            "Both have the rate that suits B: A is to have its own best.": number(mean("B", own["B"]) - mean("A", own["B"])),
            "Each has its worst rate: a lower loss is better.": number(
                mean("B", max(RATES, key=lambda rate: mean("B", rate))) - mean("A", max(RATES, key=lambda rate: mean("A", rate)))
            ),
            "This is the mean over all rates: choose each model's best.": number(
                sum(mean("B", rate) - mean("A", rate) for rate in RATES) / len(RATES)
            ),
        },
    )
