"""Checks of the exercises of notebook 05. Each returns a sentence and never raises."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from nlcore.exercises.checking import compare, compare_names, never_raises

Step = Callable[[Tensor, Tensor, Tensor, float], Tensor]


def _draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@never_raises
def check_rate(rate: Callable[[float, Tensor], float]) -> str:
    """Checks `rate(eta, x)`, the rate eta' of the exact step."""
    eta, x = 0.5, torch.tensor([2.0, 1.0, 2.0], dtype=torch.float64)
    square = x.square().sum()
    mistakes = {
        "This is the printed rate: it is right at a length of 1 only, and this input has length 3.": eta / (1 + eta),
        "The length must be squared: the matrix x x^T stretches x by its squared length.": eta / (1 + eta * square.sqrt()),
        "This is eta itself, the rate of gradient descent: at a long input it overshoots.": eta,
        "This is the share that is left of an old answer: multiply by eta.": 1 / (1 + eta * square),
        "This is the share that an answer moves: the rate multiplies x x^T, so divide by ||x||^2.":
            eta * square / (1 + eta * square),
        "In the denominator eta is missing: without it the rate at eta near 0 is not eta.": eta / (1 + square),
    }  # fmt: skip
    mistakes = {say: torch.as_tensor(wrong, dtype=torch.float64) for say, wrong in mistakes.items()}
    return compare(rate(eta, x), eta / (1 + eta * square), mistakes)


@never_raises
def check_step(step: Step) -> str:
    """Checks `step(W, x, u, eta)`, one exact write of Delta Gradient Descent."""
    W, x, u, eta = _draw(2, 3), _draw(3, seed=1), _draw(2, seed=2), 0.7
    before, rate = W.clone(), eta / (1 + eta * x.square().sum())
    erase, new = torch.outer(W @ x, x), torch.outer(u, x)
    right = W - rate * erase + rate * new
    answer = step(W, x, u, eta)
    if not torch.equal(W, before):
        return "W itself was changed in place: return a new matrix and leave the old one alone."
    mistakes = {
        "Nothing happened: W came back as it was.": W,
        "Nothing is erased: this writes u on top of the old answer.": W + rate * new,
        "This is gradient descent: nothing is erased, and eta is not eta'.": W + eta * new,
        "Nothing is written: the old answer is erased, u is not stored.": W - rate * erase,
        "The sign of u is lost, as in eq. 114: it learns the gradient, not its negative.": W - rate * erase - rate * new,
        "The rate is eta, not eta'.": W - eta * erase + eta * new,
        "The rate is the printed one, for inputs of length 1.": W + eta / (1 + eta) * (new - erase),
        "It erases at rate eta' and writes at eta: both have the same rate.": W - rate * erase + eta * new,
        "It adds the old answer instead of erasing it.": W + rate * erase + rate * new,
    }
    return compare(answer, right, mistakes)


@never_raises
def check_left(left: Callable[[float, float], float]) -> str:
    """Checks `left(eta, norm)`: the share of the error at x that one exact write leaves, for a squared error."""
    settings = [(0.1, 1.0), (0.5, 2.0), (3.0, 0.5)]
    found = [left(eta, norm) for eta, norm in settings]
    if any(share is None for share in found):
        return "It returns nothing yet."

    def table(rule: Callable[[float], float]) -> Tensor:
        return torch.tensor([rule(eta * norm**2) for eta, norm in settings], dtype=torch.float64)

    mistakes = {
        "This is gradient descent's: it may fall below -1.": table(lambda s: 1 - s),
        "This is what is left if the value is given: here the write erases as well, so the answer moves twice as far.":
            table(lambda s: 1 / (1 + s)),
        "The sign is lost: a long step jumps to the other side, where the error has the opposite sign.":
            table(lambda s: abs(1 - s) / (1 + s)),
        "This is gradient descent at twice the rate: eta' is smaller than eta.": table(lambda s: 1 - 2 * s),
        "The sign is wrong: with eta = 0 all of the error is left.": table(lambda s: (s - 1) / (1 + s)),
    }  # fmt: skip
    lengths = torch.tensor([1 - 2 * e / (1 + e * n * n) for e, n in settings], dtype=torch.float64)
    mistakes["The length is missing: eta' x x^T stretches x by eta' ||x||^2."] = lengths
    return compare(torch.tensor(found, dtype=torch.float64), table(lambda s: (1 - s) / (1 + s)), mistakes)


def _suspect(sign: float, swap: bool, printed: bool) -> Step:
    """A write with at most one of the errors of appendix C."""

    def step(W: Tensor, x: Tensor, u: Tensor, eta: float) -> Tensor:
        rate = 1 / (eta + x.square().sum()) if swap else eta / (1 + (eta if printed else eta * x.square().sum()))
        return W - rate * torch.outer(W @ x, x) + sign * rate * torch.outer(u, x)

    return step


SUSPECTS: dict[str, Step] = {
    "A": _suspect(1.0, True, False),
    "B": _suspect(1.0, False, True),
    "C": _suspect(-1.0, False, False),
}
"""Three writes `step(W, x, u, eta)`, each with one of the errors "sign", "weight" and "rate"."""


@never_raises
def check_suspects(answer: Mapping[str, str]) -> str:
    """Checks which of `SUSPECTS` has which error: a dict from "A", "B", "C" to "sign", "weight", "rate"."""
    right = {"A": "weight", "B": "rate", "C": "sign"}
    hints = {
        "A": "A moves less when eta grows: a larger step should move further.",
        "B": "B is right for every input of length 1, and for no other.",
        "C": "C ends nearer to -u than to u.",
    }
    return compare_names(answer, right, hints)


@never_raises
def check_huber(gradient: Callable[[Tensor, Tensor, float], Tensor]) -> str:
    """Checks `gradient(answer, value, delta)`, the Huber loss's gradient at the answer."""
    answer, value, delta = torch.tensor([0.3, -4.0, 9.0, 2.0]).double(), torch.tensor([0.0, 1.0, 1.0, 1.5]).double(), 2.0
    error = answer - value
    right = error.clamp(-delta, delta)
    mistakes = {
        "This is L2's: an outlier pulls as hard as it is far.": error,
        "The sign is wrong: this is minus the gradient, the direction of a step.": -right,
        "It keeps signs only, the gradient of L1: near the value it must shrink with the error.": error.sign(),
        "It keeps signs times delta: near the value it must shrink with the error.": delta * error.sign(),
        "Outside delta the loss is straight, not flat: its slope there is delta, not 0.":
            torch.where(error.abs() <= delta, error, 0.0),
        "It clips at 1: clip at delta.": error.clamp(-1, 1),
        "It clips the answer: clip the error.": answer.clamp(-delta, delta) - value,
        "It clips on one side only.": error.clamp(max=delta),
        "This is the loss, not its gradient.":
            torch.where(error.abs() <= delta, error.square() / 2, delta * (error.abs() - delta / 2)),
    }  # fmt: skip
    return compare(gradient(answer, value, delta), right, mistakes)
