"""Checks of the exercises of notebook 04. Each returns a sentence and never raises."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.optim import Optimizer

from nlcore.exercises.checking import RIGHT, compare, compare_names, never_raises
from nlcore.optim import AdaGrad, Adam, MultiscaleMomentumMuon, Muon, RMSProp

Box = Callable[[Tensor], Tensor]


def _box(make: Callable[[list[Tensor]], Optimizer]) -> Box:
    """An optimizer behind a curtain: for gradients (steps, *shape) its steps, before their minus sign."""

    def steps(gradients: Tensor) -> Tensor:
        gradients = torch.as_tensor(gradients, dtype=torch.float64)
        weight = torch.zeros(gradients.shape[1:], dtype=torch.float64, requires_grad=True)
        optimizer, found = make([weight]), []
        for gradient in gradients:
            before, weight.grad = weight.detach().clone(), gradient.clone()
            optimizer.step()
            found.append(before - weight.detach())
        return torch.stack(found)

    return steps


def _printed(gradients: Tensor) -> Tensor:
    """Eq. 105 as printed, over both of its sums."""
    gradients = torch.as_tensor(gradients, dtype=torch.float64)
    return gradients.cumsum(0) / gradients.square().cumsum(0).sqrt().clamp(min=1e-12)


FOUR: dict[str, Box] = {
    "A": _box(lambda p: AdaGrad(p, lr=1.0)),
    "B": _box(lambda p: Adam(p, lr=1.0, betas=(0.9, 0.99))),
    "C": _printed,
    "D": _box(lambda p: RMSProp(p, lr=1.0, beta=0.99)),
}
"""Four entrywise optimizers: for gradients (steps, *shape) their steps, of rate 1, before the minus."""
THREE: dict[str, Box] = {
    "A": _box(lambda p: Muon(p, lr=1.0, weight_decay=0.0, dtype=None)),
    "B": _box(lambda p: MultiscaleMomentumMuon(p, lr=1.0)),
    "C": _box(lambda p: Adam(p, lr=1.0)),
}
"""Three optimizers of matrices: for gradients (steps, rows, columns) their steps, of rate 1, before the minus."""


@never_raises
def check_four(answer: Mapping[str, str]) -> str:
    """Checks which of `FOUR` is which: a dict from "A" to "D" to "Adam", "AdaGrad", "RMSProp" or "printed"."""
    right = {"A": "AdaGrad", "B": "Adam", "C": "printed", "D": "RMSProp"}
    hints = {
        "A": "Give it ones: its steps shrink. Whose root never forgets, while its numerator is the newest gradient alone?",
        "B": "Give it ones: every step is 1, from the first on. Which two corrections does that take?",
        "C": "Give it ones: its steps grow. Which form forgets nothing, neither above the line nor below?",
        "D": "Give it ones: the first step is 10, and then they fall towards 1. Which mean starts at 0 and is not corrected for it?",
    }
    return compare_names(answer, right, hints)


@never_raises
def check_three(answer: Mapping[str, str]) -> str:
    """Checks which of `THREE` is which: a dict from "A" to "C" to "Adam", "Muon" or "M3"."""
    right = {"A": "Muon", "B": "M3", "C": "Adam"}
    hints = {
        "A": "Look at the singular values of one of its steps: how far apart are they? And does a gradient ten times as large change it?",
        "B": "Make all gradients ten times as large: whose steps change, and by how much? Which optimizer has a root below the line, "
        "and above it something without a size?",
        "C": "Give it one gradient: how large is each entry of its first step? Who divides a gradient by its own size, entry by entry?",
    }
    return compare_names(answer, right, hints)


def _adam_moves(gradients: Sequence[float], beta1: float = 0.9, beta2: float = 0.99) -> list[float]:
    """The weight after each gradient, from 0, at rate 1."""
    m = h = weight = 0.0
    found = []
    for t, g in enumerate(gradients, 1):
        m, h = beta1 * m + (1 - beta1) * g, beta2 * h + (1 - beta2) * g * g
        root = (h / (1 - beta2**t)) ** 0.5
        weight -= m / (1 - beta1**t) / root if root > 0 else 0.0
        found.append(weight)
    return found


@never_raises
def check_uphill(stream: Callable[[], Tensor]) -> str:
    """Checks `stream()`: at most 1,000 gradients of one weight, of positive sum, on which Adam with betas 0.9 and 0.99 climbs.

    They are played three times, and the third time counts.
    """
    found = stream()
    if found is None:
        return "It returns nothing yet."
    g = torch.as_tensor(found, dtype=torch.float64)
    if g.ndim != 1 or not 1 <= len(g) <= 1000 or not g.isfinite().all():
        return f"The stream has size {list(g.shape)}: give at most 1,000 finite numbers in a row, one per step."
    if g.sum() <= 0:
        return f"The gradients add up to {g.sum():.4g}: with a sum that is not positive, to climb is no mistake. Make it positive."
    if (g >= 0).all():
        return "No gradient is negative, and a mean of positive numbers is positive: Adam cannot err here. Which gradients should be few?"
    weights = _adam_moves(g.tolist() * 3)
    moved = weights[-1] - weights[2 * len(g) - 1]
    if moved > 0:
        return RIGHT
    often = (g > 0).double().mean().item()
    if often >= 0.1:
        return (f"The weight went down by {-moved:.3g}, as it should: {often:.0%} of your gradients are positive, so the root "
                "never has the time to forget one before the next. Make them rarer, and larger.")
    return (f"The weight went down by {-moved:.3g}, as it should: after a large gradient the root stays large, and holds the "
            "small ones down, for some hundred steps at a beta of 0.99, and longer the larger it was. Leave it more time.")


@never_raises
def check_full_adagrad(direction: Callable[[Tensor], Tensor]) -> str:
    """Checks `direction(G)`: full-matrix AdaGrad's direction after gradients G (steps, n), fewer steps than n."""
    G = torch.randn(5, 300, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    K, answer = G @ G.mT, direction(G.clone())
    values, vectors = torch.linalg.eigh(K)

    def through(exponent: float) -> Tensor:
        """The direction, by step, that this power of K makes: -0.5 makes AdaGrad's."""
        return vectors * values**exponent @ vectors.mT @ G

    if isinstance(answer, Tensor) and not answer.isfinite().all():
        return ("It is not finite. If you took the root of H itself: five gradients leave all but five of its eigenvalues at 0, up to "
                "rounding, and no power below 0 of those exists. Which small matrix has the other five?")
    mistakes = {
        "The numerator is the sum of gradients (eq. 109 with beta_1 = 1): AdaGrad's is the newest alone.": through(-0.5).sum(0),
        "This is the direction at the first gradient: AdaGrad's numerator is the newest.": through(-0.5)[0],
        "This is the diagonal AdaGrad: H knows which gradients come together.": G[-1] / G.square().sum(0).sqrt(),
        "The root is missing: this is the inverse of H, or of K.": through(-1)[-1],
        "That is the newest gradient as it is: nothing is divided.": G[-1],
        "You multiplied by the root of K: its inverse belongs there.": through(0.5)[-1],
        "You took the root of each number of K: the root of a matrix is in its eigenvalues.":
            torch.linalg.solve(K.abs().sqrt(), G)[-1],
    }
    return compare(answer, through(-0.5)[-1], mistakes)


@never_raises
def check_cubic(coefficients: Callable[[], Sequence[float]]) -> str:
    """Checks `coefficients()`: (a, b) of `a s + b s^3` that ends at 1 from any s in (0, 1], and lifts 0.1 above 0.9 in five steps."""
    found = coefficients()
    if found is None:
        return "It returns nothing yet."
    if not isinstance(found, Sequence | Tensor) or len(found) != 2:
        return "Return two numbers: `return a, b`."
    a, b = (float(value) for value in found)
    if a <= 1:
        return f"With a = {a:g} a small singular value does not grow, because s^3 is next to nothing for it. What must a exceed?"
    if b >= 0:
        return f"With b = {b:g} nothing holds the large ones back. The sign of the second number?"
    if abs(a + b - 1) > 1e-6:
        return f"A value of 1 becomes {a + b:g}: it should stay at 1. Which sum must a and b have?"
    small = _walk(torch.tensor(0.1, dtype=torch.float64), a, b, 5).item()
    ended = _walk(torch.linspace(0.01, 1, 100, dtype=torch.float64), a, b, 2000)
    if not ((ended - 1).abs() < 1e-3).all():
        return (f"It starts fast, but it never comes to rest at 1: there the slope is a + 3b = {a + 3 * b:.3g}, so a small "
                "error turns its sign at each step and does not shrink. How large may a slope be?")
    if small <= 0.9:
        return f"It ends at 1, and too late: in five steps 0.1 has come to {small:.2f} (1.5 and -0.5 bring it to 0.66). Be bolder."
    return RIGHT


def _walk(s: Tensor, a: float, b: float, steps: int) -> Tensor:
    """Singular values after so many steps of the polynomial, kept from overflowing."""
    for _ in range(steps):
        s = (a * s + b * s**3).clamp(-1e3, 1e3)
    return s
