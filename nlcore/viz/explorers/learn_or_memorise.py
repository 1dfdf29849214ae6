"""Learning against memorising: error on the pairs stored and on unseen keys of the same hidden rule."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.controls import slider, stops
from nlcore.viz.theme import GREYS, Look

STREAMS = 32
STRENGTHS = np.logspace(-4, 4, 41)
STEPS = np.unique(np.logspace(0, 4, 41).round().astype(int))
LOOKS = {"pairs stored": Look(GREYS[1], "solid", "o"), "unseen keys": Look("#000000", "dashed", "s")}
"""In ink: colours belong to rules."""


@dataclass(frozen=True)
class Errors:
    """Squared errors, mean over tokens and streams, in units of the values' own size without noise."""

    stored: np.ndarray
    """On the noisy pairs that were stored: along `STRENGTHS` or `STEPS`."""
    unseen: np.ndarray
    """On fresh keys, against the hidden map without noise."""

    @property
    def best(self) -> int:
        """Where the error on unseen keys is least."""
        return int(self.unseen.argmin())


@dataclass(frozen=True)
class LearnOrMemorise:
    """The same pairs, learnt in two ways."""

    ridge: Errors
    descent: Errors
    silence: float
    """What it costs to say nothing on the pairs stored, whose values carry the noise; on unseen keys it costs 1."""


@cache
def _draw(pairs: int, width: int) -> tuple[np.ndarray, ...]:
    """Hidden maps and noise as the keys' singular vectors see them, and the singular values.

    With K = U S V^T, a memory that keeps a share f of each direction is W = A V f V^T + E^T U (f / S) V^T,
    for the hidden map A and the values' noise E. So all strengths and steps share one decomposition.
    """
    draw = np.random.default_rng(pairs)
    keys = draw.normal(size=(STREAMS, pairs, width)) / width**0.5
    hidden = draw.normal(size=(STREAMS, width, width)) / width**0.5
    noise = draw.normal(size=(STREAMS, pairs, width)) / width**0.5
    u, s, vt = np.linalg.svd(keys, full_matrices=False)
    signal = (np.swapaxes(hidden @ np.swapaxes(vt, 1, 2), 1, 2) ** 2).sum(-1)  # (STREAMS, r) of each direction
    cross = (np.swapaxes(hidden @ np.swapaxes(vt, 1, 2), 1, 2) * (np.swapaxes(u, 1, 2) @ noise)).sum(-1)
    heard = ((np.swapaxes(u, 1, 2) @ noise) ** 2).sum(-1)
    return s, signal, cross, heard, (hidden**2).sum((1, 2)), (noise**2).sum((1, 2))


def _errors(kept: np.ndarray, pairs: int, width: int, noise: float) -> Errors:
    """Errors of memories that keep the shares `kept`, (settings, STREAMS, r), of each direction of the keys."""
    s, signal, cross, heard, whole, loud = _draw(pairs, width)
    missed = 1 - kept
    outside = (whole - signal.sum(-1))[None]  # directions that no stored key has
    deaf = noise**2 * (loud - heard.sum(-1))[None]  # noise that no linear memory can store
    stored = missed**2 * (s**2 * signal + 2 * noise * s * cross + noise**2 * heard)
    unseen = missed**2 * signal - 2 * noise * missed * kept / s * cross + (noise * kept / s) ** 2 * heard
    return Errors(
        (stored.sum(-1) + deaf).mean(-1) / pairs,
        (unseen.sum(-1) + outside).mean(-1) / width,
    )


def compute(pairs: int, noise: float, width: int) -> LearnOrMemorise:
    """Stores pairs `v = A k + noise` of a hidden matrix A in a linear memory of `width` x `width`.

    Keys have length about one and so have the values; `noise` is that of the noise. Two ways to
    learn: ridge of each strength, and gradient descent on the L2 objective over all pairs from a
    memory at zero, by the number of steps (each of size 1 / the largest squared singular value).
    Raises ValueError for fewer than one pair or width, or a negative noise.
    """
    if pairs < 1 or width < 1 or noise < 0:
        raise ValueError(f"{pairs} pairs, width {width}, noise {noise}: give 1 or more pairs and width, noise from 0")
    square = _draw(pairs, width)[0] ** 2
    ridge = square / (square + STRENGTHS[:, None, None])
    left = 1 - square / square[:, :1]
    descent = 1 - left ** STEPS[:, None, None]
    return LearnOrMemorise(*(_errors(kept, pairs, width, noise) for kept in (ridge, descent)), 1 + noise**2)


def chart(found: LearnOrMemorise) -> Chart:
    """The two errors by ridge strength, and by number of inner steps."""

    silence = {1.0: "silence, unseen keys", found.silence: "silence, pairs stored"}
    if found.silence < 1.1:  # the two words would lie on each other
        silence = {1.0: "silence"}

    def plot(errors: Errors, x: np.ndarray, title: str, label: str) -> Plot:
        best = errors.best
        lines = (Line(name, x, y, LOOKS[name]) for name, y in zip(LOOKS, (errors.stored, errors.unseen)))
        mark = Line("", x[[best]], errors.unseen[[best]], LOOKS["unseen keys"], "points", size=12)
        return Plot(
            f"{title}, error {errors.unseen[best]:.2f}", label, "squared error", (*lines, mark), x_log=True,
            x_range=(x[0] / 1.4, x[-1] * 1.4), y_range=(0, 2), references=silence,
        )

    weak, few = found.ridge.best, found.descent.best
    edges = {0: "as weak as possible", len(STRENGTHS) - 1: "as strong as possible"}
    ridge = f"Ridge: best {edges.get(weak, f'at λ = {STRENGTHS[weak]:.2g}')}"
    edges = {0: "after one step", len(STEPS) - 1: "after as many steps as you like"}
    descent = f"Descent: best {edges.get(few, f'after {STEPS[few]} steps')}"
    return (
        plot(found.ridge, STRENGTHS, ridge, "ridge strength λ"),
        plot(found.descent, STEPS, descent, "inner steps"),
    )


def learn_or_memorise() -> Explorer[LearnOrMemorise]:
    """The explorer: errors on stored and unseen keys, by ridge strength and by inner steps."""
    return Explorer(
        compute,
        {
            "pairs": stops("Pairs stored", 32, (4, 8, 16, 24, 32, 40, 48, 64, 128)),
            "noise": slider("Noise (share of a value's length)", 0.5, 0.0, 1.5, 0.05),
            "width": stops("Width (numbers in a key)", 32, (8, 16, 32, 64)),
        },
        chart,
        alt="Two plots for 32 noisy pairs at width 32. Without ridge, and after many steps, the error on the pairs "
        "stored falls to zero while that on unseen keys rises far above 1; in between it has its minimum.",
        try_this="Take the noise away, then give it back. Then store 128 pairs: how much ridge is best now?",
        name="learn_or_memorise",
    )
