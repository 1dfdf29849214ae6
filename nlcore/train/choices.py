"""What each choice of a run may be: its type and its range, all in one table, and what is said of anything else."""

import math
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from nlcore.models import MODELS, InnerLevel
from nlcore.models.presets import CHOICES, FORMS, LINKS, MAKES, ORDERS, READS
from nlcore.optim.settings import plain
from nlcore.tasks.shard_batches import SPANS
from nlcore.tasks.tokenizers import KINDS
from nlcore.train.schedule import SCHEDULES
from nlcore.train.words import shown

Check = Callable[[str, Any], None]
"""Takes a choice's name and value, as Python's own; raises TrainError if it may not be that."""
DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("auto", "float32", "bfloat16")
COMPILE = ("auto", "on", "off")
OPTIMIZERS = ("adamw", "muon", "m3")
PARALLEL = ("ddp", "fsdp")
LARGEST_RATE = 1000.0
"""Of a learning rate and of a factor on it: far beyond use, and what is computed from both stays a float."""
LARGEST_SEED, MOST_THREADS, MOST_STEPS = 2**64 - 1, 1024, 10**12
MOST_TOKENS = 2**28
"""In a batch."""
NAME = re.compile(r"\w[\w .-]{0,63}")
"""Of a size: part of a folder's name."""


class TrainError(ValueError):
    """A run that cannot go on as asked. Its message is one sentence: what is wrong, and what to do."""


def checked(choices: Mapping[str, Any]) -> dict[str, Any]:
    """These choices as Python's own, a path as text. Raises TrainError for one that cannot be what it is.

    Names that no choice has are left to the caller.
    """
    found = {name: _plain(value) for name, value in choices.items()}
    for name, value in found.items():
        if name in CHECKS:
            CHECKS[name](name, value)
    return found


