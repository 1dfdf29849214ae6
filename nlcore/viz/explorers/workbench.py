"""The workbench: a nested system made of memories, fed a stream, watched by its level score, shared as a snippet."""

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Literal

import numpy as np

from nlcore.levels import Component, Kind, NestedSystem, Transfer
from nlcore.viz.chart import Chart, Explorer, Heat, Line, Plot
from nlcore.viz.controls import choice, slider, stops
from nlcore.viz.theme import REFERENCE, Look

Gets = Literal["nothing", "answer", "context", "start"]
GETS: dict[Gets, Kind | None] = {
    "nothing": None, "answer": "parametric", "context": "generation", "start": "initialisation",
}  # fmt: skip
"""What a block gets of the next slower one -> the way of section 3.3 that it is."""
WORDS: dict[str, Gets] = {
    "nothing: it is alone": "nothing",
    "its answer: the mean of both counts": "answer",
    "its context: what the slow one gets wrong": "context",
    "its start: the state of the slow one": "start",
}
NEVER = 0
STREAMS = ("two towns in turn", "facts that stay", "facts that change")
DRAWS, TOKENS, TURN, NAMES, WIDTH = 16, 144, 24, 8, 8
RECENT = 8
"""Tokens that a point of the recall curve is the mean of."""
RULES = {
    "sum": lambda M, k, v: v[..., :, None] * k[..., None, :],
    "delta": lambda M, k, v: (v - _read(M, k))[..., :, None] * k[..., None, :],
}
"""What a write at rate 1 adds to the matrix (..., d, d), for a key and a value (..., d)."""


@dataclass(frozen=True)
class Block:
    """One memory of a nest. Raises ValueError, in one sentence, for a choice that there is not."""

    name: str
    rule: str = "delta"
    """One of `RULES`, which is to say an objective and how to descend on it."""
    period: int = 1
    """Tokens between two updates; at each it writes in turn the tokens that have waited. `NEVER`: none."""
    alpha: float = 1.0
    """How much an update keeps of what was there."""
    gets: Gets = "nothing"
    """What it gets of the next slower block."""

    def __post_init__(self) -> None:
        if self.rule not in RULES or self.gets not in GETS:
            known = f"take one of {', '.join(RULES)}, and of {', '.join(GETS)}"
            raise ValueError(f"{self.name} has the rule {self.rule!r} and gets {self.gets!r}: {known}")
        if not isinstance(self.period, int) or self.period < 0 or not 0 <= self.alpha <= 1:
            given = f"{self.name} has the period {self.period!r} and alpha {self.alpha!r}"
            raise ValueError(f"{given}: give a whole number of tokens, and 0 to 1")

    def due(self, t: int) -> bool:
        """Whether it is updated at token `t`, counted from 1."""
        return self.period != NEVER and t % self.period == 0


@dataclass(frozen=True)
class Run:
    """What a nest did with a stream, means over its draws."""

    recall: np.ndarray
    """(T,) cosine of the answer to a token's key and its value, before the token is written; 0 for no answer."""
    change: np.ndarray
    """(blocks, T) norm of what changed at a token over the norm of what was there after it; NaN where nothing did."""


