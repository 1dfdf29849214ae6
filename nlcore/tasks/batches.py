"""Windows of a token stream: shuffled without end for training, in order and once for validation."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from nlcore.tasks.corpus import DataError

Batch = tuple[Tensor, Tensor]


class Batches:
    """Batches of shuffled windows that do not overlap within an epoch; the next epoch's lie at a new offset.

    tokens: (N,), any integer type, on the CPU; kept as it is. Batches are (inputs, targets), each
    (batch, context) int64; targets are inputs moved on by one. Seed, epoch and position fix what
    follows, so `state_dict` resumes exactly, for the same tokens and sizes.

    Raises:
        DataError: if the tokens do not fill one window.
    """

    def __init__(self, tokens: np.ndarray | Tensor, batch: int, context: int, seed: int = 0) -> None:
        self.tokens, self.batch, self.context = np.asarray(tokens), batch, context
        _check("training", self.tokens, context)
        self.load_state_dict({"seed": seed, "epoch": 0, "position": 0})

    def __iter__(self) -> Iterator[Batch]:
        while True:
            yield self.next()

    def next(self) -> Batch:
        """The next batch. A short text passes several epochs in one."""
        return _windows(self.tokens, [self._start() for _ in range(self.batch)], self.context)

    def state_dict(self) -> dict[str, int]:
        return {"seed": self.seed, "epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Goes to where the state was taken."""
        self.seed, self.position = state["seed"], state["position"]
        self._shuffle(state["epoch"])

    def _start(self) -> int:
        if self.position == len(self.starts):
            self._shuffle(self.epoch + 1)
            self.position = 0
        self.position += 1
        return int(self.starts[self.position - 1])

    def _shuffle(self, epoch: int) -> None:
        self.epoch = epoch
        draw = np.random.default_rng([self.seed, epoch])
        last = len(self.tokens) - 1 - self.context  # where the last window starts
        first = draw.integers(min(self.context, last + 1))
        self.starts = draw.permutation(np.arange(first, last + 1, self.context))


def sequential(tokens: np.ndarray | Tensor, batch: int, context: int, windows: int | None = None) -> Iterator[Batch]:
    """All of the tokens in order: every token but the first is a target exactly once.

    Yields (inputs, targets), each (up to batch, context) int64, and last the shorter rest as (1, rest).
    With fewer `windows` than there are, only so many, spread evenly over the text: a quick estimate.

    Raises:
        DataError: if the tokens do not fill one window.
    """
    tokens = np.asarray(tokens)
    _check("validation", tokens, context)
    starts = np.arange(0, len(tokens) - context, context)
    rest = (len(tokens) - 1) % context
    if windows is not None and windows < len(starts):
        starts, rest = starts[np.arange(windows) * len(starts) // windows], 0
    for at in range(0, len(starts), batch):
        yield _windows(tokens, starts[at : at + batch], context)
    if rest:
        yield _windows(tokens, [len(tokens) - 1 - rest], rest)


def _windows(tokens: np.ndarray, starts: list[int] | np.ndarray, length: int) -> Batch:
    window = np.stack([tokens[start : start + length + 1] for start in starts]).astype(np.int64)
    both = torch.from_numpy(window)
    return both[:, :-1], both[:, 1:]


def _check(text: str, tokens: np.ndarray, context: int) -> None:
    if len(tokens) < context + 1:
        shorter = f", or a context of at most {len(tokens) - 1}" if len(tokens) > 2 else ""
        raise DataError(
            f"The {text} text has {len(tokens)} tokens, and one window needs {context + 1}: give more text{shorter}."
        )
