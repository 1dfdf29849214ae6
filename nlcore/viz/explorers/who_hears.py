"""Who hears whom: one token of a text is changed, and every output of a self-modifying layer is looked at."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from nlcore.layers import SelfModifyingTitans
from nlcore.layers.fitting import READS
from nlcore.viz.chart import Chart, Explorer, Heat, Line, Plot
from nlcore.viz.controls import choice, stops
from nlcore.viz.theme import GREYS, Look

T, DIM, HIDDEN = 24, 16, 8
CHUNKS = (1, 2, 4, 8, 16, 32)
FAINTEST = -6.0
"""The power of ten, of what a token does to its own output, below which nothing counts as heard."""
INK, RIVAL = Look("#000000", "solid", "o"), Look(GREYS[1], "dashed", "s")
WORDS = {"boundary": "as the chunk began", "before": "before its own write", "after": "after its own write"}
"""Of each of READS."""


@dataclass(frozen=True)
class Heard:
    """A layer of five memories, untrained, over a text of `T` tokens."""

    reads: str
    chunk: int
    change: np.ndarray
    """(T, T): output t's change when token s is changed, as a share of output s's own; powers of ten, not below FAINTEST."""

    @property
    def earlier(self) -> np.ndarray:
        """(T,) how many tokens before its own each output hears."""
        return np.tril(self.change > FAINTEST, -1).sum(1)


@lru_cache(64)
def compute(reads: str, chunk: int, ratio: int) -> Heard:
    """Changes each token in turn. The convolution is left out: it would show a token the three before it anyway.

    reads, chunk: of the main memory; the others are written every `ratio` of its chunks. Raises ValueError for what
    the layer refuses.
    """
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        layer = SelfModifyingTitans(DIM, 1, HIDDEN, (chunk, ratio * chunk), reads=reads).double()
        layer.convolution.copy_(torch.eye(4)[3].expand_as(layer.convolution))
        x = torch.randn(T, DIM, dtype=torch.float64)
        other = torch.randn(T, DIM, dtype=torch.float64)
        texts = x.expand(T, T, DIM).clone()
        texts[range(T), range(T)] = other  # text s has another token s
        moved = (layer(texts)[0] - layer(x[None])[0]).norm(dim=-1).T  # (outputs, changed token)
    share = (moved / moved.diagonal()).clamp(min=10**FAINTEST)
    return Heard(reads, chunk, share.log10().numpy())


def chart(heard: Heard) -> Chart:
    """Who hears whom, and how much of the past each output hears."""
    t = np.arange(1, T + 1)
    written = np.arange(heard.chunk, T + 1, heard.chunk)
    lines = (
        Line("all earlier tokens", t, t - 1, RIVAL),
        Line("heard", t, heard.earlier, INK, strong=True),
    )
    deaf = "nothing is written: the text is shorter than a chunk" if not len(written) else ""
    return (
        Plot(
            f"Read {WORDS[heard.reads]}", "changed token", "output of token",
            heat=Heat(heard.change, "change, power of ten of its own", x=t, y=t, range=(FAINTEST, 0.0)), y_range=(T + 0.5, 0.5),
            x_range=(0.5, T + 0.5), square=True,
        ),
        Plot(
            f"The last output hears {heard.earlier[-1]} of {T - 1}", "output of token", "earlier tokens heard", lines,
            x_range=(0, T + 1), y_range=(-1, T), note=deaf if not heard.earlier.any() else "",
        ),
    )  # fmt: skip


def who_hears() -> Explorer[Heard]:
    """The explorer: where the main memory is read, and how long chunks are."""
    return Explorer(
        compute,
        {
            "reads": choice("A token reads the memory", "boundary", [(WORDS[name], name) for name in READS]),
            "chunk": stops("Chunk of the main memory (tokens)", 8, CHUNKS),
            "ratio": stops("Chunks until the others are written", 4, (1, 2, 4)),
        },
        chart,
        alt="Left, outputs by changed tokens: a bright diagonal, and below it blocks of 8 by 8, so that outputs 9 to 16 hear "
        "tokens 1 to 8 and outputs 17 to 24 hear 1 to 16; nothing above the diagonal. Right, a staircase: 0 earlier tokens "
        "are heard in the first chunk, 8 in the second, 16 in the third, below the line of all earlier tokens.",
        try_this="Which reading closes the gap between the staircase and the dashed line? Then make the chunk longer than the "
        "text. Is anything above the diagonal ever bright?",
        name="who_hears",
    )