def one_of(among: Callable[[], Iterable[str]]) -> Check:
    """One of the names that are there when it is asked."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, str) or value not in among():
            raise TrainError(f"There is no {name} {shown(value)}: choose one of {', '.join(among())}.")

    return check


def _plain(value: Any) -> Any:
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value if isinstance(value, str) else plain(value)


def _whole(least: int, most: int) -> Check:
    def check(name: str, value: Any) -> None:
        if type(value) is not int or value < least:
            raise TrainError(f"{name} is {shown(value)}: give a whole number, {least} or more.")
        if value > most:
            raise TrainError(f"{name} is {shown(value)}: give a whole number from {least} to {most}.")

    return check


def _wholes(fewest: int, most: int) -> Check:
    def check(name: str, values: Any) -> None:
        if not isinstance(values, tuple) or not fewest <= len(values) <= most:
            few = f"{fewest}" if fewest == most else f"{fewest} to {most}"
            raise TrainError(f"{name} is {shown(values)}: give {few} whole numbers.")
        for value in values:
            _whole(1, MOST_STEPS)(name, value)

    return check


def _number(least: float, most: float) -> Check:
    def check(name: str, value: Any) -> None:
        if type(value) not in (int, float) or not least <= value <= most:
            raise TrainError(f"{name} is {shown(value)}: give a number from {least:g} to {most:g}.")

    return check


def _positive(most: float) -> Check:
    def check(name: str, value: Any) -> None:
        if type(value) not in (int, float) or not 0 < value <= most:
            limit = "" if most > LARGEST_RATE else f" and at most {most:g}"
            raise TrainError(f"{name} is {shown(value)}: give a number above 0{limit}.")

    return check


def _levels(name: str, values: Any) -> None:
    wanted = f"{name} is {shown(values)}: give level, tokens and rate of each, as (('cms-3', 16, 0.3),)."
    if not isinstance(values, tuple) or not all(isinstance(value, tuple) for value in values):
        raise TrainError(wanted)
    try:
        [InnerLevel(*value) for value in values]
    except TypeError as error:
        raise TrainError(wanted) from error
    except ValueError as error:
        raise TrainError(f"{name} cannot be that, because {error}.") from error


def _factors(name: str, values: Any) -> None:
    wanted = f"{name} is {shown(values)}: give each level, once, and the factor on its rate, as (('cms-3', 0.5),)."
    if not isinstance(values, tuple) or not all(isinstance(value, tuple) and len(value) == 2 for value in values):
        raise TrainError(wanted)
    levels = [level for level, _ in values]
    if not all(isinstance(level, str) for level in levels) or len(set(levels)) < len(levels):
        raise TrainError(wanted)
    for level, factor in values:
        _number(0, LARGEST_RATE)(f"{name} of {level}", factor)


def _betas(name: str, values: Any) -> None:
    shares = isinstance(values, tuple) and len(values) == 2 and all(type(value) in (int, float) for value in values)
    if not shares or not all(0 <= value < 1 for value in values):
        raise TrainError(f"{name} is {shown(values)}: give two numbers, each 0 or more and below 1, as (0.9, 0.95).")


def _makes(name: str, values: Any) -> None:
    if not isinstance(values, tuple) or any(value not in MAKES for value in values) or len(set(values)) < len(values):
        raise TrainError(f"{name} is {shown(values)}: give some of {', '.join(MAKES)}, each once, as ('k', 'v').")


def _or_none(check: Check) -> Check:
    return lambda name, value: None if value is None else check(name, value)


def _truth(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise TrainError(f"{name} is {shown(value)}: give True or False.")


def _name(name: str, value: Any) -> None:
    if not isinstance(value, str) or not NAME.fullmatch(value):
        raise TrainError(f"{name} is {shown(value)}: give a short name that a folder can have, as tiny is.")


def _data(name: str, value: Any) -> None:
    if not isinstance(value, str):
        raise TrainError(f"{name} is {shown(value)}: name a file or a folder of text, or 'builtin'.")


COUNT = _whole(1, MOST_STEPS)
CHECKS: dict[str, Check] = {
    # A preset's. The most is far beyond use; what exceeds it is a slip of the keyboard.
    "name": _name,
    "dim": _whole(1, 2**16),
    "depth": _whole(1, 1000),
    "heads": _whole(1, 2**12),
    "hidden": _whole(1, 2**16),
    "chunks": _wholes(2, 2),
    "periods": _wholes(1, 64),
    "context": _whole(2, MOST_TOKENS),
    "batch": _whole(1, MOST_TOKENS // 2),
    "steps": COUNT,
    "lr": _positive(LARGEST_RATE),
    "tokenizer": one_of(lambda: KINDS),
    "vocabulary": _whole(1, 2**24),
    "checkpoint_blocks": _truth,
    "carry": _whole(0, 2**16),
    "reads": one_of(lambda: READS),
    "narrow_rates": _truth,
    "projections_share": _number(0, 1),
    "links": one_of(lambda: LINKS),
    "rate_power": _number(-1, 1),
    "continuum": one_of(lambda: FORMS),
    "order": one_of(lambda: ORDERS),
    "in_context": _levels,
    "second_order": _truth,
    **{field: one_of(lambda field=field: CHOICES[field]) for field in CHOICES},
    "momentum": _truth,
    "adaptive": _makes,
    # A run's own.
    "model": one_of(lambda: MODELS),
    "data": _data,
    "spans": one_of(lambda: SPANS),
    "seed": _whole(0, LARGEST_SEED),
    "device": one_of(lambda: DEVICES),
    "dtype": one_of(lambda: DTYPES),
    "compile": one_of(lambda: COMPILE),
    "parallel": one_of(lambda: PARALLEL),
    "threads": _whole(0, MOST_THREADS),
    "seconds": _or_none(_positive(1e12)),
    "micro_batch": _or_none(_whole(1, MOST_TOKENS)),
    "optimizer": one_of(lambda: OPTIMIZERS),
    "matrix_lr": _or_none(_positive(LARGEST_RATE)),
    "betas": _betas,
    "weight_decay": _number(0, LARGEST_RATE),
    "clip": _positive(1e12),
    "level_lr": _factors,
    "schedule": one_of(lambda: SCHEDULES),
    "warmup": _number(0, 0.99),
    "floor": _number(0, 1),
    "decay": _number(0, 1),
    "report_every": COUNT,
    "validate_every": COUNT,
    "checkpoint_every": COUNT,
    "tensorboard": _truth,
    "keep": COUNT,
    "validation_windows": COUNT,
    "final_windows": COUNT,
}
"""Of every field of Preset and of TrainConfig but the preset."""
