"""The bandwidth of attention: an average of values, narrow or wide, and the problem whose answer it is."""

from dataclasses import dataclass

import numpy as np
import torch

from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.controls import slider, stops
from nlcore.viz.family import attend
from nlcore.viz.theme import GREYS, REFERENCE, Look

PAIRS, NOISE = 24, 0.25
BANDWIDTHS = (0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
ANGLES = np.linspace(0, 180, 181)
"""Degrees: of queries, and of the keys, which lie on half a circle."""
CANDIDATES = np.linspace(-1.6, 1.6, 161)
PAIR, ANSWER = Look(GREYS[1], "dotted", "o"), Look("#000000", "solid", "D")


@dataclass(frozen=True)
class Estimate:
    """Attention over `PAIRS` pairs, whose values are a rule and noise."""

    keys: np.ndarray
    values: np.ndarray
    """(PAIRS,) each: angles in degrees, and values."""
    weights: np.ndarray
    """(PAIRS,) of each value in the answer to the query; they add up to 1."""
    answers: np.ndarray
    """(angles,) to a query at each of `ANGLES`."""
    query: int
    """In degrees."""

    def loss(self, candidates: np.ndarray) -> np.ndarray:
        """The loss of eq. 62 of these answers to the query, (n,): their squared distances to all values, weighted."""
        return (self.weights[:, None] * (self.values[:, None] - candidates) ** 2).sum(0)

    @property
    def off(self) -> float:
        """How far the answers are from the rule, as a root mean square."""
        return float(np.sqrt(np.mean((self.answers - rule(ANGLES)) ** 2)))


def rule(angle: np.ndarray) -> np.ndarray:
    """The rule that the values follow, by the angle in degrees."""
    return np.sin(np.radians(2 * angle))


def compute(bandwidth: float, query: int) -> Estimate:
    """Attention's answers, and its weights at one query, which are those of the loss of eq. 62.

    Keys and queries have length one, so that `exp(k . q / bandwidth)` is a Gaussian of their distance, of variance
    `bandwidth`. Raises ValueError for a bandwidth that is not above 0 or a query outside 0 to 180 degrees.
    """
    if not 0 <= query <= 180:
        raise ValueError(f"the query is at {query} degrees: the keys lie from 0 to 180")
    draw = np.random.default_rng(3)
    keys = np.sort(draw.uniform(0, 180, PAIRS))
    values = rule(keys) + NOISE * draw.standard_normal(PAIRS)
    k, q, asked = (_direction(angle) for angle in (keys, ANGLES, np.array([float(query)])))
    answers = attend(q, k, torch.from_numpy(values)[:, None], bandwidth)[:, 0]
    weights = attend(asked, k, torch.eye(PAIRS, dtype=k.dtype), bandwidth)[0].numpy()
    return Estimate(keys, values, weights, answers.numpy(), query)


def chart(found: Estimate) -> Chart:
    """The answers between the pairs, each pair as large as its weight; and the loss of all candidates."""
    answer = found.answers[[found.query]]
    sizes = 4 + 12 * np.sqrt(found.weights / found.weights.max())
    here = np.array([float(found.query)])
    best = Line(f"attention's answer: {answer[0]:.2f}", answer, found.loss(answer), ANSWER, style="points", size=11.0)
    return (
        Plot(
            f"Answers: off the rule by {found.off:.2f}", "angle of key or query (degrees)", "value",
            (
                Line("pairs, as large as their weight", found.keys, found.values, PAIR, style="points", size=sizes),
                Line("attention's answer", ANGLES, found.answers, ANSWER),
                Line("the rule without noise", ANGLES, rule(ANGLES), REFERENCE),
                Line(f"the query: {answer[0]:.2f}", here, answer, ANSWER, style="points", size=11.0),
            ),
            x_range=(-4, 184), y_range=(-1.7, 1.7), width=1.3,
        ),
        Plot(
            "What eq. 62 asks at this query", "candidate answer m", "weighted squared error",
            (Line("loss of m", CANDIDATES, found.loss(CANDIDATES), ANSWER), best), x_range=(-1.7, 1.7), y_range=(-0.4, 8.5),
        ),
    )  # fmt: skip


def bandwidth() -> Explorer[Estimate]:
    """The explorer: the bandwidth, and where attention is asked."""
    return Explorer(
        compute,
        {
            "bandwidth": stops("Bandwidth τ", 0.03, BANDWIDTHS),
            "query": slider("Query (degrees)", 60, 0, 180, 2),
        },
        chart,
        alt="Left, 24 noisy values along a sine, and attention's answer, a smooth curve that follows them; the pairs near the "
        "query at 60 degrees are drawn large, as they have most of the weight. Right, the weighted squared error of each "
        "candidate answer is a parabola, and attention's answer is marked at its foot.",
        try_this="Make the bandwidth small, and then large. Which of them answers with the nearest value, and which with the "
        "mean of all? At which is the answer nearest to the rule?",
        name="bandwidth",
    )


def _direction(degrees: np.ndarray) -> torch.Tensor:
    """Vectors of length one at these angles, (n, 2)."""
    angle = np.radians(degrees)
    return torch.from_numpy(np.stack([np.cos(angle), np.sin(angle)], -1))
