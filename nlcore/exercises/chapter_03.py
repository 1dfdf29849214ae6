"""Checks of the exercises of notebook 03. Each returns a sentence and never raises."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor

from nlcore.exercises.checking import RIGHT, compare, compare_names, never_raises
from nlcore.optim import DeltaMomentum, Momentum
from nlcore.optim.base import MemoryOptimizer
from nlcore.ops.newton_schulz import newton_schulz

HARM, SOLVED, STEPS = 1.0, 0.01, 300
"""How far task 1's loss has to rise, what counts as learnt, and the steps of a task."""


@never_raises
def check_retention(retention: Callable[[int], float]) -> str:
    """Checks `retention(n)`: the alpha at which the newest n gradients carry half of the momentum."""
    ages = (2, 7, 69)
    given = [retention(n) for n in ages]
    if any(value is None for value in given):
        return "It returns nothing yet."
    right = torch.tensor([0.5 ** (1 / n) for n in ages], dtype=torch.float64)
    n = torch.tensor(ages, dtype=torch.float64)
    mistakes = {
        "That is the alpha whose shares have the mean age n - 1: half of the momentum is another mark.": 1 - 1 / n,
        "That is 0.5 to the power n: solve alpha^n = 0.5 for alpha.": 0.5**n,
        "This is above 1, and such a memory grows: half is 0.5, not 2.": 2.0 ** (1 / n),
        "That is the logarithm of alpha: take the exponential of it.": torch.log(torch.tensor(0.5)).double() / n,
        "After n - 1 gradients, not n: the newest n carry 1 - alpha^n, the newest one being one of them.": 0.5 ** (1 / (n - 1)),
        "That is the share of the newest n at alpha = 0.5, which was not asked for.": 1 - 0.5**n,
        "That is 1 - alpha, the share of the newest gradient alone.": 1 - right,
    }
    return compare(torch.tensor([float(value) for value in given], dtype=torch.float64), right, mistakes)


@never_raises
def check_delta(delta: Callable[[Tensor, Tensor, Tensor, float, float], Tensor]) -> str:
    """Checks `delta(m, x, surprise, alpha, beta)`: one literal write of a layer's Delta Momentum, under its input."""
    m = torch.tensor([[1.0, 2.0, -1.0], [0.5, 1.0, 3.0]], dtype=torch.float64)
    x, surprise = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64), torch.tensor([1.5, -0.5], dtype=torch.float64)
    alpha, beta = 0.9, 0.25
    before = m.clone()
    answer = delta(m, x, surprise, alpha, beta)
    if not torch.equal(m, before):
        return "m itself was changed in place: return a new matrix and leave the old one alone."
    stored, erased = torch.outer(surprise, x), torch.outer(m @ x, x)
    mistakes = {
        "Nothing happened: m came back as it was.": m,
        "That is plain momentum: nothing is erased.": alpha * m + stored,
        "The surprise is not stored: add it under x.": alpha * m - beta * erased,
        "Nothing fades: alpha is not used.": m - beta * erased + stored,
        "Erased in full: beta is not used.": alpha * m - erased + stored,
        "Stored with beta: it weighs only what is erased, and the surprise goes in as it is.": alpha * m - beta * (erased - stored),
        "That is the bounded form: the literal one erases with beta itself.": alpha * m - beta / (1 + beta * x @ x) * erased + stored,
        "The sign of the erased part is wrong: the old answer to x grows.": alpha * m + beta * erased + stored,
        "The sign of the surprise is the printed one: that memory goes with W <- W + m.": alpha * m - beta * erased - stored,
        "That is the first reading: it erases along the whole gradient, and leaves part of the old answer to x.":
            alpha * m - beta * (surprise @ m @ x) * stored + stored,
        "Erased along the surprise: that is a value here, and the key is x.":
            alpha * m - beta * torch.outer(surprise, surprise @ m) + stored,
        "That is alpha times all that was left: alpha belongs to m alone here.": alpha * (m - beta * erased) + stored,
    }
    return compare(answer, alpha * m - beta * erased + stored, mistakes)