@dataclass(frozen=True)
class Nest:
    """Memories, fastest first, each of which may get something of the next slower one.

    A start, here, is handed over: each time the slower block is updated, the faster begins again from its state.

    Raises ValueError for blocks that are not fastest first, or a slowest one that gets something.
    """

    blocks: tuple[Block, ...]

    def __post_init__(self) -> None:
        periods = [block.period or np.inf for block in self.blocks]
        if not periods or periods != sorted(periods):
            given = [block.period for block in self.blocks]
            raise ValueError(f"the periods are {given}: give at least one block, the fastest first")
        if self.blocks[-1].gets != "nothing":
            last = self.blocks[-1]
            raise ValueError(f"{last.name} is the slowest, and there is nobody to get its {last.gets} of")

    @property
    def system(self) -> NestedSystem:
        """As data, frequencies in updates per token."""
        rates = [Fraction(1, block.period) if block.period else 0 for block in self.blocks]
        parts = (Component(b.name, rate, rule=b.rule, context="tokens") for b, rate in zip(self.blocks, rates))
        pairs = zip(self.blocks[1:], self.blocks)
        handed = (Transfer(slow.name, fast.name, kind) for slow, fast in pairs if (kind := GETS[fast.gets]))
        return NestedSystem(tuple(parts), (), tuple(handed))

    def run(self, keys: np.ndarray, values: np.ndarray) -> Run:
        """Reads a stream, (draws, T, d) each: answers each token's key, then writes. All begins at zero."""
        draws, tokens, width = keys.shape
        memories = [np.zeros((draws, width, width)) for _ in self.blocks]
        answers, held = np.zeros_like(values), np.zeros((len(self.blocks), tokens + 1, draws, width, width))
        for t in range(tokens):
            answers[:, t] = self.answer(memories, keys[:, t])
            due = [block.due(t + 1) for block in self.blocks]
            for i, block in enumerate(self.blocks):  # the fastest first
                if due[i]:
                    waited = slice(t + 1 - block.period, t + 1)
                    memories[i] = self._update(i, memories, keys[:, waited], values[:, waited])
            for i in reversed(range(len(self.blocks) - 1)):
                if self.blocks[i].gets == "start" and due[i + 1]:
                    memories[i] = memories[i + 1]
            held[:, t + 1] = memories
        changed, norm = _norm(np.diff(held, axis=1)).mean(-1), _norm(held[:, 1:]).mean(-1)
        recall = _cosine(answers, values).mean(0)
        return Run(recall, np.divide(changed, norm, out=np.full_like(norm, np.nan), where=changed > 0))

    def answer(self, memories: list[np.ndarray], k: np.ndarray, at: int = 0) -> np.ndarray:
        """What the block `at` says to keys (draws, d), with what it gets of slower ones."""
        own, gets = _read(memories[at], k), self.blocks[at].gets
        if gets not in ("answer", "context"):
            return own
        slower = self.answer(memories, k, at + 1)
        return (own + slower) / 2 if gets == "answer" else own + slower

    def _update(self, i: int, memories: list[np.ndarray], k: np.ndarray, v: np.ndarray) -> np.ndarray:
        """Block i after it has written these tokens, (draws, period, d), in turn."""
        block, new = self.blocks[i], memories[i]
        for s in range(k.shape[1]):
            known = self.answer(memories, k[:, s], i + 1) if block.gets == "context" else 0.0
            new = (block.alpha if s == 0 else 1.0) * new + RULES[block.rule](new, k[:, s], v[:, s] - known)
        return new


