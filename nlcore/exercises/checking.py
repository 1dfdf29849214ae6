"""What the checks of all chapters share: an answer is right, or the sentence of the mistake it matches."""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import ParamSpec

import torch
from torch import Tensor

RIGHT = "Right."
UNKNOWN = "Not yet, and not a mistake known here: compare with the equation, term by term."
P = ParamSpec("P")


def never_raises(check: Callable[P, str]) -> Callable[P, str]:
    """A check whose reader's function may raise anything: that too is an answer to the reader."""

    @wraps(check)
    def safe(*arguments: P.args, **choices: P.kwargs) -> str:
        try:
            return check(*arguments, **choices)
        except Exception as error:
            return f"It stopped with {type(error).__name__}: {error}"

    return safe


def compare(answer: object, right: Tensor, mistakes: Mapping[str, Tensor]) -> str:
    """RIGHT, or the first sentence of `mistakes` whose tensor the answer equals, or what is wrong with its form."""
    if answer is None:
        return "It returns nothing yet."
    if not isinstance(answer, Tensor) and isinstance(answer, (int, float)):
        answer = torch.tensor(answer, dtype=right.dtype)
    if not isinstance(answer, Tensor):
        return f"The answer is a {type(answer).__name__}: return a tensor of size {list(right.shape)}."
    if answer.shape != right.shape:
        return f"The answer has size {list(answer.shape)}, and should have {list(right.shape)}."
    if torch.allclose(answer.to(right.dtype), right):
        return RIGHT
    return next((say for say, wrong in mistakes.items() if torch.allclose(answer.to(right.dtype), wrong)), UNKNOWN)


def compare_names(answer: Mapping[str, str] | None, right: Mapping[str, str], hints: Mapping[str, str]) -> str:
    """RIGHT if each thing has its right name in the answer; else the hint for the first that has not.

    The things are capital letters, and the names to choose from those that are right for some thing; capitals do not
    matter in an answer.
    """
    if answer is None or answer == {}:
        return "It names nothing yet."
    named = answer.items() if isinstance(answer, Mapping) else ()
    given = {str(thing).strip().upper(): str(name or "").strip() for thing, name in named}
    if not given.keys() & right.keys():
        return f"Give a dict with {', '.join(right)}."
    if not any(given.get(thing) for thing in right):
        return "It names nothing yet."
    names = {name.lower() for name in right.values()}
    if strange := next((name for thing, name in given.items() if thing in right and name and name.lower() not in names), None):
        return f"{strange!r} is none of the names: they are {', '.join(sorted(right.values(), key=str.lower))}."
    wrong = [thing for thing in right if given.get(thing, "").lower() != right[thing].lower()]
    return RIGHT if not wrong else f"Look again at {wrong[0]}. {hints[wrong[0]]}"


def number(value: float) -> Tensor:
    """A number as `compare` takes it."""
    return torch.tensor(value, dtype=torch.float64)
