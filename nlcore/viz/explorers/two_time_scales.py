"""Two time scales: what M3's fast and slow momentum, Muon and AdamW make of a stream with two directions."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from nlcore.ops.newton_schulz import newton_schulz
from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.controls import slider, stops
from nlcore.viz.optimizers import OPTIMIZERS

STEPS, SIZE, SEED = 160, 6, 1
SWITCH = 20
"""Steps after which the loud direction turns to its opposite."""
QUIET, NOISE = 0.5, 0.3
"""Size of the quiet direction against the loud one's 1, and of the noise."""
TURN = np.pi / 2 / STEPS
"""By how much the quiet direction turns at each step, in radians: a right angle in all."""
BETA1, BETA2 = 0.9, 0.999
LINES = ("AdamW", "Muon", "M3", "M3's slow memory")
LOOKS = dict(zip(LINES, (OPTIMIZERS[name] for name in ("Adam", "Muon", "M3", "slow memory"))))


@dataclass(frozen=True)
class Scales:
    """Cosines of each optimizer's step with the stream's two directions: line -> (STEPS,)."""

    loud: dict[str, np.ndarray]
    quiet: dict[str, np.ndarray]


@cache
def stream(seed: int = SEED) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients, and their loud and quiet directions: (STEPS, SIZE, SIZE) each, directions of norm 1.

    The loud one turns to its opposite every `SWITCH` steps, as across a ravine; the quiet one drifts.
    """
    draw = torch.Generator().manual_seed(seed)
    basis = torch.linalg.qr(torch.randn(SIZE * SIZE, 3, generator=draw, dtype=torch.float64))[0]
    across, along, later = basis.mT.unflatten(1, (SIZE, SIZE))
    t = torch.arange(STEPS, dtype=torch.float64).view(-1, 1, 1)
    loud = torch.where(t // SWITCH % 2 == 0, 1.0, -1.0) * across
    quiet = torch.cos(TURN * t) * along + torch.sin(TURN * t) * later
    noise = torch.randn(STEPS, SIZE, SIZE, generator=draw, dtype=torch.float64) / SIZE
    return loud + QUIET * quiet + NOISE * noise, loud, quiet


def compute(beta1: float, beta3: float, period: int, alpha: float, *, seed: int = SEED, divided: bool = True) -> Scales:
    """Steps of AdamW, Muon and M3 (Alg. 1, its sums read as means) on a draw of the stream, without weight decay.

    beta1 is of all fast momenta, beta3 and period are of M3's slow one, alpha is its weight; unless
    `divided`, M3 leaves out the root of its second moment. Raises ValueError for betas outside 0 to 1
    (1 excluded), a period below 1, or an alpha below 0.
    """
    if not (0 <= beta1 < 1 and 0 <= beta3 < 1 and period >= 1 and alpha >= 0):
        raise ValueError(f"beta1 {beta1}, beta3 {beta3}, period {period}, alpha {alpha}: betas are 0 to 1 (1 excluded), "
                         "a period is 1 or more, alpha 0 or more")
    g, loud, quiet = stream(seed)
    m, h = _means(g, beta1), _means(g.square(), BETA2)
    fast, root = _orthogonal(m), (h / _known(BETA2, STEPS)).sqrt()
    slow = _means(g[: STEPS // period * period].unflatten(0, (-1, period)).mean(1), beta3)
    slow = torch.cat([torch.zeros(1, SIZE, SIZE, dtype=g.dtype), _orthogonal(slow)])
    slow = slow.repeat_interleave(period, 0)[:STEPS]  # an answer serves the period after the one it was made of
    steps = {
        "AdamW": m / _known(beta1, STEPS) / root,
        "Muon": _orthogonal((1 - beta1) * g + beta1 * m),
        "M3": (fast + alpha * slow) / (root if divided else 1.0),
        "M3's slow memory": slow,
    }
    return Scales(*({name: _cosines(step, way) for name, step in steps.items()} for way in (loud, quiet)))


def _means(values: Tensor, beta: float) -> Tensor:
    """The running mean after each of some values (n, ...), from 0 and not corrected for that."""
    age = torch.arange(len(values))[:, None] - torch.arange(len(values))
    kept = torch.where(age >= 0, (1 - beta) * beta ** age.clamp(min=0).to(values.dtype), 0)
    return torch.tensordot(kept, values, 1)


def _known(beta: float, steps: int) -> Tensor:
    """Bias corrections after each step, (steps, 1, 1)."""
    return 1 - beta ** torch.arange(1, steps + 1, dtype=torch.float64).view(-1, 1, 1)


def _orthogonal(matrices: Tensor) -> Tensor:
    return torch.vmap(newton_schulz)(matrices) if len(matrices) else matrices


def _cosines(steps: Tensor, way: Tensor) -> np.ndarray:
    return cosine_similarity(steps.flatten(1), way.flatten(1)).numpy()


def chart(found: Scales) -> Chart:
    """Cosines with the loud direction of now, and with the quiet one."""
    t = np.arange(1, STEPS + 1)

    def plot(title: str, cosines: dict[str, np.ndarray]) -> Plot:
        means = {name: f"{name}: mean {values.mean():.2f}".replace("-", "−") for name, values in cosines.items()}
        lines = tuple(Line(means[name], t, values, LOOKS[name]) for name, values in cosines.items())
        return Plot(
            title, "step", "cosine of step and direction", lines, x_range=(0, STEPS), y_range=(-1.02, 1.02), references={0.0: ""}
        )

    turning = plot(f"The loud direction, which turns every {SWITCH} steps", found.loud)
    return turning, plot("The quiet direction, which drifts", found.quiet)


def two_time_scales() -> Explorer[Scales]:
    """The explorer: which direction each optimizer follows, with sliders for M3's two time scales."""
    return Explorer(
        compute,
        {
            "beta1": stops("β1, kept at each step", BETA1, (0.0, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99)),
            "period": stops("Period of slow (steps)", 10, (1, 2, 5, 10, 20, 40)),
            "beta3": stops("β3, kept at each period", 0.9, (0.0, 0.5, 0.7, 0.8, 0.9, 0.95)),
            "alpha": slider("α, weight of slow", 0.5, 0.0, 2.0, 0.1),
        },
        chart,
        alt="Left, cosines with a direction that turns to its opposite every 20 steps: AdamW and Muon drop to below -0.5 at "
        "each turn and recover; M3 does so less, and its slow memory, after one swing each way, stays nearer to 0. "
        "Right, with the quiet direction: AdamW, Muon and M3 swing with each turn, while the slow memory holds "
        "above 0.6 once it has seen some periods.",
        try_this="Set α to 0, then to 2: what does M3 win in the quiet direction, and lose in the loud one? Then keep α at "
        "0.5 and give all of them one long memory, β1 = 0.98. Which period suits a turn every 20 steps worst?",
        name="two_time_scales",
    )
