"""Checks of the exercises of notebook 08. Each returns a sentence and never raises."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from nlcore.exercises.checking import RIGHT, compare, compare_names, never_raises

Answers = list[float]
Memory = Callable[[Sequence[float]], Answers]
_NESTS = (((1, 2, 6), (0.5, 0.3, 0.2)), ((1, 3, 6, 12), (0.4, 0.3, 0.2, 0.1)))
"""Periods and rates; the second shows what was written for the first alone."""
_FOR_ONE = (
    "Right for periods 1, 2, 6, but not for 1, 3, 6, 12: take how many levels there are, and when each is due, from `periods`."
)
_TARGETS = tuple([1.0] * 5 + [-0.5, 0.25, 2.0] + [0.0] * 6)
STEPS, WORSE = 64, 3.0
"""Of a stream against the nest; and how many times as large the nest's error has to be."""


def _nest(
    targets: Sequence[float], periods: Sequence[int], rates: Sequence[float], restart: bool = True,
    mean: bool = False, keeps: bool = False, late: bool = False, slow_first: bool = False, count_from: int = 1,
) -> Answers:  # fmt: skip
    """The answers of levels whose sum answers, before each step.

    restart: whether an update puts all faster levels back to 0. What goes wrong on purpose: gradients are their mean,
    gathered ones are kept, errors are those of the levels as they are by then, the slowest level goes first, or steps
    are counted from 0.
    """
    levels, gathered, answers = [0.0] * len(periods), [0.0] * len(periods), []
    for i, target in enumerate(targets, count_from):
        answers.append(sum(levels))
        for n in sorted(range(len(periods)), reverse=slow_first):
            period, rate = periods[n], rates[n]
            gathered[n] += (sum(levels) if late else answers[-1]) - target
            if i % period == 0:
                levels[n] -= rate * gathered[n] / (period if mean else 1)
                gathered[n] = gathered[n] if keeps else 0.0
                if restart:
                    levels[:n] = [0.0] * n
    return answers


@never_raises
def check_nest(nest: Callable[[Sequence[float], Sequence[int], Sequence[float]], Answers]) -> str:
    """Checks `nest(targets, periods, rates)`: the answers of a nest of any depth, before each step."""
    told = {
        "Nobody restarts: an update has to put all faster levels back to 0.": dict(restart=False),
        "The slowest level goes first, and so those that it has put back step once more: go from fast to slow.":
            dict(slow_first=True),
        "The mean is taken: a level steps along the sum of what it has gathered.": dict(mean=True),
        "What was gathered has to be cleared when a level has stepped.": dict(keeps=True),
        "The errors are those after the faster levels have stepped: all use the answer from before the step.":
            dict(late=True),
        "Steps are counted from 0, so that all levels are due at the first: a level is due at steps C, 2 C and so on, "
        "counted from 1.": dict(count_from=0),
    }  # fmt: skip
    for setting in _NESTS:
        found = nest(list(_TARGETS), *setting)
        if found is None:
            return "It returns nothing yet."
        mistakes = {sentence: torch.tensor(_nest(_TARGETS, *setting, **how)) for sentence, how in told.items()}
        after = _nest((*_TARGETS, 0.0), *setting)[1:]
        mistakes["These are the answers after each step: each belongs before it, and the first is 0."] = torch.tensor(after)
        verdict = compare(torch.as_tensor(found, dtype=torch.float32), torch.tensor(_nest(_TARGETS, *setting)), mistakes)
        if verdict != RIGHT:
            return verdict if setting == _NESTS[0] else _FOR_ONE
    return RIGHT


SUSPECTS: dict[str, Memory] = {
    "A": partial(_nest, periods=(1, 4), rates=(0.25, 0.25), restart=False),
    "B": partial(_nest, periods=(1, 1), rates=(0.25, 0.125), restart=False),
    "C": partial(_nest, periods=(1, 4), rates=(0.25, 0.125)),
}
"""Three memories of two numbers: targets in, answers before each step out."""


@never_raises
def check_suspects(answer: Mapping[str, str]) -> str:
    """Checks which of `SUSPECTS` is "nested", "side by side" or "one frequency": a dict from "A", "B", "C"."""
    right = {"A": "side by side", "B": "one frequency", "C": "nested"}
    hints = {
        "A": "Under a steady target of 1 it leaps beyond 1: two levels mend the same errors, and none is put back.",
        "B": "Under a steady target it comes nearer at every step and never leaps: does any period show?",
        "C": "Under a steady target it falls back every fourth step: what is put to 0 there?",
    }
    return compare_names(answer, right, hints)


