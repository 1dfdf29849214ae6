"""Batches that are read ahead by a thread, so that a device does not wait for the disk."""

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from copy import copy

import numpy as np
import torch

from nlcore.tasks.batches import Batch, Batches

DEPTH = 4
"""Batches that are ready, at most, or being read."""


class Ahead:
    """The batches that come next, each in parts.

    rows: for each part of a batch the rows that it has: this process reads those and no others.
    device: where they are needed. For CUDA they lie in pinned memory, from which a GPU copies by itself.

    `batches` stands where training does, and its state resumes exactly: what is read ahead is drawn from a copy of it that
    is made at the first `next`. What the reading raises, `next` raises, when its batch is due.
    """

    def __init__(self, batches: Batches, rows: Sequence[np.ndarray], device: torch.device) -> None:
        self.batches, self.rows, self.device = batches, rows, device
        self.drawn: Batches | None = None
        self.ready: deque[Future[list[Batch]]] = deque()
        self.reader = ThreadPoolExecutor(1, "batches", self._start)

    def next(self) -> list[Batch]:
        """The parts of the next batch, after which `batches` stands at the one after it."""
        if self.drawn is None:
            self.drawn = copy(self.batches)
            self.drawn.load_state_dict(self.batches.state_dict())
        while len(self.ready) < DEPTH:
            self.ready.append(self.reader.submit(self._read, self.drawn.draw()))
        found = self.ready.popleft().result()
        self.batches.draw()
        return found

    def _start(self) -> None:
        """A new thread is on the first GPU, and pinning would take memory there for each process."""
        if self.device.type == "cuda" and self.device.index is not None:
            torch.cuda.set_device(self.device)

    def _read(self, starts: np.ndarray) -> list[Batch]:
        parts = [self.batches.read(starts[rows]) for rows in self.rows]
        return [(x.pin_memory(), y.pin_memory()) for x, y in parts] if self.device.type == "cuda" else parts
