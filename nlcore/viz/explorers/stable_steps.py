"""Stable steps: how large a step may be, by the length of the input."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.controls import slider, stops
from nlcore.viz.optimizers import DESCENTS

WIDTH, STEPS, SEEDS = 4, 100, 8
ETAS = np.geomspace(0.01, 100, 61)
RULES = ("gradient descent", "Delta GD as printed", "Delta GD", "exact step")
SHOWN = (1e-4, 1e4)


@dataclass(frozen=True)
class Stability:
    """How each rule's distance to its fixed point changes, for every step size of `ETAS`."""

    gain: np.ndarray
    """(rules, etas) what one write leaves, at its input, of the distance to where the rule comes to rest, signed."""
    left: np.ndarray
    """(rules, etas) distance left after `STEPS` writes, as a share of the first; geometric mean over seeds."""
    limit: dict[str, float]
    """Rule -> the step size from which the gain is 1 or more in size; inf if none is."""


def compute(norm: float, rho: float) -> Stability:
    """A squared error and a fixed target: each write changes the error e by `-c (e . x) x`.

    c is eta for gradient descent, eta' for the exact step, and `2 eta'` for Delta GD, which erases and writes; its
    fixed point is half of the target. Inputs have length `norm`, and a direction that is AR(1) with correlation rho before it is
    brought to that length. Raises ValueError unless norm is above 0 and rho is 0 to 1.
    """
    if not (norm > 0 and 0 <= rho <= 1):
        raise ValueError(f"norm {norm}, correlation {rho}: give a length above 0 and a correlation from 0 to 1")
    square = norm**2
    exact = ETAS / (1 + ETAS * square)
    rates = np.stack([ETAS, 2 * ETAS / (1 + ETAS), 2 * exact, exact])
    x, error = norm * _directions(rho), np.ones((*rates.shape, SEEDS, WIDTH)) / np.sqrt(WIDTH)
    for key in x:
        error -= (rates[..., None] * (error * key).sum(-1))[..., None] * key
        np.clip(error, -1e100, 1e100, out=error)
    left = np.exp(np.log(np.linalg.norm(error, axis=-1) + 1e-300).mean(-1))
    printed = 1 / (square - 1) if square > 1 else np.inf
    return Stability(1 - rates * square, left, dict(zip(RULES, (2 / square, printed, np.inf, np.inf))))


@lru_cache(64)
def _directions(rho: float) -> np.ndarray:
    """Unit inputs (T, seeds, d), the same at every call."""
    draw = np.random.default_rng(0).standard_normal((STEPS, SEEDS, WIDTH))
    x = draw.copy()
    for t in range(1, STEPS):
        x[t] = rho * x[t - 1] + np.sqrt(1 - rho**2) * draw[t]
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def chart(found: Stability) -> Chart:
    def label(rule: str) -> str:
        limit = found.limit[rule]
        return f"{rule}: any η" if np.isinf(limit) else f"{rule}: η < {limit:.3g}"

    gains = tuple(Line(label(rule), ETAS, gain, DESCENTS[rule]) for rule, gain in zip(RULES, found.gain))
    left = tuple(Line(label(rule), ETAS, share, DESCENTS[rule]) for rule, share in zip(RULES, found.left))
    return (
        Plot("One write; in the legend, where a rule is stable", "step size η", "left of the distance to its rest", gains, x_log=True, y_range=(-2.5, 2.2),
             x_range=(0.01, 100), references={-1.0: "as far, on the other side", 0.0: "at rest", 1.0: "as far as before"}),
        Plot(f"After {STEPS} writes", "step size η", "left of the distance to its rest", left, x_log=True, y_log=True,
             x_range=(0.01, 100), y_range=SHOWN, references={1.0: "as far as at first"}),
    )  # fmt: skip


def stable_steps() -> Explorer[Stability]:
    """The explorer: what a write leaves, and what a hundred leave, against eta; sliders for length and correlation."""
    return Explorer(
        compute,
        {
            "norm": slider("Length of the input ‖x‖", 2.0, 0.25, 4.0, 0.25),
            "rho": stops("Correlation of directions", 0.0, (0.0, 0.5, 0.8, 0.9, 0.95, 0.99, 1.0)),
        },
        chart,
        alt="What one write, and what a hundred, leave of the distance to where a rule comes to rest, against the step size. "
        "For inputs of length 2 gradient descent reaches -1 at 0.5 and explodes beyond, Delta GD as printed at 0.333; "
        "Delta GD itself stays between -1 and 1 at every step size, and the exact step between 0 and 1.",
        try_this="Move ‖x‖ to 1: which two curves become one? Then raise the correlation: what changes is how fast, "
        "not how far η may go.",
        name="stable_steps",
    )
