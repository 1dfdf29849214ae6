"""What Adam remembers of one coordinate: its gradients, two running means, and the regression that they solve."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from nlcore.optim.regression import adam_regression, elementwise_memory
from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.controls import choice, player, slider, stops
from nlcore.viz.optimizers import OPTIMIZERS, like
from nlcore.viz.theme import REFERENCE, Look

STEPS = 80
STREAMS = ("steady", "switching", "sparse")
REACH, TARGETS = 4.4, 6.5
"""Ends of the frame: no gradient is larger, and few targets."""
GRADIENT = Look(REFERENCE.colour, "solid", "o")
MOMENTUM, ROOT, STEP = OPTIMIZERS["m"], like("m", "dashed"), OPTIMIZERS["Adam"]


@dataclass(frozen=True)
class Regression:
    """One coordinate's gradients up to now, what Adam keeps of them, and what it does."""

    gradients: np.ndarray
    """(now,), oldest first."""
    momentum: np.ndarray
    """(now,), m after each gradient, bias-corrected."""
    root: np.ndarray
    """(now,), the root of h after each, bias-corrected: the root mean square."""
    targets: np.ndarray
    """(now,), what the best memory should answer to each gradient, seen from now, bias-corrected."""
    weights: np.ndarray
    """(now,), how much each gradient counts for the best memory; the newest most."""
    slope: float
    """The best memory: it answers `slope * g`."""

    @property
    def step(self) -> np.ndarray:
        """(now,), the step after each gradient, in learning rates, before its minus sign; 0 before any gradient."""
        return np.divide(self.momentum, self.root, out=np.zeros_like(self.momentum), where=self.root > 0)


@cache
def _stream(name: str) -> tuple[np.ndarray, np.ndarray]:
    """A stream's signal and unit noise, (STEPS,) each: steady, with its sign turning at half, or one step in eight."""
    t = np.arange(STEPS)
    signal = {"steady": np.ones(STEPS), "switching": np.where(t < STEPS // 2, 1.0, -1.0), "sparse": (t % 8 == 3) * 1.0}
    return signal[name], np.random.default_rng(0).standard_normal(STEPS)


def compute(stream: str, past: int, noise: float, beta1: float, beta2: float) -> Regression:
    """Adam's two memories over the newest gradient of a stream and the `past` before it, and the regression behind them (eq. 101-105).

    `noise` is the standard deviation added to a signal of size 1. Raises ValueError for an unknown
    stream, betas outside 0 to 1 (1 excluded), beta2 of 0 while beta1 is not, or `past` outside 0 to 79.
    """
    now = past + 1
    if stream not in STREAMS or not (0 <= beta1 < 1 and 0 <= beta2 < 1 and (beta2 or not beta1)) or not 1 <= now <= STEPS:
        raise ValueError(f"stream {stream!r}, past {past}, beta1 {beta1}, beta2 {beta2}: a stream is one of "
                         f"{', '.join(STREAMS)}, betas are 0 to 1, beta2 is 0 only if beta1 is, past is 0 to {STEPS - 1}")
    signal, unit = _stream(stream)
    g = torch.from_numpy(signal + noise * unit)[:now]
    m, h = _mean(g, beta1), _mean(g.square(), beta2)
    targets, weights = adam_regression(g, beta1, beta2)
    targets = (targets * (1 - beta2**now) ** 0.5 / (1 - beta1**now)).nan_to_num()
    slope = elementwise_memory(g, targets, weights).nan_to_num().item()
    return Regression(g.numpy(), m, np.sqrt(h), targets.numpy(), weights.numpy(), slope)


def _mean(values: Tensor, beta: float) -> np.ndarray:
    """The bias-corrected running mean after each of some values, (now,)."""
    step = torch.arange(len(values), dtype=values.dtype)
    age = step[:, None] - step
    kept = torch.where(age >= 0, (1 - beta) * beta ** age.clamp(min=0), 0)
    return (kept @ values / (1 - beta ** (step + 1))).numpy()


def chart(found: Regression) -> Chart:
    """The stream with its two memories and the step; beside it each gradient with its target, and the best line."""
    t, ends = np.arange(1, len(found.gradients) + 1), np.array([-REACH, REACH])
    size = 2 + 7 * np.sqrt(found.weights / found.weights[-1])
    return (
        Plot(
            f"Now, m = {found.momentum[-1]:.2f} and root = {found.root[-1]:.2f}: step {found.step[-1]:.2f}".replace("-", "−"),
            "step", "gradient; step in learning rates",
            (Line("gradient", t, found.gradients, GRADIENT, "points", size=5),
             Line("step, m / root", t, found.step, STEP, strong=True), Line("m", t, found.momentum, MOMENTUM),
             Line("root mean square", t, found.root, ROOT)),
            x_range=(0, STEPS + 1), y_range=(-REACH, REACH), references={0.0: ""}, width=1.4,
        ),
        Plot(
            f"The regression: slope {found.slope:.2f}".replace("-", "−"), "gradient", "target, and the memory's answer",
            (Line("past gradients, larger if they count more", found.gradients, found.targets, GRADIENT, "points", size=size),
             Line("newest", found.gradients[-1:], found.targets[-1:], STEP, "points", size=12),
             Line("best memory", ends, found.slope * ends, STEP)),
            x_range=(-REACH, REACH), y_range=(-REACH, TARGETS), references={0.0: ""},
        ),
    )


def adam_as_regression() -> Explorer[Regression]:
    """The explorer: a stream of gradients for one weight, with sliders for noise, both betas and the present step."""
    kept = (0.5, 0.7, 0.9, 0.97, 0.99, 0.999)
    return Explorer(
        compute,
        {
            "stream": choice("Stream", "switching", STREAMS),
            "past": player("Gradients before now", 59, STEPS - 1),
            "noise": slider("Noise (standard deviation)", 0.5, 0.0, 1.5, 0.1),
            "beta1": stops("β1, kept of m", 0.9, (0.0, *kept)),
            "beta2": stops("β2, kept of h", 0.99, kept),
        },
        chart,
        alt="Gradients of one weight around 1, which turn to around -1 after step 40. The momentum crosses zero some ten "
        "steps later, the root mean square stays near 1, and the step, their ratio, goes with the momentum. "
        "Beside it the regression: past gradients with their targets, larger the more they count, and the line of the best memory.",
        try_this="Press play and watch step 41. Then set β1 equal to β2: all targets become one number. Then take the "
        "sparse stream: which β2 makes the rare gradient count most?",
        name="adam_as_regression",
    )
