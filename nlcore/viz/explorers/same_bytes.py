"""The same bytes for all: pairs that a matrix recalls, by each rule at its own best rate, and attention over a window."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.controls import stops
from nlcore.viz.family import BANDWIDTH, LOOKS, SETTINGS, WINDOW, attend, pairs, states, window

WIDTHS = (8, 16, 32)
LOADS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 3.0, 4.0)
"""Pairs written, by the width."""
ETAS = (0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.4)
STREAMS = 8
MEASURES = NEAREST, EXACT = "its value is the nearest", "within a tenth of it"
RULES = ("sum", "delta", "Oja", "Omega")
"""Nothing is to be forgotten here, so that the best retention is 1, where decay is the sum and gated is delta."""


@dataclass(frozen=True)
class Recalled:
    """How many pairs are recalled, by how many were written; all states have the bytes of one matrix."""

    width: int
    written: np.ndarray
    """(loads,) pairs."""
    pairs: dict[str, dict[str, np.ndarray]]
    """Measure -> rule -> (loads,) pairs recalled, mean over `STREAMS`, each at the rate with the highest mean."""
    spread: dict[str, dict[str, np.ndarray]]
    """The same for half of a 95% interval of that mean."""
    eta: dict[str, dict[str, np.ndarray]]
    """The same for that rate; the smallest, where several are best."""


@cache
def counts(width: int, rule: str) -> np.ndarray:
    """(measures, loads, etas, STREAMS) pairs recalled by a rule of `RULES` or by the window; in the order of `MEASURES`."""
    written = [round(load * width) for load in LOADS]
    k, v = pairs(written[-1], STREAMS, width)
    found = []
    for t, read in enumerate(_answers(rule, k, v, width)):
        if t in written:
            found.append(_recalled(read(k[:t].transpose(0, 1)), v[:t].transpose(0, 1)))
    return np.stack(found, 1)


def compute(width: int) -> Recalled:
    """Random pairs of length-one vectors, counted by both of `MEASURES`; looked up once it has been computed.

    Raises ValueError for a width that is not there.
    """
    if width not in WIDTHS:
        raise ValueError(f"the width is {width}: take one of {', '.join(map(str, WIDTHS))}")
    recalled, spread, eta = ({measure: {} for measure in MEASURES} for _ in range(3))
    for rule in (*RULES, WINDOW):
        for measure, found in zip(MEASURES, counts(width, rule)):
            best = found.mean(-1).argmax(-1)
            chosen = found[np.arange(len(LOADS)), best]
            recalled[measure][rule], eta[measure][rule] = chosen.mean(-1), np.array(ETAS)[best]
            spread[measure][rule] = 2.365 * chosen.std(-1, ddof=1) / STREAMS**0.5  # Student's t, 8 streams
    return Recalled(width, np.array([round(load * width) for load in LOADS]), recalled, spread, eta)


def chart(found: Recalled) -> Chart:
    """Pairs recalled, by both measures."""
    kept, plots = window(found.width), []
    ends = np.stack([
        mean + side * found.spread[measure][rule]
        for measure in MEASURES for rule, mean in found.pairs[measure].items() for side in (-1, 1)
    ])  # fmt: skip
    room = 0.03 * ends.max()
    for measure in MEASURES:
        lines = [
            Line(rule, found.written, y, LOOKS[rule], style="both", band=(y - bound, y + bound))
            for (rule, y), bound in zip(found.pairs[measure].items(), found.spread[measure].values())
        ]
        plots.append(
            Plot(
                f"Recalled: {measure}", "pairs written", "pairs recalled", tuple(lines), x_range=(0, 4.15 * found.width),
                y_range=(ends.min() - room, ends.max() + room), references={kept: f"{kept} pairs: the bytes of the matrix"},
            )
        )  # fmt: skip
    return tuple(plots)


def same_bytes() -> Explorer[Recalled]:
    """The explorer: the width."""
    return Explorer(
        compute,
        {"width": stops("Width (numbers per key)", 16, WIDTHS)},
        chart,
        alt="Pairs recalled against pairs written, for four rules that write a matrix of 256 numbers, and for attention over the "
        "last eight pairs, which are as many numbers. Left, a pair counts if its value is the nearest of all: the window stays at "
        "eight, and all four matrices rise together to about twenty. Right, the answer must be within a tenth of the value: the "
        "window keeps eight, the matrices one or two or none.",
        try_this="Double the width, and compare what happens on the left to the window and to the matrices. Does any of the rules "
        "stand out from the others?",
        name="same_bytes",
    )


def _answers(rule: str, k: Tensor, v: Tensor, width: int) -> Iterator[Callable[[Tensor], Tensor]]:
    """After each number of pairs, from 0, a function from queries (S, T, d) to answers (etas, S, T, d)."""
    if rule == WINDOW:
        keys, values = k.transpose(0, 1), v.transpose(0, 1)
        for t in range(len(k) + 1):
            part = slice(max(0, t - window(width)), t)
            yield lambda q, part=part: attend(q, keys[:, part], values[:, part], BANDWIDTH).expand(len(ETAS), *q.shape)
        return
    batch = (len(k), len(ETAS), STREAMS, width)
    eta = torch.tensor(ETAS)[:, None].expand(-1, STREAMS)
    for matrix in states(SETTINGS[rule], k[:, None].expand(batch), v[:, None].expand(batch), eta):
        yield lambda q, matrix=matrix: q @ matrix.mT


def _recalled(answers: Tensor, v: Tensor) -> np.ndarray:
    """(2, etas, S): how many of the answers (etas, S, T, d) are nearest to their own value of (S, T, d), and near it."""
    alike = answers @ v.mT  # values have length one, so the nearest is the one most alike
    nearest = alike.argmax(-1) == torch.arange(v.shape[1])
    near = (answers - v).norm(dim=-1) < 0.1
    return torch.stack([nearest.sum(-1), near.sum(-1)]).double().numpy()