def learn(tasks: Sequence[tuple[Tensor, float]], avoid: bool = False) -> tuple[Tensor, list[float]]:
    """The weight after tasks (direction, target), each `(u . w - y)^2`, by momentum, and each loss when it was left.

    With `avoid`, gradients lose what they have along the directions of earlier tasks.
    """
    weight, seen, left = torch.zeros(2, dtype=torch.float64, requires_grad=True), torch.zeros(2, 2, dtype=torch.float64), []
    optimizer = Momentum([weight], lr=0.01, alpha=0.9)
    for u, y in tasks:
        for _ in range(STEPS):
            g = 2 * (u @ weight.detach() - y) * u
            weight.grad = g - seen @ g if avoid else g
            optimizer.step()
        left.append(float((u @ weight.detach() - y) ** 2))
        seen = seen + torch.outer(u, u)
        optimizer.state.clear()  # nothing rolls on: what is harmed, the new gradients harm
    return weight.detach(), left


@never_raises
def check_harm(two_tasks: Callable[[], tuple[Sequence[float], float, Sequence[float], float]]) -> str:
    """Checks `two_tasks()`: u1, y1, u2, y2 such that momentum loses task 1, and a memory of u1 would have kept it."""
    given = two_tasks()
    if given is None:
        return "It returns nothing yet."
    if len(given) != 4:
        return f"It returns {len(given)} things: give u1, y1, u2, y2."
    u1, u2 = (torch.as_tensor(u, dtype=torch.float64) for u in given[::2])
    y1, y2 = (float(y) for y in given[1::2])
    if u1.shape != (2,) or u2.shape != (2,):
        return "A direction is two numbers."
    if not all(torch.isclose(u.norm(), torch.ones_like(u.norm()), atol=1e-2) for u in (u1, u2)):
        return "A direction has length one: otherwise a task could be made large instead of harmful."
    if max(abs(y1), abs(y2)) > 1:
        return "A target lies between -1 and 1."
    overlap = float(u1 @ u2)
    if abs(overlap) < 0.02:
        return "The two are orthogonal: no step for task 2 can touch task 1, and there is nothing to avoid."
    if abs(overlap) > 0.999:
        return "Both look along one line: no weight solves both, so that no memory could help. That is a matter of capacity."
    first = [(u1, y1), (u2, y2)]
    rise = float((u1 @ learn(first)[0] - y1) ** 2)
    if rise < HARM:
        if abs(y2 - overlap * y1) < 0.1:
            return "After task 1 the second task is all but solved already, so that hardly a step is taken: let them disagree."
        return f"Task 1's loss rises to {rise:.2f}, and should rise above {HARM:g}: let the tasks share more, or disagree more."
    if learn(first, avoid=True)[1][1] > SOLVED:
        return "They are too alike: whoever avoids u1 has hardly anything left to learn task 2 with, and does not get there."
    return RIGHT


def _steps(gradients: Tensor, make: Callable[[list[Tensor]], MemoryOptimizer], read: bool = False) -> Tensor:
    """What an optimizer of rate 1 subtracts at each of these gradients (T, 2, 2); `read` through Newton-Schulz."""
    gradients, taken = torch.as_tensor(gradients, dtype=torch.float64), []
    weight = torch.zeros_like(gradients[0], requires_grad=True)
    optimizer = make([weight])
    for g in gradients:
        before, weight.grad = weight.detach().clone(), g.clone()
        optimizer.step()
        step = before - weight.detach()
        taken.append(newton_schulz(step) if read else step)
    return torch.stack(taken)


SUSPECTS: dict[str, Callable[[Tensor], Tensor]] = {
    "A": partial(_steps, make=lambda p: DeltaMomentum(p, lr=1.0, alpha=0.9, beta=1.0)),
    "B": partial(_steps, make=lambda p: Momentum(p, lr=1.0, alpha=0.9), read=True),
    "C": partial(_steps, make=lambda p: Momentum(p, lr=1.0, alpha=0.0)),
    "D": partial(_steps, make=lambda p: Momentum(p, lr=1.0, alpha=0.9)),
}
"""Four optimizers: gradients (T, 2, 2) in, the steps (T, 2, 2) that they subtract out."""


@never_raises
def check_suspects(answer: Mapping[str, str]) -> str:
    """Checks which of `SUSPECTS` is "none" (SGD), "momentum", "delta" (exact) or "Newton-Schulz"."""
    right = {"A": "delta", "B": "Newton-Schulz", "C": "none", "D": "momentum"}
    hints = {
        "A": "Give it one gradient again and again: its steps do not add up to ten of them. Who takes repeated news for no news?",
        "B": "Make all gradients ten times as large: its steps stay as they are.",
        "C": "Give a gradient and then zeros: it stops at once.",
        "D": "Give one gradient again and again: its steps grow to ten times the first, and ten times the gradient makes ten times the step.",
    }
    return compare_names(answer, right, hints)
