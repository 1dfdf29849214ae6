"""Checks of the exercises of notebook 11. Each returns a sentence and never raises."""

import math
from collections.abc import Callable
from typing import Any

from nlcore.exercises.checking import RIGHT, UNKNOWN, compare, never_raises, number

Rows = list[dict[str, Any]]


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
        return "It finds no step: cms-2 fires at three of these twelve."
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