@lru_cache
def stream(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Keys and values, (DRAWS, TOKENS, WIDTH) each, of statements who is where: random vectors of length one.

    Two towns in turn: half of the names, then the other half, `TURN` tokens each. Facts that change: all move every
    `TURN` tokens. Raises ValueError for a stream that there is not.
    """
    if name not in STREAMS:
        raise ValueError(f"there is no stream {name!r}: take one of {', '.join(STREAMS)}")
    draw, turn = np.random.default_rng(0), np.arange(TOKENS) // TURN
    who = draw.integers(0, NAMES // 2 if name == STREAMS[0] else NAMES, (DRAWS, TOKENS))
    if name == STREAMS[0]:
        who = who + NAMES // 2 * (turn % 2)
    drawn = draw.standard_normal((2, DRAWS, TOKENS // TURN, NAMES, WIDTH))
    keys, values = drawn / np.linalg.norm(drawn, axis=-1, keepdims=True)
    row, moved = np.arange(DRAWS)[:, None], turn if name == STREAMS[2] else 0 * turn
    return keys[row, 0, who], values[row, moved, who]


def _read(M: np.ndarray, k: np.ndarray) -> np.ndarray:
    return (M @ k[..., None])[..., 0]


def _norm(M: np.ndarray) -> np.ndarray:
    return np.linalg.norm(M, axis=(-1, -2))


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(-1) / np.maximum(np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1), 1e-12)


@dataclass(frozen=True)
class Found:
    """A nest on the bench, and its fast block alone, on one stream."""

    nest: Nest
    run: Run
    alone: Run


def compute(
    stream_of: str, fast_rule: str, fast_period: int, alpha: float, slow_rule: str, slow_period: int, gets: str
) -> Found:
    """Composes two blocks, and lets them read.

    Raises ValueError where `Block`, `Nest` and `stream` do, and for what is none of `WORDS`.
    """
    if gets not in WORDS:
        raise ValueError(f"the fast one gets {gets!r}: take one of {', '.join(WORDS)}")
    fast = Block("fast", fast_rule, fast_period, alpha, WORDS[gets])
    nest = Nest((fast, Block("slow", slow_rule, slow_period)))
    alone = Nest((Block("fast", fast_rule, fast_period, alpha),))
    return Found(nest, _ran(nest, stream_of), _ran(alone, stream_of))


@lru_cache(64)
def _ran(nest: Nest, name: str) -> Run:
    """The nest's run on a stream, remembered, since the fast block alone is asked for again and again."""
    return nest.run(*stream(name))


def snippet(bench: Explorer[Found]) -> str:
    """Python that rebuilds what stands on the bench now, and lets it read the same stream."""
    at = bench.values(bench.view.asked["at"])
    blocks = [f"    {block!r}," for block in compute(**at).nest.blocks]
    return "\n".join((
        "from nlcore.viz.explorers.workbench import Block, Nest, stream", "", "nest = Nest((", *blocks, "))",
        f"run = nest.run(*stream({at['stream_of']!r}))", 'print(f"mean recall {run.recall.mean():.3f}")',
    ))  # fmt: skip


def chart(found: Found) -> Chart:
    """The level score, and recall of each token before it is written, beside that of the fast block alone."""
    tokens, window = np.arange(1, TOKENS + 1), np.ones(RECENT) / RECENT
    curves = [np.convolve(run.recall, window, "valid") for run in (found.run, found.alone)]
    means = [run.recall.mean() for run in (found.run, found.alone)]
    title = f"Recall {means[0]:.2f} on average; the fast one alone {means[1]:.2f}".replace("-", "−")
    places = {"x": tokens.astype(float), "y": np.array([1.0, 0.0])}
    score = Heat(found.run.change, "update ÷ norm", **places, range=(0, 1))
    lines = (
        Line("fast alone", tokens[RECENT - 1 :], curves[1], REFERENCE),
        Line("the nest", tokens[RECENT - 1 :], curves[0], Look("#000000", "solid", "o"), strong=True),
    )
    return (
        Plot("Level score: bright where an update was large", "tokens read", "", heat=score,
             x_range=(0.5, TOKENS + 0.5), y_ticks={1.0: "fast", 0.0: "slow"}),
        Plot(title, "tokens read", f"cosine, mean of {RECENT} tokens", lines, x_range=(0, TOKENS + 1),
             y_range=(-0.3, 1.05), references={0.0: "0: knows nothing"}),
    )  # fmt: skip


def workbench() -> Explorer[Found]:
    """The explorer: a fast block and a slow one, what the fast one gets, and the stream."""
    slow = [("every 12 tokens", 12), ("every 24 tokens", 24), ("every 48 tokens", 48), ("never", NEVER)]
    return Explorer(
        compute,
        {
            "stream_of": choice("Stream", STREAMS[0], STREAMS),
            "fast_rule": choice("Fast: rule", "delta", list(RULES)),
            "fast_period": stops("Fast: tokens per update", 1, (1, 2, 4)),
            "alpha": slider("Fast: retention α", 0.8, 0.5, 1.0, 0.05),
            "slow_rule": choice("Slow: rule", "delta", list(RULES)),
            "slow_period": stops("Slow: updates", 24, slow),
            "gets": choice("The fast one gets", "its context: what the slow one gets wrong", list(WORDS)),
        },
        chart,
        alt="Left, a level score of two rows: the fast block changes at every token, the slow one at every 24th. "
        "Right, recall of each statement before it is written: alone, the fast block falls at each change of town and climbs "
        "again; with what the slow block knows each fall ends higher than the one before.",
        try_this="Which of the four ways serves two towns best? Then let the facts change: who is a hindrance now, and "
        "what helps against it? Last, keep everything, α = 1: is the slow one still of use?",
        name="workbench",
    )
