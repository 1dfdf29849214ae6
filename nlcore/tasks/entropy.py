"""What counting alone can know of a text, in bits per byte: the marks a model has to beat.

Both are of the text's own counts, so they need no training and flatter the counts: a model that
ends below `order1` has learned more than which byte follows which.
"""

from collections.abc import Iterable

import numpy as np


def order0(text: bytes) -> float:
    """Entropy H(X) of its bytes, in bits per byte; 0 for an empty text."""
    return _entropy(np.bincount(np.frombuffer(text, np.uint8), minlength=256))


def order1(pieces: Iterable[bytes]) -> float:
    """Entropy H(X_t | X_{t-1}) of a byte when the one before is known, in bits per byte; 0 without any pair.

    Pairs are counted within each piece, never across two: what is scored may be windows that do not touch.
    """
    pairs = np.zeros(256 * 256, np.int64)
    for piece in pieces:
        data = np.frombuffer(piece, np.uint8).astype(np.int64)
        pairs += np.bincount(256 * data[:-1] + data[1:], minlength=256 * 256)
    return _entropy(pairs) - _entropy(pairs.reshape(256, 256).sum(1))


def _entropy(counts: np.ndarray) -> float:
    seen = counts[counts > 0]
    shares = seen / seen.sum()
    return float(-(shares * np.log2(shares)).sum())
