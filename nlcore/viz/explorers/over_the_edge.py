"""Over the edge: a linear memory that is written in chunks, at the summed rate from which it diverges."""

from dataclasses import dataclass

import numpy as np

from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.controls import choice, slider, stops
from nlcore.viz.theme import REFERENCE, looks

WIDTH = CHUNK = 16
CHUNKS = 64
FORMS = {
    "Delta GD, all at once": 0.5,
    "Delta GD, token by token": 0.5,
    "gradient descent": 1.0,
    "dot product, Delta GD": np.inf,
}
"""What a chunk does -> the sum of rates that one key may be written with. Error and erasure at the chunk's start; the
error alone (the layer's); the error, and nothing erased; an error that no memory enters, so that nothing is stale."""
TEXTS = ("one key", "a turning key", "orthogonal keys")
SUMS = (0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0, 2.25, 2.5, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0)
CURVE = np.geomspace(SUMS[0], SUMS[-1], 49)
LOOKS = looks(("apart", "norm"))
SHOWN = (1e-6, 1e12)
LARGEST = 1e200
FLOAT32 = float(np.finfo(np.float32).max)


@dataclass(frozen=True)
class Edge:
    """A memory W over 64 chunks of 16 tokens, and what one chunk does to it at every summed rate of `CURVE`."""

    summed: float
    apart: np.ndarray
    """(CHUNKS + 1,) of two memories that began 1 apart along the text's keys: the gradient of the last with respect to the first."""
    norm: np.ndarray
    """(CHUNKS + 1,) of the memory that learns unit values, from zero."""
    growth: dict[bool, np.ndarray]
    """With the budget or without -> (len(CURVE),) what a chunk multiplies `apart` by, in the long run."""
    factor: float
    """The same at `summed`, of the memory in view."""
    edge: float
    """The sum from which on, without budget, it is above 1: between two points of `CURVE`; inf if there is none."""


def keys(text: str) -> np.ndarray:
    """Unit keys of a chunk (CHUNK, WIDTH): one, one that turns by half a circle, or as many as there are directions."""
    if text == "orthogonal keys":
        return np.eye(CHUNK, WIDTH)
    angle = np.pi * np.arange(CHUNK) / CHUNK * (text == "a turning key")
    return np.stack([np.cos(angle), np.sin(angle), *np.zeros((WIDTH - 2, CHUNK))], axis=1)


def rates(form: str, k: np.ndarray, eta: np.ndarray, budget: bool) -> np.ndarray:
    """Each token's rate, (*eta.shape, CHUNK): eta, or what `share_budget` makes of it."""
    load = np.abs(k @ k.T).sum(-1) * eta[..., None] / FORMS[form]
    return eta[..., None] / np.maximum(1, load * budget)


def learn(form: str, start: np.ndarray, k: np.ndarray, v: np.ndarray, eta: np.ndarray, alpha: float) -> np.ndarray:
    """The memory (..., d, d) after a chunk that it began at `start`; rates (..., C), retention `alpha` at the first token."""
    memory = start
    for t, (key, value) in enumerate(zip(k, v)):
        error = -value if form.startswith("dot") else start @ key - value
        erased = {"Delta GD, all at once": start @ key, "gradient descent": 0.0}.get(form, memory @ key)
        memory = (alpha if t == 0 else 1.0) * memory - eta[..., t, None, None] * (error + erased)[..., None] * key
    return memory


def compute(form: str, text: str, summed: float, alpha: float, budget: bool) -> Edge:
    """A text of one chunk that is read there and back, again and again. `summed` is eta times the chunk's 16 tokens.

    Raises ValueError for a form or a text that there is not, a sum below 0, or an alpha outside 0 to 1.
    """
    if form not in FORMS or text not in TEXTS or not (summed >= 0 and 0 <= alpha <= 1):
        raise ValueError(
            f"{form!r}, {text!r}, sum {summed}, alpha {alpha}: take one of {', '.join(FORMS)}; one of {', '.join(TEXTS)}; "
            "a sum of 0 or more, and an alpha from 0 to 1"
        )
    growth = {on: _growth(form, text, CURVE, alpha, on) for on in (False, True)}
    k = keys(text)
    along = _projector(k)
    values = np.random.default_rng(0).standard_normal((CHUNK, WIDTH))
    values /= np.linalg.norm(values, axis=-1, keepdims=True)
    shared = rates(form, k, np.array([summed / CHUNK]), budget)
    # What a chunk does is affine: `passed` is what it makes of the memory before it, `added` what it adds.
    maps = []
    for way in (slice(None), slice(None, None, -1)):
        both = np.stack([along, 0 * along])
        v = np.stack([0 * values, values], axis=1)
        maps.append(learn(form, both, k[way], v[way], shared[:, way], alpha))
    difference, memory, apart, norm = along, 0 * along, [1.0], [0.0]
    for n in range(CHUNKS):
        passed, added = maps[n % 2]
        difference, memory = (np.clip(w, -LARGEST, LARGEST) for w in (difference @ passed, memory @ passed + added))
        apart.append(np.linalg.norm(difference, 2))
        norm.append(np.linalg.norm(memory))
    factor = float(_growth(form, text, np.array([summed]), alpha, budget)[0])
    return Edge(summed, np.array(apart), np.array(norm), growth, factor, _edge(growth[False]))


