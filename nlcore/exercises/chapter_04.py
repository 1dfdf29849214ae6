"""Checks of the exercises of notebook 04. Each returns a sentence and never raises."""

from collections.abc import Callable

import torch
from torch import Tensor

from nlcore.exercises.checking import compare, never_raises


def _draw(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(4), dtype=torch.float64)


@never_raises
def check_best_memory(best_memory: Callable[[Tensor], Tensor]) -> str:
    """Checks `best_memory(G)`, eq. 105 as printed: the direction for gradients G (steps, n), oldest first."""
    G = _draw(5, 3)
    total, squares = G.sum(0), G.square().sum(0)
    mistakes = {
        "This is momentum (eq. 104): each coordinate is still to be divided by the root of its squares.": total,
        "This is AdaGrad: the numerator is the sum of all gradients, not the newest alone.": G[-1] / squares.sqrt(),
        "You divided by the sum of squares: its root is missing.": total / squares,
        "You took the mean of the squares: eq. 105 has their sum.": total / (squares / 5).sqrt(),
        "You divided by the square of the sum: square each gradient first, then add.": total / total.abs(),
        "One norm for all coordinates: each coordinate has a root of its own.": total / squares.sum().sqrt(),
        "You multiplied by the root: the memory that minimises the squares divides.": total * squares.sqrt(),
        "The sign is turned: this returns the memory, and the step has the minus.": -total / squares.sqrt(),
    }
    return compare(best_memory(G.clone()), total / squares.sqrt(), mistakes)


@never_raises
def check_running_mean(running_mean: Callable[[Tensor, float], Tensor]) -> str:
    """Checks `running_mean(G, beta)`: the bias-corrected running mean after the last gradient of G (steps, n)."""
    G, beta = _draw(4, 3), 0.8
    kept = beta ** torch.arange(3, -1, -1, dtype=G.dtype)
    total = kept @ G
    raw = (1 - beta) * total
    mistakes = {
        "No bias correction: the mean starts at 0 and is still too small.": raw,
        "You divided by 1 - beta: the correction is 1 - beta to the power of how many gradients there were.": total,
        "You corrected with one gradient too few: after the first, 1 - beta must be left of it.": raw / (1 - beta**3),
        "You corrected with one gradient too many: count them from 1.": raw / (1 - beta**5),
        "You multiplied by the correction: a mean that is too small is divided.": raw * (1 - beta**4),
        "The share 1 - beta of the new is missing: this is a sum, not a mean.": total / (1 - beta**4),
        "The shares are exchanged: beta is kept, 1 - beta is new.":
            beta * ((1 - beta) ** torch.arange(3, -1, -1, dtype=G.dtype) @ G) / (1 - beta**4),
        "This is the plain mean: old gradients should count less.": G.mean(0),
    }
    return compare(running_mean(G.clone(), beta), raw / (1 - beta**4), mistakes)


@never_raises
def check_newton_schulz(step: Callable[[Tensor], Tensor]) -> str:
    """Checks `step(O)`: one step of rate 1/8 down the gradient of eq. 43, for O (rows, columns)."""
    O = _draw(4, 3) / 4
    cube = O @ O.mT @ O
    mistakes = {
        "Nothing happened: O came back as it was.": O,
        "The sign is wrong: this step climbs, and singular values leave 1.": 0.5 * O + 0.5 * cube,
        "You cubed each number: the cube of a matrix here is O times O^T O.": 1.5 * O - 0.5 * O**3,
        "The gradient's factor 4 is missing: the step is too short.": O - (cube - O) / 8,
        "The rate 1/8 is missing: the step is too long.": O - 4 * (cube - O),
        "This is the gradient itself: take a step of 1/8 down along it.": 4 * (cube - O),
        "The identity is missing from O^T O - I: O only shrinks.": O - 0.5 * cube,
    }
    return compare(step(O.clone()), 1.5 * O - 0.5 * cube, mistakes)


@never_raises
def check_write_slow(write_slow: Callable[[Tensor, Tensor, float], Tensor]) -> str:
    """Checks `write_slow(slow, period, beta3)`: slow after a period of gradients (f, rows, columns), as a running mean."""
    slow, period, beta3 = _draw(2, 3), _draw(5, 2, 3), 0.75
    mean, total = period.mean(0), period.sum(0)
    mistakes = {
        "Nothing was written: slow came back as it was, or faded.": slow,
        "This is eq. 75's minus: slow then points uphill, since the step subtracts it.": beta3 * slow - (1 - beta3) * mean,
        "This is the sum of Alg. 1 as printed: nothing of slow fades.": slow + beta3 * total,
        "You took the sum of the period: its mean keeps slow as large as a gradient.": beta3 * slow + (1 - beta3) * total,
        "You took the period's last gradient alone: the slow memory takes all of them.": beta3 * slow + (1 - beta3) * period[-1],
        "The shares are exchanged: beta3 is kept, 1 - beta3 is new.": (1 - beta3) * slow + beta3 * mean,
        "Nothing of slow fades: keep beta3 of it.": slow + (1 - beta3) * mean,
    }
    return compare(write_slow(slow.clone(), period.clone(), beta3), beta3 * slow + (1 - beta3) * mean, mistakes)


@never_raises
def check_full_adagrad(direction: Callable[[Tensor], Tensor]) -> str:
    """Checks `direction(G)`: full-matrix AdaGrad's direction after gradients G (steps, n), steps at least n."""
    G = _draw(6, 3)
    values, vectors = torch.linalg.eigh(G.mT @ G)

    def power(exponent: float) -> Tensor:
        return vectors * values**exponent @ vectors.mT

    mistakes = {
        "The numerator is the sum of gradients (eq. 109 with beta_1 = 1): AdaGrad's is the newest alone.": power(-0.5) @ G.sum(0),
        "This is the diagonal AdaGrad: H knows which gradients come together.": G[-1] / G.square().sum(0).sqrt(),
        "The root is missing: this is the inverse of H.": power(-1) @ G[-1],
        "You multiplied by the root of H: its inverse belongs there.": power(0.5) @ G[-1],
        "You took the root of each number of H: the root of a matrix is in its eigenvalues.":
            torch.linalg.solve((G.mT @ G).abs().sqrt(), G[-1]),
    }
    return compare(direction(G.clone()), power(-0.5) @ G[-1], mistakes)
