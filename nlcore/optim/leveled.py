"""AdamW on several levels, each with its own period, all on one clock."""

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from nlcore import probe
from nlcore.levels import Clock


@dataclass(frozen=True)
class LevelReport:
    """One level at one step. All norms are over the level's parameters, as Python floats."""

    fired: bool
    lr: float
    weight_norm: float
    update_norm: float
    """Norm of the change made at this step; 0 if the level did not fire."""
    gradient_norm: float
    """Norm of the gradient gathered since the level last fired; if it fired, of the clipped mean it used."""
    moment_norm: float
    """Norm of AdamW's first moment, the memory of gradients."""
    moment_update: float
    """Norm of the first moment's change at this step."""
    second_moment_norm: float


class LevelOptimizer:
    """One AdamW a level; a level that is not due gathers gradients and stands still (eq. 70-71).

    The paper adds up a level's errors over its period and steps once. Here the step
    takes their mean, which clipping treats alike whatever the period; for AdamW, whose
    step does not depend on the gradient's scale, it is the same. Weight decay too acts
    only when a level fires. With period 1 on every level this is ordinary training,
    bitwise: clip by the global norm, then AdamW.

    Call `step` after `backward`, with gradients left to accumulate in `.grad`; this
    class clears them as levels fire.

    Args:
        levels: AdamW parameter groups by level name.
        clock: holds each level's period, in steps.
        lr: learning rate; `step` may give another.
        clip: largest global gradient norm over the levels that fire together.

    Raises ValueError when the clock, or a loaded state, keeps other levels.
    """

    def __init__(
        self,
        levels: dict[str, list[dict[str, Any]]],
        clock: Clock,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.95),
        clip: float = 1.0,
    ) -> None:
        self.clock, self.lr, self.clip = clock, lr, clip
        _check_levels("the clock", clock.periods, levels)
        self.optimizers = {name: torch.optim.AdamW(groups, lr=lr, betas=betas) for name, groups in levels.items()}
        self.scales = dict.fromkeys(levels, 1.0)
        """Multiplies a level's learning rate; steered from outside."""

    def parameters(self, name: str) -> list[nn.Parameter]:
        return [p for group in self.optimizers[name].param_groups for p in group["params"]]

    def step(self, step: int, lr: float | None = None) -> tuple[Tensor, dict[str, LevelReport]]:
        """Update the levels that are due at `step`, counted from 1.

        Returns the global gradient norm of those levels before clipping, on the device,
        and, while `probe` listens, a report on every level.
        """
        due = self.clock.due(step)
        for name in due:
            self._average(name, self.clock.waited(name, step))
        norm = nn.utils.clip_grad_norm_([p for name in due for p in self.parameters(name)], self.clip)
        reports = {}
        for name in self.optimizers:
            rate = (self.lr if lr is None else lr) * self.scales[name]
            reports[name] = self._step_level(name, rate, name in due)
        self.clock.mark(due, step)
        return norm, {name: report for name, report in reports.items() if report is not None}

    def _average(self, name: str, steps: int) -> None:
        grads = [p.grad for p in self.parameters(name) if p.grad is not None]
        if steps > 1 and grads:
            torch._foreach_div_(grads, steps)

    def _step_level(self, name: str, lr: float, fires: bool) -> LevelReport | None:
        optimizer, before = self.optimizers[name], None
        if probe.listening():
            before = self._snapshot(name)
        if fires:
            for group in optimizer.param_groups:
                group["lr"] = lr
            optimizer.step()
        report = None if before is None else self._report(name, lr, fires, before)
        if fires:
            optimizer.zero_grad(set_to_none=True)
        return report

    @torch.no_grad()
    def _snapshot(self, name: str) -> tuple[list[Tensor], list[Tensor], float]:
        parameters = self.parameters(name)
        gradient = _norm([p.grad for p in parameters if p.grad is not None])
        return [p.detach().clone() for p in parameters], [m.clone() for m in self._moments(name, "exp_avg")], gradient

    def _moments(self, name: str, which: str) -> list[Tensor]:
        states = self.optimizers[name].state
        return [states[p][which] for p in self.parameters(name) if which in states.get(p, {})]

    @torch.no_grad()
    def _report(self, name: str, lr: float, fired: bool, before: tuple[list[Tensor], list[Tensor], float]) -> LevelReport:
        weights, moments = self.parameters(name), self._moments(name, "exp_avg")
        old_weights, old_moments, gradient = before
        old_moments = old_moments or [torch.zeros_like(m) for m in moments]
        return LevelReport(
            fired=fired,
            lr=lr,
            weight_norm=_norm(weights),
            update_norm=_norm([a - b for a, b in zip(weights, old_weights)]),
            gradient_norm=gradient,
            moment_norm=_norm(moments),
            moment_update=_norm([a - b for a, b in zip(moments, old_moments)]),
            second_moment_norm=_norm(self._moments(name, "exp_avg_sq")),
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything a bitwise resume needs, gradients still being gathered included."""
        return {
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "gathered": {name: [p.grad for p in self.parameters(name)] for name in self.optimizers},
            "clock": self.clock.state_dict(),
            "scales": dict(self.scales),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from `state`, which stays as it is and may be loaded again."""
        _check_levels("the checkpoint", state["optimizers"], self.optimizers)
        state = copy.deepcopy(state)
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
            for parameter, gathered in zip(self.parameters(name), state["gathered"][name]):
                parameter.grad = None if gathered is None else gathered.to(parameter.device)
        self.clock.load_state_dict(state["clock"])
        self.scales = dict(state["scales"])


def _check_levels(what: str, given: Iterable[str], expected: Iterable[str]) -> None:
    if set(given) != set(expected):
        raise ValueError(
            f"{what} keeps the levels {', '.join(given)}, but the optimizer has {', '.join(expected)}: "
            "use those of one model"
        )


def _norm(tensors: list[Tensor]) -> float:
    """Norm over all the tensors together; 0 for none."""
    return nn.utils.get_total_norm(tensors).item() if tensors else 0.0
