"""What a command does to a training run."""

from typing import Any

from torch import nn

from nlcore.models import set_memory_rate
from nlcore.optim import LevelOptimizer
from nlcore.train.config import TrainError
from nlcore.train.control import Command


class Steering:
    """The wheel: what commands have set, and what they have asked for.

    Attributes:
        lr_scale: multiplies the scheduled learning rate of all outer levels.
        memory_rate: multiplies eta of all in-context memories, in [0, 1].
        paused, stop, save: asked for and not yet taken back or done.
    """

    def __init__(self, model: nn.Module, optimizer: LevelOptimizer) -> None:
        self.model, self.optimizer = model, optimizer
        self.in_context = [level.name for level in model.levels() if level.unit == "tokens"]
        self.lr_scale, self.memory_rate = 1.0, 1.0
        self.paused = self.stop = self.save = False

    def apply(self, command: Command) -> str:
        """Carries out a command and says what changed. Raises ValueError, in one sentence, if it cannot."""
        return getattr(self, f"_{command.command}")(command)

    def _pause(self, _: Command) -> str:
        self.paused = True
        return "paused"

    def _resume(self, _: Command) -> str:
        self.paused = False
        return "resumed"

    def _stop(self, _: Command) -> str:
        self.stop = True
        return "stopping, with a checkpoint"

    def _checkpoint(self, _: Command) -> str:
        self.save = True
        return "writing a checkpoint"

    def _lr_scale(self, command: Command) -> str:
        self.lr_scale = command.value
        return f"learning rate times {command.value:g}"

    def _period(self, command: Command) -> str:
        if command.level in self.in_context:
            raise TrainError(
                f"The period of {command.level} is part of the model: choose {self._outer()}, "
                "or start a run with other chunks, other token periods or another model."
            )
        self._known(command.level)
        self.optimizer.clock.set_period(command.level, command.value)
        return f"{command.level} updated every {command.value} steps"

    def _level_lr(self, command: Command) -> str:
        if command.level in self.in_context:
            set_memory_rate(self.model, command.value)
            self.memory_rate = command.value
            return f"eta of all in-context memories times {command.value:g}"
        self._known(command.level)
        self.optimizer.scales[command.level] = command.value
        return f"learning rate of {command.level} times {command.value:g}"

    def _known(self, level: str) -> None:
        if level not in self.optimizer.scales:
            known = [*self.in_context, *self.optimizer.scales]
            raise TrainError(f"There is no level {level!r} in this run: choose one of {', '.join(known)}.")

    def _outer(self) -> str:
        return " or ".join(self.optimizer.scales)

    def state_dict(self) -> dict[str, Any]:
        """What lasts beyond a stop. A pause does not: to resume a run is to let it go on."""
        return {"lr_scale": self.lr_scale, "memory_rate": self.memory_rate}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.lr_scale, self.memory_rate = state["lr_scale"], state["memory_rate"]
        set_memory_rate(self.model, self.memory_rate)
