"""Generalised descent: what each objective writes of a value, and what an outlier does to the weights."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.chart.words import short
from nlcore.viz.controls import choice, slider, stops
from nlcore.viz.optimizers import DESCENTS

WIDTH, STEPS, SEEDS, EVERY = 4, 150, 16, 10
NOISE = 0.05
RULES = ("dot product", "L2", "Huber", "Lp, p = 1.5")
RETENTIONS = {
    "near the last state": (1, 0.0),
    "near the last 4 states": (4, 0.0),
    "near the last state, and small": (1, 0.1),
    "near the last 4 states, and small": (4, 0.1),
}
"""Name -> states c and decay."""
LOOKS = {rule: DESCENTS[rule] for rule in RULES}
SHOWN = (1e-4, 10.0)
"""Distances that may be in the frame, which holds no more than it needs."""


@dataclass(frozen=True)
class Descent:
    """What each rule did, by step."""

    loss: np.ndarray
    """(rules, T) squared distance to the clean target, as a share of its square; mean over seeds. 0.25 is half."""
    value: np.ndarray
    """(rules, T) the value u that the rule generated at each step, of one seed."""
    written: np.ndarray
    """(rules, T) what it wrote: `W <- centre + written x^T`."""
    grid: np.ndarray
    """(values,) some values u."""
    plain: np.ndarray
    """(rules, values) what would be written of them at an input of length 1 that the centre answers with 0."""


def compute(outlier: float, retention: str, eta: float, delta: float) -> Descent:
    """Online regression `v = w . x`, one step a pair, from 0; in every tenth pair the value is off by `outlier`.

    At each step `u = v - W x`, and W becomes `argmin objective(W x; u) + Ret(W)` (eq. 59), in closed form: for one
    input the error `e = W x - u` solves `e + r ||x||^2 objective'(e) = centre x - u`.

    outlier: its size, in units of the usual value's; retention: a name of `RETENTIONS`; delta: Huber's.
    """
    c, decay = RETENTIONS[retention]
    x, w, clean, sign = _pairs()
    given = clean + outlier * sign
    past = [np.zeros((len(RULES), SEEDS, WIDTH))] * c
    loss, value, written = (np.empty((len(RULES), STEPS)) for _ in range(3))
    rate = eta / (1 + eta * decay)
    for t in range(STEPS):
        centre = sum(past[-c:]) / c / (1 + eta * decay)
        u = given[t] - (past[-1] * x[t]).sum(-1)
        gap = (centre * x[t]).sum(-1) - u
        pull = rate * (x[t] ** 2).sum(-1)
        write = -rate * _slopes(u, gap, pull, delta)
        past.append(centre + write[..., None] * x[t])
        loss[:, t] = (((past[-1] - w) ** 2).sum(-1) / (w**2).sum(-1)).mean(-1)
        value[:, t], written[:, t] = u[:, 0], write[:, 0]
    grid = np.linspace(-1, 1, 101) * (outlier + 3)
    plain = -rate * _slopes(np.broadcast_to(grid, (len(RULES), 101)), np.broadcast_to(-grid, (len(RULES), 101)), rate, delta)
    return Descent(loss, value, written, grid, plain)


def _slopes(u: np.ndarray, gap: np.ndarray, pull: np.ndarray, delta: float) -> np.ndarray:
    """The objective's derivative at the argmin, (rules, seeds)."""
    root = (np.sqrt(pull**2 + 4 * np.abs(gap[3])) - pull) / 2
    settled = gap / (1 + pull)
    return np.stack([-u[0], settled[1], np.clip(settled[2], -delta, delta), np.sign(gap[3]) * root])


@lru_cache(1)
def _pairs() -> tuple[np.ndarray, ...]:
    """Inputs (T, seeds, d), targets (seeds, d), values (T, seeds), and where an outlier goes, -1, 0 or 1."""
    draw = np.random.default_rng(1)
    x = draw.standard_normal((STEPS, SEEDS, WIDTH)) / np.sqrt(WIDTH)
    w = draw.standard_normal((SEEDS, WIDTH))
    w *= np.sqrt(WIDTH) / np.linalg.norm(w, axis=-1, keepdims=True)
    clean = np.einsum("tsd,sd->ts", x, w) + NOISE * draw.standard_normal((STEPS, SEEDS))
    sign = np.where(np.arange(STEPS) % EVERY == EVERY - 1, 1.0, 0.0)[:, None] * draw.choice((-1.0, 1.0), (STEPS, SEEDS))
    return x, w, clean, sign


def _frame(loss: np.ndarray) -> tuple[float, float]:
    """The part of `SHOWN` that holds these distances; it ends at powers of ten, or at three times one."""
    ends = [times * 10.0**power for power in range(-4, 1) for times in (1, 3)]
    return max((e for e in ends if e <= loss.min()), default=SHOWN[0]), min((e for e in ends if e >= loss.max()), default=SHOWN[1])


def chart(found: Descent) -> Chart:
    """Distance to the target by step, and what each rule wrote of its values, with a line for an input of length 1."""
    step = np.arange(1, STEPS + 1)
    names = [f"{rule}: ends at {short(path[-20:].mean())}" for rule, path in zip(RULES, found.loss)]
    loss = tuple(Line(name, step, path, look) for name, path, look in zip(names, found.loss, LOOKS.values()))
    wrong = slice(EVERY - 1, None, EVERY)  # the steps at which the value is off
    writes = tuple(
        Line("", u[wrong], written[wrong], look, "points", size=5.0)
        for u, written, look in zip(found.value, found.written, LOOKS.values())
    )
    plain = tuple(Line(name, found.grid, written, look) for name, written, look in zip(names, found.plain, LOOKS.values()))
    return (
        Plot("Distance to the clean target", "step", "squared distance (share)", loss, y_log=True,
             y_range=_frame(found.loss),
             references={0.25: "half of the target", 1.0: "nothing learnt"}),
        Plot("What is written of a value; marks: the wrong ones", "self-made value u", "written, as a multiple of x", writes + plain,
             x_range=(found.grid[0], found.grid[-1]), y_range=(found.plain.min(), found.plain.max())),
    )  # fmt: skip


def generalized_descent() -> Explorer[Descent]:
    """The explorer: loss paths, and written against generated values; sliders for outliers, retention, eta, delta."""
    return Explorer(
        compute,
        {
            "outlier": slider("Size of the outliers", 10.0, 0.0, 20.0, 1.0),
            "retention": choice("Retention: stay", next(iter(RETENTIONS)), RETENTIONS),
            "eta": stops("Step size η", 0.2, (0.05, 0.1, 0.2, 0.5, 1.0, 1.5)),
            "delta": stops("Huber's δ", 0.5, (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)),
        },
        chart,
        alt="Left: squared distance to the clean target over 150 steps in which every tenth value is off by 10. The dot product "
        "jumps at every outlier and ends at 0.91, L2 at 0.74; Huber comes to rest at a quarter, Lp stays a little above it. "
        "Right: what is written grows in proportion to the value for the dot product and L2, bends for Lp and is cut off for Huber.",
        try_this="Set the outliers to 0: only the dot product gets below 0.25, why? Then raise them one by one: from "
        "which size on is it the worst of the four?",
        name="generalized_descent",
    )