def _growth(form: str, text: str, summed: np.ndarray, alpha: float, budget: bool) -> np.ndarray:
    """Per chunk and in the long run: the root of the spectral radius of there and back."""
    k = keys(text)
    eta = rates(form, k, summed / CHUNK, budget)
    start, nothing = np.broadcast_to(_projector(k), (len(summed), WIDTH, WIDTH)), np.zeros((CHUNK, WIDTH))
    there = learn(form, start, k, nothing, eta, alpha)
    back = learn(form, start, k[::-1], nothing, eta[:, ::-1], alpha)
    return np.sqrt(np.abs(np.linalg.eigvals(there @ back)).max(-1))


def _projector(k: np.ndarray) -> np.ndarray:
    """On the directions of the keys: along the others nothing is written, and nothing learnt from."""
    return np.linalg.pinv(k) @ k


def _edge(growth: np.ndarray) -> float:
    above = np.flatnonzero(growth > 1 + 1e-9)
    if not len(above):
        return np.inf
    last = above[0]
    share = (1 - growth[last - 1]) / (growth[last] - growth[last - 1])
    return float(CURVE[last - 1] + share * (CURVE[last] - CURVE[last - 1]))


def chart(found: Edge) -> Chart:
    """Distance and norm over the chunks; what a chunk multiplies the distance by, against the summed rate."""
    n = np.arange(CHUNKS + 1) * CHUNK
    edge = f"the edge is at Ση = {found.edge:.3g}" if np.isfinite(found.edge) else "no Ση in view is too large"
    end = f": too large for float32 after {CHUNK * np.log(FLOAT32) / np.log(found.factor):,.0f} tokens" if found.factor > 1 + 1e-9 else ""
    return (
        Plot(
            f"Each chunk multiplies by {found.factor:.2f}{end}", "tokens read", "size",
            (
                Line("two memories that began 1 apart (the gradient)", n, np.maximum(found.apart, 1e-30), LOOKS["apart"]),
                Line("norm of the memory", n[1:], np.maximum(found.norm[1:], 1e-30), LOOKS["norm"]),
            ),
            y_log=True, y_range=SHOWN,
        ),
        Plot(
            f"Without budget {edge}", "rates of a chunk, summed: Ση", "factor a chunk",
            (
                Line("without budget", CURVE, found.growth[False], LOOKS["apart"]),
                Line("with the budget", CURVE, found.growth[True], LOOKS["norm"]),
                Line("in view", np.array([found.summed]), np.array([found.factor]), REFERENCE, style="points", size=11.0),
            ),
            x_log=True, x_range=(CURVE[0], CURVE[-1]), x_ticks={0.1: "0.1", 0.5: "½", 1: "1", 2: "2", 4: "4", 16: "16"},
            y_range=(0, 3.0), references={1.0: "1: above it, NaN in the end"},
        ),
    )  # fmt: skip


def over_the_edge() -> Explorer[Edge]:
    """The explorer: what a chunk does, what it reads, how much it writes, what it forgets, and the guard."""
    return Explorer(
        compute,
        {
            "form": choice("Rule", "Delta GD, all at once", list(FORMS)),
            "text": choice("Text", "one key", TEXTS),
            "summed": stops("Summed rate Ση", 1.1, SUMS),
            "alpha": slider("Retention α at a chunk's first token", 1.0, 0.0, 1.0, 0.1),
            "budget": choice("Budget", False, [("off", False), ("on", True)]),
        },
        chart,
        alt="Left, 1024 tokens of one key, without a budget, by rates that sum to 1.1 a chunk: two memories that began 1 apart are "
        "117000 apart in the end, and the memory's own norm grows as fast. Right, what a chunk multiplies the distance by, against the "
        "sum of its rates: without a budget it falls from 0.8 to 0 at a half, passes 1 at 1 and rises to 31; with the budget it stays "
        "at 0 from a half on.",
        try_this="Turn the budget on. Turn it off, and take Ση back until the curves fall: that is the edge. Where is it at α = 0? "
        "Which texts, and which rules, have no edge there?",
        name="over_the_edge",
    )
