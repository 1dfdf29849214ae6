"""Checks of the exercises of notebook 07. Each returns a sentence and never raises."""

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction

import torch
from torch import Tensor

from nlcore.exercises.checking import RIGHT, compare, compare_names, never_raises
from nlcore.levels import NestedSystem

Needs = Iterable[tuple[str, str]]
Test = Callable[[str, str], bool]
Program = Callable[[float, float, float, float, float], tuple[float, float]]

_FREQUENCY = {"a": 2, "b": 2, "c": 2, "d": 1, "e": 2, "f": 1}
_NEEDS = (("b", "a"), ("c", "b"), ("a", "d"), ("f", "c"))
"""c needs a through b, and f needs d through parts that are faster; e has to do with nobody."""


def _needed(b: str, at: int | None = None) -> set[str]:
    """All that b needs, itself included; only through parts of the frequency `at`, if one is given."""
    found, before = {b}, set()
    while found != before:
        before = set(found)
        found |= {needed for part, needed in _NEEDS if part in before and at in (None, _FREQUENCY[part])}
    return found


@never_raises
def check_faster(is_faster: Callable[[str, str, Mapping[str, int], Needs], bool]) -> str:
    """Checks `is_faster(a, b, frequency, needs)`: Def. 2's order of two parts."""
    f, pairs = _FREQUENCY, [(a, b) for a in _FREQUENCY for b in _FREQUENCY]
    found = [is_faster(a, b, dict(f), list(_NEEDS)) for a, b in pairs]
    if any(one is None for one in found):
        return "It returns nothing yet."

    def more(a: str, b: str) -> bool:
        return f[a] > f[b]

    def needs(a: str, b: str) -> bool:
        return a != b and a in _needed(b)

    def table(at_equal: Test, faster: Test = more) -> Tensor:
        """What is answered for all pairs, if one of these decides where both are updated equally often."""
        return torch.tensor([float(faster(a, b) or f[a] == f[b] and at_equal(a, b)) for a, b in pairs])

    mistakes = {
        "Frequency alone: where two parts are updated equally often, who is needed at that instant is the faster.":
            table(lambda a, b: False),
        "The frequencies are compared the wrong way round: more updates are faster.":
            table(needs, lambda a, b: f[a] < f[b]),
        "The need points the other way: if b needs a, then a is the faster.": table(lambda a, b: needs(b, a)),
        "It looks at direct needs only: c needs b, which needs a, so c needs a too.":
            table(lambda a, b: (b, a) in _NEEDS),
        "A need may lead through parts of another frequency: f needs d through c, b and a.":
            table(lambda a, b: a != b and a in _needed(b, at=f[b])),
        "A need counts only where both are updated equally often: d is slower than a, though a needs it.":
            table(needs, lambda a, b: more(a, b) or needs(a, b)),
        "A part is said to be faster than itself.": table(lambda a, b: a in _needed(b)),
        "Parts of equal frequency that do not need each other are said to be faster than each other.":
            table(lambda a, b: True),
    }  # fmt: skip
    return compare(torch.tensor([float(one) for one in found]), table(needs), mistakes)


def _neither(w: float, m: float, g: float, nudge_w: float, nudge_m: float) -> tuple[float, float]:
    """The weight steps by the momentum of the step before."""
    return w - 0.1 * m + nudge_w, 0.9 * m + g + nudge_m


def _momentum_first(w: float, m: float, g: float, nudge_w: float, nudge_m: float) -> tuple[float, float]:
    m = 0.9 * m - 0.1 * g + nudge_m
    return w + m + nudge_w, m


def _weight_first(w: float, m: float, g: float, nudge_w: float, nudge_m: float) -> tuple[float, float]:
    """The momentum is the last step, as in the heavy ball."""
    new = w - 0.1 * g + 0.9 * m + nudge_w
    return new, new - w + nudge_m


SUSPECTS: dict[str, Program] = {"A": _neither, "B": _momentum_first, "C": _weight_first}
"""Three programs `step(w, m, g, nudge_w, nudge_m)` that return the new (w, m)."""


