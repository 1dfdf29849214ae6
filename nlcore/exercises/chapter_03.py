"""Checks of the exercises of notebook 03. Each returns a sentence and never raises."""

from collections.abc import Callable

import torch
from torch import Tensor

from nlcore.exercises.checking import compare, never_raises


@never_raises
def check_weights(weights: Callable[[float, int], Tensor]) -> str:
    """Checks `weights(alpha, T)`: what each of T gradients counts in the momentum after the last, oldest first."""
    alpha, T = 0.8, 5
    right = torch.tensor([alpha**k for k in range(T - 1, -1, -1)], dtype=torch.float64)
    mistakes = {
        "The order is turned round: the oldest gradient comes first, and it has faded most.": right.flip(0),
        "The newest gradient has faded already: it has weight 1, and fades from the next step on.": alpha * right,
        "Nothing fades: alpha is not used.": torch.ones_like(right),
        "These are shares, which add up to about 1: m <- alpha m + g counts the newest gradient in full.": (1 - alpha) * right,
        "These are shares, which add up to 1: m <- alpha m + g counts the newest gradient in full.": right / right.sum(),
        "They fade on a straight line: each step multiplies by alpha.": torch.linspace(1 - (T - 1) * (1 - alpha), 1, T).double(),
    }
    return compare(_float(weights(alpha, T)), right, mistakes)


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
    }
    return compare(torch.tensor([float(value) for value in given], dtype=torch.float64), right, mistakes)


@never_raises
def check_delta(delta: Callable[[Tensor, Tensor, float, float], Tensor]) -> str:
    """Checks `delta(m, g, alpha, beta)`: one literal write of Delta Momentum."""
    m, g = torch.tensor([[1.0, 2.0, -1.0], [0.5, 1.0, 3.0]], dtype=torch.float64)
    alpha, beta = 0.9, 0.25
    before = m.clone()
    answer = delta(m, g, alpha, beta)
    if not torch.equal(m, before):
        return "m itself was changed in place: return a new vector and leave the old one alone."
    erased = g * (g @ m)
    mistakes = {
        "Nothing happened: m came back as it was.": m,
        "That is plain momentum: nothing is erased.": alpha * m + g,
        "The gradient is not stored: add g.": alpha * m - beta * erased,
        "Nothing fades: alpha is not used.": m - beta * erased + g,
        "Erased in full: beta is not used.": alpha * m - erased + g,
        "The sign of the erased part is wrong: what stood under g grows.": alpha * m + beta * erased + g,
        "The sign of g is the printed one: that memory goes with W <- W + m.": alpha * m - beta * erased - g,
        "Element by element: g g^T m is g times the number g . m.": alpha * m - beta * g * g * m + g,
        "Erased along m: g g^T m points along g.": alpha * m - beta * m * (g @ m) + g,
        "That is alpha times all that was left: alpha belongs to m alone here.": alpha * (m - beta * erased) + g,
    }
    return compare(answer, alpha * m - beta * erased + g, mistakes)


@never_raises
def check_limit(limit: Callable[[float, float], float]) -> str:
    """Checks `limit(alpha, beta)`: the largest `||g||^2` at which the literal form does not diverge."""
    settings = ((0.9, 1.0), (0.5, 2.0), (0.9, 0.1))
    given = [limit(alpha, beta) for alpha, beta in settings]
    if any(value is None for value in given):
        return "It returns nothing yet."
    alpha, beta = torch.tensor(settings, dtype=torch.float64).T
    mistakes = {
        "That is where alpha - beta ||g||^2 reaches +1: it must stay above -1 as well.": (alpha - 1) / beta,
        "That is where it reaches 1 from the other side: solve alpha - beta ||g||^2 = -1.": (1 - alpha) / beta,
        "There the old memory is erased exactly, and nothing diverges yet: it may swing down to -1.": alpha / beta,
        "beta is not used: it scales ||g||^2.": 1 + alpha,
        "beta is on the wrong side: a larger one diverges sooner.": (1 + alpha) * beta,
        "That is the limit without fading: alpha is not used.": 2 / beta,
        "That is the largest norm: the question is for its square.": ((1 + alpha) / beta).sqrt(),
    }
    return compare(torch.tensor([float(value) for value in given], dtype=torch.float64), (1 + alpha) / beta, mistakes)


@never_raises
def check_bound(bound: Callable[[float, Tensor], Tensor]) -> str:
    """Checks `bound(b, g)`: the rate b' of the exact proximal step."""
    g, b = torch.tensor([3.0, 4.0], dtype=torch.float64), 0.5
    right = torch.as_tensor(b / (1 + b * g @ g))
    mistakes = {
        "That is b: it does not know how long g is.": torch.tensor(b),
        "The norm is not squared.": b / (1 + b * g.norm()),
        "b is missing in the denominator.": b / (1 + g @ g),
        "b is missing in the numerator.": 1 / (1 + b * g @ g),
        "The 1 is missing: a zero gradient would divide by zero.": 1 / (g @ g),
        "A minus where a plus belongs: this one grows without bound.": b / (1 - b * g @ g),
    }
    answer = bound(b, g)
    return compare(_float(answer), right, {say: torch.as_tensor(wrong).double() for say, wrong in mistakes.items()})


def _float(answer: object) -> object:
    """Lists and tensors of any kind as float64; anything else as it is."""
    return torch.as_tensor(answer, dtype=torch.float64) if isinstance(answer, (list, tuple, Tensor)) else answer
