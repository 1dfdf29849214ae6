"""Correlated streams: who follows a drifting target, as inputs come to resemble the one before."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.controls import choice, stops
from nlcore.viz.optimizers import DESCENTS

WIDTH, STEPS, SEEDS, SMOOTH = 8, 200, 16, 10
CORRELATIONS = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9, 0.95, 0.99)
RULES = ("gradient descent", "Delta GD", "exact step")
MEASURES = ("the next input", "a fresh input")
SHOWN = (3e-3, 100.0)
"""Errors that are drawn."""
REFERENCES = {0.25: "", 1.0: "no better than answering 0"}
LABEL = "squared error (0.25: half of the target)"
TICKS = {0.01: "0.01", 0.1: "0.1", 0.25: "0.25", 1.0: "1", 10.0: "10", 100.0: "100"}
"""Half of the target is a tick, since Delta GD lies on it from end to end, where a name would be in its way."""


@dataclass(frozen=True)
class Tracking:
    """Squared errors, relative to the target's own size: 1 is no better than answering 0."""

    rho: float
    step: np.ndarray
    """(T,) from 1."""
    error: dict[str, np.ndarray]
    """Rule -> (3, T): median over seeds, lowest and highest decile; each a mean over `SMOOTH` steps."""
    late: dict[str, np.ndarray]
    """Rule -> (3, correlations): mean over the second half of the stream, and its 95% interval over seeds."""
    seeds: dict[str, np.ndarray]
    """Rule -> (correlations, seeds): that mean, stream by stream; the streams are the same for all rules."""


def compute(rho: float, eta: float, drift: float, measure: str) -> Tracking:
    """Each rule learns `v_t = w_t . x_t` online, one step a pair, from `W = 0`; the target w_t drifts.

    Inputs are AR(1), `x_t = rho x_{t-1} + sqrt(1 - rho^2) noise` with `E ||x||^2 = 1`; the target is too, and
    keeps `sqrt(1 - drift^2)` of itself at a step. The error is measured before each write.

    rho: one of `CORRELATIONS`; eta above 0; drift 0 to 1; measure: one of `MEASURES`.
    """
    errors = _errors(eta, drift)[MEASURES.index(measure)]
    window = np.ones(SMOOTH) / SMOOTH
    here = errors[:, :, CORRELATIONS.index(rho)]
    smooth = np.stack([np.stack([np.convolve(seed, window, "valid") for seed in rule.T]) for rule in here.swapaxes(0, 1)])
    late = errors[STEPS // 2 :].mean(0)
    with np.errstate(over="ignore", invalid="ignore"):  # a rule that leaves all numbers has no interval
        half = 1.96 * late.std(-1, ddof=1) / np.sqrt(SEEDS)
        return Tracking(
            rho,
            np.arange(SMOOTH, STEPS + 1),
            {name: np.quantile(s, (0.5, 0.1, 0.9), axis=0) for name, s in zip(RULES, smooth)},
            {name: np.stack([m.mean(-1), m.mean(-1) - h, m.mean(-1) + h]) for name, m, h in zip(RULES, late, half)},
            dict(zip(RULES, late)),
        )


@lru_cache(16)
def _streams(drift: float) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (T, correlations, seeds, d) and targets (T, seeds, d), the same at every call."""
    draw = np.random.default_rng(0)
    noise = draw.standard_normal((STEPS, 1, SEEDS, WIDTH)) / np.sqrt(WIDTH)
    moves = draw.standard_normal((STEPS, SEEDS, WIDTH))
    rho = np.array(CORRELATIONS)[:, None, None]
    x, w = np.empty((STEPS, len(rho), SEEDS, WIDTH)), np.empty((STEPS, SEEDS, WIDTH))
    x[0], w[0] = noise[0], moves[0]
    for t in range(1, STEPS):
        x[t] = rho * x[t - 1] + np.sqrt(1 - rho**2) * noise[t]
        w[t] = np.sqrt(1 - drift**2) * w[t - 1] + drift * moves[t]
    return x, w


@lru_cache(16)
def _errors(eta: float, drift: float) -> np.ndarray:
    """Squared errors (measures, T, rules, correlations, seeds)."""
    x, w = _streams(drift)
    value, size = np.einsum("tpsd,tsd->tps", x, w), (x**2).sum(-1)
    exact = eta / (1 + eta * size)
    weight = np.zeros((len(RULES), *x.shape[1:]))
    errors = np.empty((2, STEPS, *weight.shape[:-1]))
    with np.errstate(over="ignore", invalid="ignore"):
        for t in range(STEPS):
            answer = (weight * x[t]).sum(-1)
            missing = value[t] - answer
            errors[0, t] = missing**2
            errors[1, t] = ((weight - w[t]) ** 2).mean(-1)
            written = np.stack([eta * missing[0], exact[t] * (missing[1] - answer[1]), exact[t] * missing[2]])
            weight += written[..., None] * x[t]
    return np.nan_to_num(errors, nan=np.inf, posinf=np.inf)  # what overflowed is nan once it meets itself


def chart(found: Tracking) -> Chart:
    """The errors over time at one correlation, and late in the stream at all of them, the one on the left marked."""
    at = CORRELATIONS.index(found.rho)
    time = tuple(Line(name, found.step, curve[0], DESCENTS[name], band=_band(curve)) for name, curve in found.error.items())
    late = tuple(
        Line(name, np.array(CORRELATIONS), curve[0], DESCENTS[name], "both", band=_band(curve)) for name, curve in found.late.items()
    )
    here = tuple(  # none above the frame, which the curve on the left says at its edge
        Line("", np.array([found.rho]), np.where(curve[0, [at]] > SHOWN[1], np.nan, curve[0, [at]]), DESCENTS[name], "points", size=13)
        for name, curve in found.late.items()
    )
    axes = {"y_range": SHOWN, "y_log": True, "y_ticks": TICKS, "references": REFERENCES}
    return (
        Plot(f"Median error over time at correlation {found.rho:g}", "step", LABEL, time, **axes),
        Plot("Mean over steps 101 to 200; large marks: as left", "correlation of an input with the next", LABEL,
             late + here, x_range=(-0.02, 1.01), **axes),
    )  # fmt: skip


def _band(curve: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """An interval's two ends as a logarithmic axis can show them; none where the curve itself is above the frame."""
    low, high = np.where(curve[0] > SHOWN[1], SHOWN[1] * 10, np.clip(curve[1:], SHOWN[0] / 10, SHOWN[1] * 10))
    return low, high


def correlated_streams() -> Explorer[Tracking]:
    """The explorer: error over time and against correlation; sliders for correlation, eta and drift."""
    return Explorer(
        compute,
        {
            "rho": stops("Correlation of inputs", 0.8, CORRELATIONS),
            "eta": stops("Step size η", 2.0, (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)),
            "drift": stops("Drift of the target (per step)", 0.03, (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)),
            "measure": choice("Error measured on", MEASURES[0], MEASURES),
        },
        chart,
        alt="Squared error over time and against correlation, on logarithmic axes, at a step size of 2. Gradient descent "
        "leaves the picture upwards at every correlation. The exact step falls to about 0.01; Delta "
        "Gradient Descent, which erases too, stays near one quarter at every correlation.",
        try_this="Move η down to 0.5: who is best now? Then set the drift to 0.3 and η to 1, and go through the "
        "correlations: where does Delta GD win?",
        name="correlated_streams",
    )
