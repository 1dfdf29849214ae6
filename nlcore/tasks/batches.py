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
    (batch, context) int64; targets are inputs moved on by one. Seed, epoch, position and piece fix what
    follows, so `state_dict` resumes exactly, for the same tokens and sizes.

    carry: with more than 0, spans of `carry + 1` windows are shuffled instead of windows, and a row of a
    batch goes through its span one window after the other, so that what a model remembers of one batch
    belongs to the next. Spans are cut from the joined text, as windows are, and may pass from one file
    to the next: of the built-in text's spans of 4,096 bytes 73 in 100 lie within a file, and a model
    that reads on has to notice such borders anyway.

    Raises:
        DataError: if the tokens do not fill one window, or one span.
    """

    def __init__(self, tokens: np.ndarray | Tensor, batch: int, context: int, seed: int = 0, carry: int = 0) -> None:
        self.tokens, self.batch, self.context, self.carry = np.asarray(tokens), batch, context, carry
        _check("training", self.tokens, context, carry)
        self.load_state_dict({"seed": seed, "epoch": 0, "position": 0, "piece": 0})

    def __iter__(self) -> Iterator[Batch]:
        while True:
            yield self.next()

    @property
    def fresh(self) -> bool:
        """Whether the next batch begins spans: nothing in it goes on from the batch before."""
        return self.piece == 0

    def next(self) -> Batch:
        """The next batch. A short text passes several epochs in one."""
        if self.fresh:
            self._draw()
        batch = _windows(self.tokens, self.rows + self.piece * self.context, self.context)
        self.piece = (self.piece + 1) % (self.carry + 1)
        return batch

    def state_dict(self) -> dict[str, int]:
        """Where the spans that are being read were drawn, and how many of their windows have been given."""
        epoch, position = (self.epoch, self.position) if self.fresh else self.drawn
        return {"seed": self.seed, "epoch": epoch, "position": position, "piece": self.piece}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Goes to where the state was taken; without a `piece`, as in older ones, to where spans begin."""
        self.seed, self.position, self.piece = state["seed"], state["position"], state.get("piece", 0)
        self._shuffle(state["epoch"])
        if not self.fresh:
            self._draw()

    def _draw(self) -> None:
        """New spans for all rows, from where the last ones ended."""
        self.drawn = self.epoch, self.position
        self.rows = np.array([self._start() for _ in range(self.batch)])

    def _start(self) -> int:
        if self.position == len(self.starts):
            self._shuffle(self.epoch + 1)
            self.position = 0
        self.position += 1
        return int(self.starts[self.position - 1])

    def _shuffle(self, epoch: int) -> None:
        self.epoch = epoch
        draw = np.random.default_rng([self.seed, epoch])
        span = (self.carry + 1) * self.context
        last = len(self.tokens) - 1 - span  # where the last span starts
        first = draw.integers(min(span, last + 1))
        self.starts = draw.permutation(np.arange(first, last + 1, span))


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


def _check(text: str, tokens: np.ndarray, context: int, carry: int = 0) -> None:
    needed = (carry + 1) * context + 1
    if len(tokens) >= needed:
        return
    what = f"{carry + 1} windows in a row need" if carry else "one window needs"
    most = (len(tokens) - 1) // (carry + 1)
    shorter = f", or a context of at most {most}" if most > 1 else ""
    fewer = ", or a smaller carry" if carry and len(tokens) > context else ""
    raise DataError(f"The {text} text has {len(tokens)} tokens, and {what} {needed}: give more text{shorter}{fewer}.")
