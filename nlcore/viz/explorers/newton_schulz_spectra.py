"""Singular values on their way to 1: cubic and quintic Newton-Schulz, and eq. 44 with its extra term."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from nlcore.ops.newton_schulz import CUBIC, QUINTIC, newton_schulz, printed_newton_schulz
from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.controls import player, stops
from nlcore.viz.optimizers import OPTIMIZERS
from nlcore.viz.theme import REFERENCE

SIZE, STEPS = 16, 24
FORMS = {
    "cubic (43)": lambda g, steps: newton_schulz(g, steps, CUBIC),
    "quintic (Muon)": lambda g, steps: newton_schulz(g, steps, QUINTIC),
    "as printed (44)": printed_newton_schulz,
}
LOOKS = dict(zip(FORMS, (OPTIMIZERS[name] for name in ("cubic", "Muon", "as printed"))))


@dataclass(frozen=True)
class Spectra:
    """Singular values of one matrix, largest first."""

    before: np.ndarray
    """(SIZE,), of the matrix at norm 1."""
    after: dict[str, np.ndarray]
    """Form -> (SIZE,), after the chosen number of steps."""
    off: dict[str, np.ndarray]
    """Form -> (STEPS + 1,), the largest distance of a singular value from 1 after each number of steps."""
    steps: int


@cache
def _gradient(condition: float) -> Tensor:
    """A matrix whose singular values fall evenly on a logarithmic scale, from 1 to 1 / condition."""
    draw = torch.Generator().manual_seed(0)
    left, right = (torch.linalg.qr(torch.randn(SIZE, SIZE, generator=draw, dtype=torch.float64))[0] for _ in range(2))
    return left * torch.logspace(0, -np.log10(condition), SIZE, dtype=torch.float64) @ right.mT


@cache
def _spectra(condition: float) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Before, and form -> (STEPS + 1, SIZE)."""
    g = _gradient(condition)
    found = {name: torch.linalg.svdvals(torch.stack([form(g, steps) for steps in range(STEPS + 1)])).numpy()
             for name, form in FORMS.items()}
    return torch.linalg.svdvals(g / g.norm()).numpy(), found


def compute(steps: int, condition: float) -> Spectra:
    """Runs all three forms on a 16 x 16 matrix with the given ratio of its largest singular value to its smallest.

    Raises ValueError for steps outside 0 to 24 or a condition below 1.
    """
    if not 0 <= steps <= STEPS or condition < 1:
        raise ValueError(f"steps {steps}, condition {condition}: steps are 0 to {STEPS}, a condition is 1 or more")
    before, found = _spectra(condition)
    return Spectra(before, {name: values[steps] for name, values in found.items()},
                   {name: np.abs(values - 1).max(1) for name, values in found.items()}, steps)


def chart(found: Spectra) -> Chart:
    """The spectra after the chosen number of steps, and how far each form is from orthogonal by steps."""
    order, steps = np.arange(1, SIZE + 1), np.arange(STEPS + 1)
    now = tuple(
        Line("", steps[[found.steps]], values[[found.steps]], LOOKS[name], "points", size=13) for name, values in found.off.items()
    )
    return (
        Plot(
            f"Singular values after {found.steps} steps", "number of the singular value, largest first", "singular value",
            (Line("before", order, found.before, REFERENCE, "both"),
             *(Line(name, order, values, LOOKS[name], "both") for name, values in found.after.items())),
            y_range=(-0.05, 1.35), references={1.0: "orthogonal"},
        ),
        Plot(
            "Farthest from 1; large marks: now", "steps", "distance of the worst one",
            (*(Line(name, steps, values, LOOKS[name], "both") for name, values in found.off.items()), *now),
            y_range=(-0.02, 1.05),
        ),
    )


def newton_schulz_spectra() -> Explorer[Spectra]:
    """The explorer: singular values step by step, with sliders for steps and condition."""
    return Explorer(
        compute,
        {
            "steps": player("Steps", 5, STEPS),
            "condition": stops("Condition (largest / smallest)", 30.0, (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)),
        },
        chart,
        alt="Sixteen singular values from 0.6 down to 0.02. After five steps the quintic has all of them between 0.68 and "
        "1.14; the cubic has the large ones at 1 and the smallest still near 0.15; the printed form lies below the cubic. "
        "By 24 steps the cubic is exact, the quintic stays 0.3 off, and so does the printed form.",
        try_this="Set Steps to 0 and press play. Which form is first near 1, which one ends at 1, and which one never does? Then "
        "raise the condition.",
        name="newton_schulz_spectra",
    )
