"""Other ways to train a level that fires rarely, beside `LevelOptimizer`'s own: what `slow_levels` compares."""

from typing import Any

import torch
from torch import Tensor

from nlcore.optim import LevelOptimizer, LevelReport


class RateOfTheFiring(LevelOptimizer):
    """The first version's: a firing takes the rate of its own step, and what is left at the end is not used."""

    def step(
        self, step: int, lr: float | None = None, last: bool = False
    ) -> tuple[Tensor, dict[str, LevelReport]]:
        rate = self.lr if lr is None else lr
        self.rates = {name: calls * rate for name, calls in self.calls.items()}
        return super().step(step, rate, last)

    def flush(self, step: int) -> dict[str, float]:
        return {}


class LargeBatch(LevelOptimizer):
    """A firing as a step on a batch `period` times as large, close to Adam's scaling rule (Malladi et al. 2022).

    The rate is multiplied by sqrt(period), as the rule says. The moments' shares become beta**period, so that they
    forget as much in a period as they would step by step; the rule's own 1 - period (1 - beta) is the first-order term
    of that, and falls below 0 where the period is longer than the moments' memory.
    """

    def _fire(self, name: str, lr: float) -> None:
        period = self.clock.periods[name]
        for group in self.optimizers[name].param_groups:
            group.setdefault("betas_of_a_step", group["betas"])
            group["betas"] = tuple(beta**period for beta in group["betas_of_a_step"])
        super()._fire(name, lr * period**0.5)


class NeverFires(LevelOptimizer):
    """The control: levels of a period above 1 stay at their start, as random features."""

    def _fire(self, name: str, lr: float) -> None:
        super()._fire(name, lr if self.clock.periods[name] == 1 else 0.0)


RULES: dict[str, type[LevelOptimizer]] = {
    "rate of the firing": RateOfTheFiring,
    "large batch": LargeBatch,
    "never": NeverFires,
}
