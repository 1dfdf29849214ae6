"""Finds where a number stopped being finite, so that a run ends with a sentence and not with noise."""

import math
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nlcore import probe
from nlcore.models import LanguageModel
from nlcore.ops.sharded import own_part, total_norm
from nlcore.optim import LevelOptimizer
from nlcore.train.carried import Leaf
from nlcore.train.config import TrainError
from nlcore.train.parallel import ALONE, Team
from nlcore.train.telemetry import owner


class NonFinite(TrainError):
    """A loss, a gradient or a weight is infinite or not a number."""


class Guard:
    """Checks a run's numbers. Raises NonFinite, naming the step, the level and the last good checkpoint."""

    def __init__(self, model: LanguageModel, optimizer: LevelOptimizer, team: Team = ALONE) -> None:
        self.model, self.optimizer, self.team = model, optimizer, team
        self.checkpoint: Path | None = None
        """The last good one."""

    def learnt(self, losses: list[Tensor], step: int, given: list[tuple[Tensor, tuple[Any, ...] | None]]) -> float:
        """The sum of a step's losses, one a part of its batch, if it and the gradients are finite.

        This stands between gradients and weights, and is the step's one wait for the device. `given` has for each part
        its tokens and the state before them, as `loss` takes them.
        """
        levels = list(self.optimizer.optimizers)
        norms = [total_norm(self._gathered(level)) for level in levels]
        numbers = torch.stack([*(loss.to(norms[0].dtype) for loss in losses), *norms]).tolist()
        total = 0.0
        for value, part in zip(numbers, given):
            total += value
            self.loss(total, step, *part)
        for level, norm in zip(levels, numbers[len(losses) :]):
            if not math.isfinite(norm):
                self._stop(step, "a gradient is not finite", f"the gradients of level {level}")
        return total

    def loss(self, value: float, step: int, inputs: Tensor, before: tuple[Any, ...] | None = None) -> None:
        """`inputs` (B, T), read from the detached state `before` (None: a fresh one), gave the loss, each process's its own.

        They are looked at again only if it is not finite.
        """
        if not math.isfinite(value):
            where = self._first(self._weights()) or self._first(self._memories(inputs, before))
            self._stop(step, f"the loss is {value}", where or "the activations: all weights and memories are finite")

    def weights(self, step: int) -> None:
        """Every process looks at those that it holds."""
        where = self._first(self._weights())
        if where:
            self._stop(step, "a weight is not finite", where)

    def carried(self, rows: dict[int, list[Leaf]], step: int) -> None:
        """Of a checkpoint: else the next window's loss tells, or the state is dropped where rows begin fresh."""
        if not all(leaf.isfinite().all() for leaf in chain(*rows.values()) if isinstance(leaf, Tensor)):
            self._stop(step, "a state is not finite", "what is carried to the next window")

    def _first(self, found: str | None) -> str | None:
        """What was found by the first process that has found anything."""
        return next(filter(None, self.team.gather(found)), None)

    def _gathered(self, level: str) -> list[Tensor]:
        return [p.grad for p in self.optimizer.parameters(level) if p.grad is not None]

    def _weights(self) -> str | None:
        for name, parameter in self.model.named_parameters():
            if not own_part(parameter).isfinite().all():
                return f"the weights of level {self.model.level_of(name)} ({name})"
        return None

    @torch.no_grad()
    def _memories(self, inputs: Tensor, before: tuple[Any, ...] | None) -> str | None:
        with probe.listen():
            reports = self.model(inputs, before, detached=True).reports
        for block, report in reports.items():
            for key, values in report.items():
                memory = key.partition("/")[2]
                if memory and not values.isfinite().all():
                    return f"level {owner(memory)} (the in-context memory {memory!r} of {block})"
        return None

    def _stop(self, step: int, what: str, where: str) -> None:
        good = f"the last good checkpoint is {self.checkpoint}" if self.checkpoint else "there is no checkpoint yet"
        advice = "resume with a smaller --lr" if self.checkpoint else "start again with a smaller --lr"
        raise NonFinite(f"Step {step}: {what}, first in {where}; {good}: {advice}.")