@never_raises
def check_suspects(answer: Mapping[str, str]) -> str:
    """Checks which part of each of `SUSPECTS` is the faster: a dict from "A", "B", "C" to "m", "w" or "neither"."""
    right = {"A": "neither", "B": "m", "C": "w"}
    hints = {
        "A": "Nudge m, and look at the w of the same step: which m does it use?",
        "B": "Nudge m: does w move in the same step? And m, if w is nudged?",
        "C": "Nudge w, and look at m. It goes where B goes, but what it keeps is made of something else.",
    }
    return compare_names(answer, right, hints)


@never_raises
def check_lookahead(build: Callable[[], NestedSystem]) -> str:
    """Checks `build()`: Lookahead as a nested system of "momentum", "fast" and "slow"."""
    system = build()
    if system is None:
        return "It returns nothing yet."
    if not isinstance(system, NestedSystem):
        return f"It returns a {type(system).__name__}: return a NestedSystem."
    parts = {component.name: component.frequency for component in system.components}
    if set(parts) != {"momentum", "fast", "slow"}:
        return f"Its parts are {', '.join(sorted(parts))}: name them momentum, fast and slow."
    if parts["slow"] == 5:
        return "The slow weights are updated once in five steps: that is a period of 5, and a frequency of 1/5."
    if (parts["momentum"], parts["fast"]) != (1, 1) or abs(parts["slow"] - Fraction(1, 5)) > 1e-9:
        return "Frequencies are in updates per step: momentum and fast weights at each, slow weights at every fifth."
    levels = [{component.name for component in level} for level in system.levels]
    if levels[0] == {"momentum", "fast"}:
        return "Momentum and fast weights stand on one level: which of them needs the other at the same step?"
    if levels[0] == {"fast"}:
        return "The need points the other way: a need (b, a) says that b needs a."
    handed = {(t.source, t.target): t.kind for t in system.transfers}
    if handed.get(("slow", "fast")) != "initialisation":
        return "What leads from slow to fast is missing or another: the fast weights begin again from the slow ones."
    if handed.get(("fast", "slow")) not in ("parametric", "generation"):
        return "The slow weights move towards the fast ones as they are: say so with a transfer from fast to slow."
    return RIGHT


@never_raises
def check_start(best_start: Callable[[Tensor, Tensor, float, int], Tensor]) -> str:
    """Checks `best_start(a, c, eta, steps)`: the start that is best on average after so many steps in each context."""
    a, c = torch.tensor([1.0, 3.0, 0.5]).double(), torch.tensor([2.0, -1.0, 5.0]).double()
    settings = [(0.1, 1), (0.3, 2)]
    answers = [best_start(a, c, eta, steps) for eta, steps in settings]
    if any(one is None for one in answers):
        return "It returns nothing yet."

    def table(weight: Callable[[float, int], Tensor]) -> Tensor:
        return torch.stack([(weight(eta, steps) * c).sum() / weight(eta, steps).sum() for eta, steps in settings])

    mistakes = {
        "This is the plain mean of the goals: contexts that pull weakly and strongly count alike.":
            table(lambda e, n: torch.ones(3)),
        "This is the best number without any step: the contexts adapt before they are judged.": table(lambda e, n: a),
        "The loss is a square: what a step leaves of the distance counts twice.":
            table(lambda e, n: a * (1 - e * a) ** n),
        "This is one step's: each further step leaves the same share again.": table(lambda e, n: a * (1 - e * a) ** 2),
        "The strength is missing: a context's loss is a_i times half the squared distance.":
            table(lambda e, n: (1 - e * a) ** (2 * n)),
        "A step leaves 1 - eta a of the distance: here it is taken as eta a.":
            table(lambda e, n: a * (e * a) ** (2 * n)),
    }  # fmt: skip
    found = torch.stack([torch.as_tensor(one, dtype=torch.float64) for one in answers])
    return compare(found, table(lambda e, n: a * (1 - e * a) ** (2 * n)), mistakes)
