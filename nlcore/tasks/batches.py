"""Windows of a token stream: shuffled without end for training, in order and once for validation."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from nlcore.tasks.corpus import DataError
from nlcore.tasks.shards import Stream

Batch = tuple[Tensor, Tensor]
IN_FLIGHT = 64
"""Rows that are in the middle of their spans, where there is a carry and a batch has fewer.

Fewer rows show the model only a few files at a time, and more take memory for their states.
"""


def lanes(batch: int, carry: int) -> int:
    """Batches that take turns where a state is carried, each with rows of its own: see `Batches`."""
    return max(1, min(carry + 1, IN_FLIGHT // batch))


class Batches:
    """Batches of shuffled windows that do not overlap within an epoch; the next epoch's lie at a new offset.

    tokens: (N,), any integer type, on the CPU; kept as it is. Batches are (inputs, targets), each
    (batch, context) int64; targets are inputs moved on by one. `state_dict` fixes what follows, so it
    resumes exactly, for the same tokens and sizes.

    carry: with more than 0, spans of `carry + 1` windows are shuffled instead of windows, and a row goes
    through its span one window after the other, so that what a model remembers of one belongs to the next.
    Batches that follow each other would then show the same few files, and training suffers from that; so
    `lanes` of rows take turns, up to `carry + 1`, as many as make IN_FLIGHT rows. A lane goes on where it was
    `lanes` batches before, and the lanes stand at different windows of their spans. So that they do from the
    first, each lane but one begins its first span at a later window, where it has no state to go on from.
    Spans are cut from the joined text, as windows are, and may pass from one file to the next: of the
    built-in text's spans of 4,096 bytes 73 in 100 lie within a file, and a model that reads on has to
    notice such borders anyway.

    Raises:
        DataError: if the tokens do not fill one window, or one span.
    """

    def __init__(self, tokens: np.ndarray | Tensor | Stream, batch: int, context: int, seed: int = 0, carry: int = 0) -> None:
        self.tokens, self.batch, self.context, self.carry = _sliced(tokens), batch, context, carry
        _check("training", self.tokens, context, carry)
        self.lanes, self.span = lanes(batch, carry), (carry + 1) * context
        self.last = len(self.tokens) - 1 - self.span
        """Where the last span can begin."""
        self.load_state_dict({"seed": seed, "epoch": 0, "position": 0, "taken": 0, "rows": {}})

    def __iter__(self) -> Iterator[Batch]:
        while True:
            yield self.next()

    @property
    def lane(self) -> int:
        """Which lane the next batch is of."""
        return self.taken % self.lanes

    @property
    def piece(self) -> int:
        """Which window of its spans the next batch is: 0 to `carry`."""
        ahead = self.lane * (self.carry + 1) // self.lanes
        return (self.taken // self.lanes + ahead) % (self.carry + 1)

    def next(self) -> Batch:
        """The next batch. A short text passes several epochs in one."""
        return self.read(self.draw())

    def read(self, starts: np.ndarray) -> Batch:
        """The rows that begin at these tokens."""
        return _windows(self.tokens, starts, self.context)

    def draw(self) -> np.ndarray:
        """Where the rows of the next batch begin: (batch,); what comes after it is then the next. Reads no token."""
        lane, piece = self.lane, self.piece
        starts = self.rows.pop(lane, None) or [self._start() for _ in range(self.batch)]
        if piece < self.carry:
            self.rows[lane] = starts
        self.taken += 1
        return np.array(starts) + piece * self.context

    def state_dict(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "epoch": self.epoch,
            "position": self.position,
            "taken": self.taken,
            "rows": dict(self.rows),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Goes to where the state was taken."""
        self.seed, self.position = state["seed"], state["position"]
        self.taken: int = state["taken"]
        """Batches so far."""
        self.rows: dict[int, list[int]] = dict(state["rows"])
        """Where the spans begin that a lane is in the middle of."""
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
        first = draw.integers(min(self.span, self.last + 1))
        self.starts = draw.permutation(np.arange(first, self.last + 1, self.span))


def sequential(tokens: np.ndarray | Tensor | Stream, batch: int, context: int, windows: int | None = None) -> Iterator[Batch]:
    """All of the tokens in order: every token but the first is a target exactly once.

    Yields (inputs, targets), each (up to batch, context) int64, and last the shorter rest as (1, rest).
    With fewer `windows` than there are, only so many, spread evenly over the text: a quick estimate.

    Raises:
        DataError: if the tokens do not fill one window.
    """
    tokens = _sliced(tokens)
    _check("validation", tokens, context)
    starts = np.arange(0, len(tokens) - context, context)
    rest = (len(tokens) - 1) % context
    if windows is not None and windows < len(starts):
        starts, rest = starts[np.arange(windows) * len(starts) // windows], 0
    for at in range(0, len(starts), batch):
        yield _windows(tokens, starts[at : at + batch], context)
    if rest:
        yield _windows(tokens, [len(tokens) - 1 - rest], rest)


def _sliced(tokens: np.ndarray | Tensor | Stream) -> np.ndarray | Stream:
    return tokens if isinstance(tokens, Stream) else np.asarray(tokens)


def _windows(tokens: np.ndarray | Stream, starts: list[int] | np.ndarray, length: int) -> Batch:
    window = np.stack([tokens[start : start + length + 1] for start in starts]).astype(np.int64)
    both = torch.from_numpy(window)
    return both[:, :-1], both[:, 1:]


def _check(text: str, tokens: np.ndarray | Stream, context: int, carry: int = 0) -> None:
    needed = (carry + 1) * context + 1
    if len(tokens) >= needed:
        return
    what = f"{carry + 1} windows in a row need" if carry else "one window needs"
    most = (len(tokens) - 1) // (carry + 1)
    shorter = f", or a context of at most {most}" if most > 1 else ""
    fewer = ", or a smaller carry" if carry and len(tokens) > context else ""
    raise DataError(f"The {text} text has {len(tokens)} tokens, and {what} {needed}: give more text{shorter}{fewer}.")
