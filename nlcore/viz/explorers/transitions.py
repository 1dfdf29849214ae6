"""Transitions: what a write multiplies a state by, and what that means for counting and for parity."""

from dataclasses import dataclass

import numpy as np

from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.controls import choice, slider
from nlcore.viz.family import LOOKS as FAMILY
from nlcore.viz.theme import GREYS, Look

RULES = {"decay": 0.0, "delta": 1.0, "Delta GD": 2.0}
"""Rule -> how often eta is taken off alpha along the key."""
LOOKS = {"decay": FAMILY["decay"], "delta": FAMILY["delta"], "Delta GD": Look("reference", "solid", "D")}
EVEN, ODD = Look("#000000", "solid", "o"), Look(GREYS[1], "dashed", "s")
ETAS = np.linspace(0, 1, 41)
ONES = 24
LOST = 1e6


@dataclass(frozen=True)
class Transition:
    """A rule at a retention and a rate, for keys of length one."""

    rule: str
    eta: float
    factors: dict[str, np.ndarray]
    """Rule -> (etas,) what a write multiplies the state along its key by."""
    factor: float
    """Of the rule in view at its rate."""
    state: np.ndarray
    """(ONES + 1,) the state after so many ones, from 0: each multiplies it and adds 1."""


def factor(rule: str, alpha: float, eta: float | np.ndarray) -> float | np.ndarray:
    """The eigenvalue of the transition along a key of length one: alpha less eta, once for each time the rule erases."""
    return alpha - RULES[rule] * eta


def compute(rule: str, alpha: float, eta: float) -> Transition:
    """All rules at this retention, and the state of one of them over a row of ones.

    Raises ValueError for a rule that there is not, or an alpha or eta outside 0 to 1.
    """
    if rule not in RULES or not (0 <= alpha <= 1 and 0 <= eta <= 1):
        raise ValueError(f"{rule!r}, alpha {alpha}, eta {eta}: take one of {', '.join(RULES)}, and rates from 0 to 1")
    mu = float(factor(rule, alpha, eta))
    state = [0.0]
    for _ in range(ONES):
        state.append(mu * state[-1] + 1)
    every = {name: factor(name, alpha, ETAS) + 0 * ETAS for name in RULES}
    return Transition(rule, eta, every, mu, np.array(state))


def chart(found: Transition) -> Chart:
    """The factor by the rate, for all rules; and the state by the number of ones."""
    n, mu = np.arange(ONES + 1), found.factor
    low, high = max(found.state.min(), -LOST), min(found.state.max(), LOST)
    pad = 0.08 * (high - low)
    apart = abs(found.state[-1] - found.state[-2])
    here = np.array([found.eta]), np.array([mu])
    lines = [Line(name, ETAS, y, LOOKS[name], strong=name == found.rule) for name, y in found.factors.items()]
    return (
        Plot(
            f"Along the key: {found.rule} multiplies by {mu:.2f}".replace("-", "−"), "rate η", "factor μ",
            (*lines, Line("in view", *here, EVEN, style="points", size=11.0)), x_range=(-0.03, 1.03), y_range=(-2.1, 1.3),
            references={1.0: "1: keeps all", 0.0: "0: forgets at once", -1.0: "−1: flips; below, it grows"},
        ),
        Plot(
            f"State after n ones: the last two are {apart:.2g} apart", "ones read, n", "state",
            (
                Line("n even", n[::2], found.state[::2], EVEN, style="points", size=8.0),
                Line("n odd", n[1::2], found.state[1::2], ODD, style="points", size=8.0),
            ),
            x_range=(-1, ONES + 1), y_range=(float(low - pad), float(high + pad)),
        ),
    )  # fmt: skip


def transitions() -> Explorer[Transition]:
    """The explorer: a rule, its retention and its rate."""
    return Explorer(
        compute,
        {
            "rule": choice("Rule", "delta", list(RULES)),
            "alpha": slider("Retention α", 1.0, 0.0, 1.0, 0.05),
            "eta": slider("Rate η", 0.2, 0.0, 1.0, 0.05),
        },
        chart,
        alt="Left, what a write multiplies the state by, against the rate: decay stays at 1, delta falls from 1 to 0, Delta GD from "
        "1 to minus 1. Right, the state of delta at rate 0.2, where the factor is 0.8: it rises to 5 and stays there, so that "
        "even and odd numbers of ones end at the same height.",
        try_this="Which settings count ones without end? Which can tell even from odd after 24 of them? Try Delta GD at η = 1, "
        "and then at 0.95.",
        name="transitions",
    )
