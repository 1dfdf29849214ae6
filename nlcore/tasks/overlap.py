"""Validation text without what the training text holds too: near-duplicates among files (versions, copies, templates).

A run of `BLOCK` bytes or more that both share is found for certain from twice that length on: wherever
such a run lies in the training text, it covers a whole one of the blocks that text is cut into.
The time is linear in both texts.
"""

from collections.abc import Iterable

import numpy as np

BLOCK = 128  # bytes, a power of two; two texts on one subject hardly share so many by chance
BASE = 0x9E3779B97F4A7C15  # odd, so that no byte of a block is lost in 64 bits


def blocks(texts: Iterable[bytes]) -> np.ndarray:
    """A number for each whole block that the texts are cut into, sorted, each once: (N,) uint64."""
    cut = [np.frombuffer(text[: len(text) // BLOCK * BLOCK], np.uint8).reshape(-1, BLOCK) for text in texts]
    return np.unique(np.concatenate([numbers(rows).ravel() for rows in cut] or [np.empty(0, np.uint64)]))


def without(text: bytes, others: np.ndarray) -> bytes:
    """The text without its lines that touch a block of the others, as `blocks` numbers them."""
    own = numbers(np.frombuffer(text, np.uint8))
    starts = np.flatnonzero(np.searchsorted(others, own, "right") > np.searchsorted(others, own))
    if not len(starts):
        return text
    depth = np.zeros(len(text) + 1, np.int64)
    depth[starts] += 1
    depth[starts + BLOCK] -= 1
    shared = np.flatnonzero(np.cumsum(depth))
    lines = text.splitlines(keepends=True)
    ends = np.cumsum([len(line) for line in lines])
    touched = set(np.searchsorted(ends, shared, side="right").tolist())
    return b"".join(line for number, line in enumerate(lines) if number not in touched)


def numbers(data: np.ndarray, width: int = BLOCK) -> np.ndarray:
    """A number for each run of `width` along the last axis, at every offset: a polynomial in BASE modulo 2^64.

    data: (..., N) of any unsigned type; width: a power of two. Made from those of half the length, which make two
    neighbours one: seven passes for 128. Gives (..., N - width + 1) uint64.
    """
    found, reach = data.astype(np.uint64), 1
    while reach < width:
        power = np.uint64(pow(BASE, reach, 1 << 64))
        found = found[..., :-reach] * power + found[..., reach:]
        reach *= 2
    return found