def rivals(targets: Sequence[float]) -> tuple[float, float] | str:
    """Mean squared errors of a nest of periods 1 and 8, its slow rate an eighth of the fast, and of one fast memory.

    targets: numbers between -1 and 1; of anything else, a sentence that says so.
    """
    if targets is None:
        return "It returns nothing yet."
    try:
        given = torch.as_tensor(targets, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        given = torch.empty(0)
    if given.dim() != 1 or not len(given):
        return "Return a list of numbers, a target for each step."
    if given.isnan().any():
        return "A target is not a number."
    if given.abs().max() > 1:
        return "A target lies outside -1 to 1."
    numbers = given.tolist()
    answers = _nest(numbers, (1, 8), (0.25, 0.03125)), _nest(numbers, (1,), (0.25,))
    nest, alone = (sum((a - t) ** 2 for a, t in zip(own, numbers)) / len(numbers) for own in answers)
    return nest, alone


@never_raises
def check_stream(hostile: Callable[[], Sequence[float]]) -> str:
    """Checks `hostile()`: targets on which the nest of `rivals` has at least `WORSE` times the other's error."""
    targets = hostile()
    errors = rivals(targets)
    if isinstance(errors, str):
        return errors
    if len(targets) != STEPS:
        return f"It returns {len(targets)} targets: return {STEPS}."
    nest, alone = errors
    if alone == 0:
        return "Neither ever errs, since all begins at 0: give them something to learn."
    if nest == alone:
        return "Both err alike: no restart has anything to throw away yet. Give them something to learn earlier."
    if nest < alone:
        return "Here the nest is better: its restarts take away what is no longer true. Let something stay true."
    if nest < WORSE * alone:
        return f"The nest is worse, but only {nest / alone:.2f} times. Each change costs both alike: have fewer."
    return RIGHT


@never_raises
def check_left(left: Callable[[float, float, int, int], float]) -> str:
    """Checks `left(eta, rho, C, n)`: the error after n periods of a nest of two, right after the restart."""
    settings = [(0.5, 0.25, 4, 1), (0.1, 0.5, 8, 3)]
    answers = [left(*setting) for setting in settings]
    if any(one is None for one in answers):
        return "It returns nothing yet."

    def period(eta: float, rho: float, C: int) -> float:
        """What one period leaves of the error."""
        return 1 - rho * (1 - (1 - eta) ** C)

    def table(of: Callable[[float, float, int, int], float]) -> Tensor:
        return torch.tensor([of(*setting) for setting in settings], dtype=torch.float64)

    mistakes = {
        "This is what one fast memory leaves: the restart takes its way back.": table(lambda e, r, C, n: (1 - e) ** (C * n)),
        "This is a slow level alone, that steps at each token: between its updates its errors are mended by the fast one.":
            table(lambda e, r, C, n: (1 - r * e) ** (C * n)),
        "This is the error just before the restart: after it, the fast level's way is gone.":
            table(lambda e, r, C, n: period(e, r, C) ** (n - 1) * (1 - e) ** C),
        "The slow level takes over rho of the fast one's way, not of the whole error.": table(lambda e, r, C, n: (1 - r) ** n),
        "The slow level takes over rho of the fast one's way, not of the whole error; and each period takes its share again.":
            table(lambda e, r, C, n: 1 - r),
        "This is one period: each further one leaves the same share again.": table(lambda e, r, C, n: period(e, r, C)),
        "The fast level mends more with every step, and so the errors gathered are less than C times the first.":
            table(lambda e, r, C, n: (1 - r * e * C) ** n),
        "This is the error's square: return the error itself.": table(lambda e, r, C, n: period(e, r, C) ** (2 * n)),
        "Each period takes the same amount away here: it takes the same share, of what the one before it has left.":
            table(lambda e, r, C, n: 1 - n * (1 - period(e, r, C))),
        "The fast level takes C steps in a period, not C - 1: the last one comes just before the restart.":
            table(lambda e, r, C, n: period(e, r, C - 1) ** n),
    }  # fmt: skip
    right = table(lambda e, r, C, n: period(e, r, C) ** n)
    return compare(torch.stack([torch.as_tensor(one, dtype=torch.float64) for one in answers]), right, mistakes)
