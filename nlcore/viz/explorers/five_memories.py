"""Five memories read a sentence: how much each of them changes at every byte, in a trained Hope."""

from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
import torch
from torch import nn

from nlcore.layers import SelfModifyingTitans
from nlcore.train import load
from nlcore.train.evaluate import written
from nlcore.viz.chart import Chart, Explorer, Heat, Plot
from nlcore.viz.controls import choice, text
from nlcore.viz.prompt import shown

MODEL = "tiny-hope"
MEMORIES = ("memory", "k", "v", "eta", "alpha")
BLOCKS = {"first": "block-0", "second": "block-1"}
LONGEST = 64
"""Bytes of a sentence: with more, letters would not stand apart."""
SENTENCES = ("Bo is in Oslo. Bo is in Oslo.", "aaaaaaaaaaaaaaaaaaaaaaab", "def f(x): return x + 1", "qz#7 the the the the")


@dataclass(frozen=True)
class Written:
    """What a block's memories did with a sentence of T bytes."""

    letters: tuple[str, ...]
    change: np.ndarray
    """(memories, T) Frobenius norm of what each byte changed of a memory's weights, mean over heads."""


@cache
def reader() -> nn.Module:
    """The trained model, which writes all its memories at every byte."""
    model, _ = load(MODEL)
    for layer in model.modules():
        if isinstance(layer, SelfModifyingTitans):
            layer.chunks = (1, 1)
    return model


@lru_cache(64)
def compute(sentence: str, block: str) -> Written:
    """Lets the model read the sentence, in UTF-8. `block`: one of BLOCKS.

    Raises ValueError for a sentence of no byte, or of more than LONGEST.
    """
    tokens = sentence.encode()
    if not 0 < len(tokens) <= LONGEST:
        raise ValueError(f"the sentence has {len(tokens)} bytes: type 1 to {LONGEST}")
    report = written(reader(), torch.tensor([list(tokens)]))[BLOCKS[block]]
    change = np.stack([report[f"update/{name}"].numpy() for name in MEMORIES])
    return Written(tuple(shown(bytes([token])) for token in tokens), change)


def chart(found: Written) -> Chart:
    """A row for each memory, in shades of the row's own largest change."""
    most, letter = found.change.max(1), found.letters[found.change[0].argmax()]
    rows, columns = dict(enumerate(MEMORIES)), dict(enumerate(found.letters))
    heat = Heat(found.change / np.maximum(most, 1e-12)[:, None], range=(0.0, 1.0))
    ticks = {row: f"{name}, up to {most[row]:.2g}" for row, name in rows.items()}
    return (Plot(f"Bright is a row's largest change; the main memory's is {most[0]:.2g}, at “{letter}”", "byte", "", heat=heat, x_ticks=columns, y_ticks=ticks),)


def five_memories() -> Explorer[Written]:
    """The explorer: the sentence, and which block reads it."""
    return Explorer(
        compute,
        {
            "sentence": text(f"Sentence (at most {LONGEST} bytes; Enter reads it)", SENTENCES[0], SENTENCES[1:]),
            "block": choice("Block", "first", list(BLOCKS)),
        },
        chart,
        alt="A row for each of the memories memory, k, v, eta and alpha, a column for each byte of a sentence that says twice that Bo is "
        "in Oslo. The main memory's row is bright in the first half and darker in the second; its largest change is several times the others'.",
        try_this="Type a sentence of your own. Which bytes change the main memory most? Say the same thing twice, and compare the halves; "
        "then write a letter twenty times and another after it: what does each memory make of the change?",
        name="five_memories",
    )
