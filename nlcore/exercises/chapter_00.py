"""Checks of the exercises of notebook 00. Each returns a sentence and never raises."""

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from nlcore.exercises.checking import RIGHT, compare, never_raises
from nlcore.viz.explorers.clock_of_levels import KINDS, drawn, follow, known

Box = Callable[[Tensor, Tensor, Tensor], Tensor]
SHORTEST, LONGEST = 30, 60
"""Words of the text of `check_text`."""
NEVER = 0
_PERIODS = {"A": 3, "B": 1, "C": NEVER, "D": 6}
_DRAW = torch.Generator().manual_seed(5)
_BORN = torch.randn(8, 8, generator=_DRAW) / 3


def _box(name: str) -> Box:
    """A memory of width 8 that reads pairs (T, 8) in turn, and then answers queries (Q, 8)."""
    period = _PERIODS[name]

    def read(k: Tensor, v: Tensor, q: Tensor) -> Tensor:
        matrix = _BORN.clone() if name in "CD" else torch.zeros(8, 8)
        done = len(k) - len(k) % period if period else 0
        for key, value in zip(k[:done], v[:done]):
            matrix = matrix + torch.outer(value - matrix @ key, key)
        return q @ matrix.T

    return read


BOXES: Mapping[str, Box] = {name: _box(name) for name in _PERIODS}
"""Four memories whose periods are to be found."""


@never_raises
def check_erase(erase: Callable[[Tensor, Tensor], Tensor]) -> str:
    """Checks `erase(W, k)`: the key answers nothing, and those at right angles to it what they did."""
    draw = torch.Generator().manual_seed(0)
    W, k = (torch.randn(*shape, generator=draw, dtype=torch.float64) for shape in ((3, 3), (3,)))
    square, said = k @ k, torch.outer(W @ k, k)
    before = W.clone()
    answer = erase(W, k)
    if not isinstance(answer, Tensor) or answer.shape != W.shape:
        return "The answer is not a matrix of W's size: return the new W."
    if not torch.equal(W, before):
        return "W itself was changed in place: return a new matrix and leave the old one alone."
    mistakes = {
        "Nothing happened: W came back as it was.": W,
        "All is gone: other keys must answer as before.": torch.zeros_like(W),
        "It takes the wrong amount away: this k is not of length one, so that k @ k is not 1.": W - said,
        "It takes the wrong amount away: k's length comes in twice, in W @ k and in the k on the right.": W - said / square.sqrt(),
        "Key and answer are exchanged: a read is W @ k, so the key belongs on the right.": W - said.T / square,
        "What k answers is W @ k, and not k @ W.": W - torch.outer(k @ W, k) / square,
        "The sign is wrong: k answers twice what it did.": W + said / square,
        "Only the key itself was written away: take what it answers.": W - torch.outer(k, k) / square,
        "Only what k answers is left: keep everything else instead.": said / square,
    }
    return compare(answer, W - said / square, mistakes)


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


@never_raises
def check_text(text: str) -> str:
    """Checks a text after which the fast weights know more different words than the slow level of the clock."""
    if not isinstance(text, str) or not text.split():
        return "Return the text as one string of words."
    found = text.lower().split()
    if not SHORTEST <= len(found) <= LONGEST:
        return f"It has {len(found)} words: take {SHORTEST} to {LONGEST}, so that the slow level, whose period is 24, has been updated."
    vectors = drawn(found)
    (fast, total), (slow, _) = (
        known(follow(KINDS[name], period, found, vectors), len(found), found) for name, period in (("fast weights", 1), ("CMS, slow", 24))
    )
    if fast > slow:
        return f"{RIGHT} Of {total} different words the fast weights know {fast}, and the slow level {slow}."
    counts = f"Of {total} different words the fast weights know {fast}, and the slow level {slow}."
    waiting = len(found) % 24
    if slow >= total - 1 and fast >= total - 1:
        return f"{counts} The text has too few different words, so that both know all of them."
    if waiting < 8:
        return f"{counts} The slow level has missed only the last {waiting} words: let more of them wait for its next update."
    missed = set(found[len(found) - waiting :]) - set(found[: len(found) - waiting])
    if len(missed) < 4:
        return f"{counts} Of the {waiting} words that wait for the slow level only {len(missed)} are new to it: it met the others before."
    return f"{counts} The slow level has read too many different words: what must stand in the part that it has read?"


@never_raises
def check_boxes(periods: Mapping[str, int]) -> str:
    """Checks which period each of `BOXES` has; 0 is never."""
    if not isinstance(periods, Mapping) or set(periods) != set(_PERIODS):
        return "Name a period for each of A, B, C and D, and for nothing else."
    if any(not isinstance(period, int) or isinstance(period, bool) for period in periods.values()):
        return "A period is a whole number of pairs, and 0 where a box is never updated."
    for name, true in _PERIODS.items():
        said = periods[name]
        if said == true:
            continue
        if name == "C":
            return "C gives answers, and yet it has learnt none of them from you. Does any of its answers change with what you write?"
        if name == "D" and said == NEVER:
            return "D answers before it has read anything, as C does. But write more pairs than you have, six or seven, and ask again."
        if said == NEVER:
            return f"{name} does change: ask for the newest pair after one pair, after two, after three, and so on."
        if said == 2 * true or said % true == 0:
            return f"{name} knows new pairs sooner than every {said}: try numbers of pairs that are no multiple of {said}."
        if true % said == 0:
            return f"{name} is slower than that: after {said} {'pair' if said == 1 else 'pairs'} it does not know the newest yet."
        return f"{name} is not updated every {said} pairs: after how many pairs does it first know the newest one?"
    return RIGHT
