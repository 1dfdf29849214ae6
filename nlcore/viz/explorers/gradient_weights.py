"""What momentum is made of: how much each past gradient counts, and how many count at all (section 4.3)."""

from dataclasses import dataclass

import numpy as np

from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.controls import slider
from nlcore.viz.optimizers import MOMENTA
from nlcore.viz.theme import GREY, Look

SHOWN, TOP = 60, 0.32
"""Gradients and shares in the frame, the same for every alpha: a longer memory is a flatter one."""
ALPHAS = np.round(np.arange(0, 0.991, 0.005), 3)
MARKS = {"half": 0.5, "99%": 0.99}
LOOKS = {"weight": MOMENTA["momentum"], "half": Look("#000000", "dashed", "s"), "99%": Look(GREY, "dotted", "^")}


@dataclass(frozen=True)
class Weights:
    """The make-up of a momentum that has run for long."""

    alpha: float
    weight: np.ndarray
    """(SHOWN,) share of the gradient of k steps ago; all shares, to infinity, add up to 1."""
    share: np.ndarray
    """(SHOWN,) share of the newest gradients up to it."""
    newest: dict[str, int]
    """Mark -> how many of the newest gradients carry that share or more."""


def newest(alpha: float | np.ndarray, share: float) -> np.ndarray:
    """How many of the newest gradients carry `share` of a momentum: the first n with `1 - alpha^n >= share`.

    Raises ValueError for an alpha outside 0 to 1 (1 excluded: such a momentum never settles) or a share outside 0 to 1.
    """
    alpha = np.asarray(alpha, dtype=float)
    if not ((alpha >= 0) & (alpha < 1)).all() or not 0 < share < 1:
        raise ValueError(f"alpha {alpha}, share {share}: alpha is 0 or more and below 1, a share between 0 and 1")
    with np.errstate(divide="ignore"):
        n = np.ceil(np.round(np.log(1 - share) / np.log(alpha), 9))
    return np.maximum(n, 1).astype(int)


def compute(alpha: float) -> Weights:
    """Shares for a retention `alpha`, 0 to below 1."""
    weight = (1 - alpha) * alpha ** np.arange(SHOWN)
    counts = {name: int(newest(alpha, share)) for name, share in MARKS.items()}
    return Weights(alpha, weight, np.cumsum(weight), counts)


def chart(found: Weights) -> Chart:
    """Share of each past gradient with the two marks, and both marks against alpha."""
    age = np.arange(SHOWN)
    marks = tuple(
        Line(f"newest {n} carry {name}" + (", beyond the frame" if n > SHOWN else ""), np.full(2, n - 0.5), np.array([0, TOP]), LOOKS[name])
        for name, n in found.newest.items()
    )
    curves = tuple(Line(f"for {name}", ALPHAS, newest(ALPHAS, share), LOOKS[name]) for name, share in MARKS.items())
    here = tuple(
        Line("", np.array([found.alpha]), np.array([n]), LOOKS[name], "points", size=10) for name, n in found.newest.items()
    )
    return (
        Plot(
            f"Each gradient's share at α = {found.alpha:g}", "age of the gradient (steps)", "share of the momentum",
            (Line("gradient", age, found.weight, LOOKS["weight"], "bars"), *marks),
            x_range=(-1, SHOWN), y_range=(0, TOP), width=1.3,
        ),
        Plot(
            "How far back it reaches", "retention α", "newest gradients needed",
            curves + here, x_range=(-0.02, 1.0), y_range=(0.8, 600), y_log=True,
        ),
    )


def gradient_weights() -> Explorer[Weights]:
    """The explorer: one slider for the retention."""
    return Explorer(
        compute,
        {"alpha": slider("Retention α (torch: momentum)", 0.9, 0.0, 0.99, 0.01)},
        chart,
        alt="Left, bars of each past gradient's share at retention 0.9: 0.1 for the newest, falling by a tenth a step. "
        "The newest 7 carry half and the newest 44 carry 99%. Right, both counts rise with the retention, to 69 and 459 "
        "at 0.99.",
        try_this="Find the α at which half of the momentum is older than 20 steps. How much must 1 − α fall for the "
        "memory to reach twice as far?",
        name="gradient_weights",
    )
