"""Frozen values: backpropagation beside linear attention on gradients, which never asks the memory again."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import torch

from nlcore.memory import Rates
from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.chart.words import short
from nlcore.viz.controls import stops
from nlcore.viz.spiral import POINTS, network, spiral
from nlcore.viz.theme import COLOURS, Look, level_looks

STEPS = 192
NEVER = STEPS
ETAS = (0.01, 0.02, 0.05, 0.1, 0.2)
REFRESH = (1, 2, 4, 8, 16, 32, 64, NEVER)
LOSSES, DISTANCES = (0.03, 30.0), (0.001, 30.0)
LOST = 1e4
"""Beyond this a trajectory is not drawn any more."""
LOOKS = {"live": Look(level_looks(["weights"])["weights"].colour, "solid", "o"), "frozen": Look(COLOURS[1], "dashed", "s")}
"""What backpropagation does has the colour that the weights, into which it writes, have on the map."""


@dataclass(frozen=True)
class Trajectories:
    """Two trainings on the same stream, (STEPS + 1,) each; NaN once one has left the picture."""

    refresh: int
    live: np.ndarray
    """Mean loss over all points, the values made anew for each write: backpropagation."""
    frozen: np.ndarray
    """The same, the values of `refresh` writes made by one state."""
    distance: np.ndarray
    """Norm of the difference of their weights, over all layers."""


@cache
def _table() -> tuple[np.ndarray, np.ndarray]:
    """Loss and distance from backpropagation, each (STEPS + 1, ETAS, REFRESH): one run of all settings.

    Each write stores one point, keys and surprises of all layers taken at the state of the last
    refresh. With a refresh before every write that is backpropagation.
    """
    x, v = spiral()
    memory, state = network((len(ETAS), len(REFRESH)))
    eta = torch.tensor(ETAS, dtype=x.dtype)[:, None].expand(-1, len(REFRESH))
    rates = Rates(eta, torch.ones_like(eta))
    every = torch.tensor(REFRESH)[:, None, None]
    draw = torch.Generator().manual_seed(0)
    order = torch.cat([torch.randperm(POINTS, generator=draw) for _ in range(STEPS // POINTS)]).tolist()
    asked, losses, distances = state, [], []
    for t in range(STEPS + 1):
        apart = sum((w - w[:, :1]).square().sum((-1, -2)) for w in state.memory)
        distances.append(apart.sqrt())
        answers = memory.architecture.read(state.memory, x.expand(*eta.shape, -1, -1))
        losses.append(memory.objective.loss(answers, v).mean(-1))
        if t == STEPS:
            break
        fresh = zip(state.memory, asked.memory)
        asked = state._replace(memory=tuple(torch.where(t % every == 0, now, then) for now, then in fresh))
        key, value = (part[order[t]].expand(*eta.shape, -1) for part in (x, v))
        state, _ = memory.write(state, key, value, rates, at=asked)
    return torch.stack(losses).numpy(), torch.stack(distances).numpy()


def compute(eta: float, refresh: int) -> Trajectories:
    """Both trainings at rate `eta`, of `ETAS`, the values made anew every `refresh` writes, of `REFRESH`; looked up.

    Raises ValueError for a setting that is in neither.
    """
    if eta not in ETAS or refresh not in REFRESH:
        raise ValueError(f"eta is one of {ETAS} and refresh one of {REFRESH}")
    loss, distance = (part[:, ETAS.index(eta)] for part in _table())
    column = REFRESH.index(refresh)
    return Trajectories(refresh, *(_seen(part) for part in (loss[:, 0], loss[:, column], distance[:, column])))


def chart(found: Trajectories) -> Chart:
    """Both losses, and how far apart the weights are, against writes."""
    steps = np.arange(STEPS + 1)
    name = {1: "values made anew at every write: the same", NEVER: "frozen values (linear attention)"}
    frozen = name.get(found.refresh, f"values made anew every {found.refresh} writes")
    apart = np.where(found.distance > 0, found.distance, np.nan)
    last = np.flatnonzero(np.isfinite(found.distance))[-1]
    size = short(found.distance[last])
    title = f"Distance of the weights: {size} at the end" if last == STEPS else f"Distance: {size} at write {last}, then beyond {LOST:,.0f}"
    return (
        Plot(
            "Loss over all points", "write", "loss",
            (Line("backpropagation", steps, found.live, LOOKS["live"]), Line(frozen, steps, found.frozen, LOOKS["frozen"])),
            x_range=(-4, STEPS + 4), y_range=LOSSES, y_log=True,
        ),
        Plot(
            title, "write", "norm of the difference",
            (Line(frozen, steps, apart, LOOKS["frozen"]),), x_range=(-4, STEPS + 4), y_range=DISTANCES, y_log=True,
            note="" if found.distance[last] else "0: the same weights",
        ),
    )


def frozen_values() -> Explorer[Trajectories]:
    """The explorer: both trainings, with sliders for the rate and for how often the values are made anew."""
    words = {1: "every one", NEVER: "never"}
    return Explorer(
        compute,
        {
            "eta": stops("Learning rate η", 0.05, ETAS),
            "refresh": stops(
                "Values made anew (writes)", NEVER, tuple((words.get(n, f"every {n}"), n) for n in REFRESH)
            ),
        },
        chart,
        alt="Left, the loss over 192 writes: backpropagation falls from 1.1 to below 0.1; with values that are never made "
        "anew the loss falls alike for seven writes, then rises, to 8 at the end. Right, the distance between the two sets "
        "of weights grows all the way, to 25.",
        try_this="Move “Values made anew” from never towards every one. Is rarely always better than never? Then, at "
        "never, go from rate 0.02 to 0.01: how many times closer are the weights at write 4?",
        name="frozen_values",
    )


def _seen(values: np.ndarray) -> np.ndarray:
    """The values up to the first that is beyond drawing, NaN from there on."""
    lost = np.logical_or.accumulate(~(values < LOST))
    return np.where(lost, np.nan, values)
