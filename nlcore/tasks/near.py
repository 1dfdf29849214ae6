"""Which documents of one text stand, for the most part, in another: near-duplicates, whatever their order.

A document is known by some of its runs of `width` tokens, one in `ONE_IN`, chosen by their content alone: so what two texts
share is chosen in both (Manber, 1994). Memory holds those of the smaller text; the larger one is read once, in pieces.
"""

from collections.abc import Iterable, Iterator

import numpy as np

from nlcore.tasks import overlap

ONE_IN = 8
MIX = np.uint64(0xBF58476D1CE4E5B9)
SHIFT = np.uint64(61)  # what the top three bits of a product choose is one in eight
PIECE = 1 << 18  # tokens that are numbered at once: the numbers stay in the processor's cache
WIDTHS = {1: 64, 2: 16}
"""Tokens of a run, by the bytes that a token takes: about as many letters of English in bytes as in byte pairs."""
MOST = 0.5
"""A document whose share of runs that stand in the other text is this or more is a near-duplicate."""


def chosen(tokens: np.ndarray) -> np.ndarray:
    """The numbers of those runs of tokens (N,) that stand for them: (M,) uint64, about N / ONE_IN."""
    width = WIDTHS[tokens.itemsize]
    if len(tokens) < width:
        return np.empty(0, np.uint64)
    numbers = overlap.numbers(tokens, width)
    return numbers[(numbers * MIX) >> SHIFT == 0]


def shares(documents: Iterable[np.ndarray], pieces: Iterable[np.ndarray]) -> np.ndarray:
    """Of each document (N,) the share of its chosen runs that stand in any of the pieces; 0 for one too short to have any."""
    own = [np.unique(chosen(document)) for document in documents]
    table = np.unique(np.concatenate([*own, np.empty(0, np.uint64)]))
    met = np.zeros(len(table) + 1, bool)  # the last one is for numbers above all of the table
    for piece in pieces:
        numbers = chosen(piece)
        places = np.searchsorted(table, numbers)
        met[places[table[np.minimum(places, len(table) - 1)] == numbers] if len(table) else []] = True
    return np.array([met[np.searchsorted(table, numbers)].mean() if len(numbers) else 0.0 for numbers in own])


def pieces(tokens: np.ndarray) -> Iterator[np.ndarray]:
    """The tokens (N,) in pieces that share the runs at their borders, so that none is lost."""
    step = PIECE - WIDTHS[tokens.itemsize] + 1
    for at in range(0, len(tokens), step):
        yield np.asarray(tokens[at : at + PIECE])
