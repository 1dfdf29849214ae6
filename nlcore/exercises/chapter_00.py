"""Checks of the exercises of notebook 00. Each returns a sentence and never raises."""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from nlcore.exercises.checking import RIGHT, compare, never_raises


@never_raises
def check_write(write: Callable[[Tensor, Tensor, Tensor, float, float], Tensor]) -> str:
    """Checks `write(W, k, v, alpha, eta)`, the Hebbian write with decay (eq. 64)."""
    draw = torch.Generator().manual_seed(0)
    W, k, v = (torch.randn(*shape, generator=draw, dtype=torch.float64) for shape in ((3, 3), (3,), (3,)))
    alpha, eta, new = 0.5, 0.25, torch.outer(v, k)
    before = W.clone()
    answer = write(W, k, v, alpha, eta)
    if not isinstance(answer, Tensor) or answer.shape != W.shape:
        return "The answer is not a matrix of W's size: return the new W."
    if not torch.equal(W, before):
        return "W itself was changed in place: return a new matrix and leave the old one alone."
    mistakes = {
        "Nothing happened: W came back as it was.": W,
        "Nothing was written: the old matrix fades, but v is not stored under k.": alpha * W,
        "Key and value are exchanged: a read is W @ k, so the key belongs on the right.": alpha * W + eta * new.T,
        "Nothing fades: alpha is not used.": W + eta * new,
        "The new pair is stored in full: eta is not used.": alpha * W + new,
        "The new pair fades as well: alpha belongs to the old matrix only.": alpha * (W + eta * new),
        "The old matrix is gone: keep alpha of it.": eta * new,
        "The sign is wrong: a read would answer -v.": alpha * W - eta * new,
    }
    return compare(answer, alpha * W + eta * new, mistakes)


@never_raises
def check_fires(fires: Callable[[int, int], bool]) -> str:
    """Checks `fires(t, period)`: is a level updated after word t? Period 0 is never."""
    words = range(1, 25)
    found = {period: [t for t in words if fires(t, period)] for period in (1, 2, 4, 12)}
    if not any(found.values()):
        return "No level is ever updated."
    if len(found[1]) < len(words):
        return "A level with period 1 is updated after every word, and yours is not."
    if found[4] == [1, 5, 9, 13, 17, 21]:
        return "It fires at the first word of each four: words count from 1, and it waits for the fourth."
    if found[4] == [3, 7, 11, 15, 19, 23]:
        return "It fires one word early: words count from 1."
    if any(found[period] != list(range(period, 25, period)) for period in found):
        return f"With period 4 it fires at {found[4]}, and should at [4, 8, 12, 16, 20, 24]."
    try:
        return "A level with period 0 is never updated." if fires(4, 0) else RIGHT
    except Exception as error:
        return f"With period 0 (never) it stopped with {type(error).__name__}: answer False there."


@never_raises
def check_lasts(lasts: Callable[[float, int], float]) -> str:
    """Checks `lasts(alpha, period)`: words until a lone word's strength is below one half."""
    try:
        found = {(alpha, period): lasts(alpha, period) for alpha in (0.5, 0.7, 0.9) for period in (1, 4)}
        kept = lasts(1.0, 1)
    except ZeroDivisionError:
        return "At alpha = 1 nothing fades: answer math.inf there."
    if any(value is None for value in found.values()):
        return "It returns nothing yet."
    updates = {0.5: 2, 0.7: 2, 0.9: 7}
    if all(found[alpha, 1] == n and found[alpha, 4] == n for alpha, n in updates.items()):
        return "The period is missing: between two updates nothing fades, however many words pass."
    if found[0.5, 1] == 1:
        return "At alpha = 0.5 one update leaves exactly one half, which is not below it."
    if any(found[alpha, period] != n * period for alpha, n in updates.items() for period in (1, 4)):
        return f"At alpha = 0.9 and period 4 it says {found[0.9, 4]}: 0.9 ** 7 is the first power below one half."
    return RIGHT if kept == math.inf else "At alpha = 1 nothing fades: answer math.inf there."
