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
    """One level since its last report. All norms are over the level's parameters, as Python floats."""

    firings: int
    """How often it fired since its last report, this step included."""
    lr: float
    weight_norm: float
    update_norm: float
    """Norm of the largest change that a firing made since the last report; 0 if the level did not fire."""
    gradient_norm: float
    """Norm of the gradient gathered since the level last fired; if it fired, of the clipped mean it used."""
    moment_norm: float
    """Norm of AdamW's first moment, the memory of gradients."""
    moment_update: float
    """Norm of the largest change of the first moment since the last report."""
    second_moment_norm: float


@dataclass
class Firings:
    """What a level did since its last report, kept on the device so that counting never waits for it."""

    count: int = 0
    weights: Tensor | float = 0.0
    """Norm of the largest change of the weights."""
    moments: Tensor | float = 0.0
    """The same, of the first moments."""

    def add(self, weights: Tensor, moments: Tensor) -> None:
        self.count += 1
        self.weights = torch.maximum(weights, torch.as_tensor(self.weights).to(weights))
        self.moments = torch.maximum(moments, torch.as_tensor(self.moments).to(moments))

    def as_numbers(self) -> tuple[int, float, float]:
        return self.count, float(self.weights), float(self.moments)


class LevelOptimizer:
    """One AdamW a level; a level that is not due gathers gradients and stands still (eq. 70-71).

    The paper adds up a level's errors over its period and steps once. Here the step
    takes their mean, which clipping treats alike whatever the period; for AdamW, whose
    step does not depend on the gradient's scale, it is the same. Weight decay too acts
    only when a level fires. With period 1 on every level this is ordinary training,
    bitwise: clip by the global norm, then AdamW.

    Call `step` once after each `backward` (or after the several that make one batch),
    with gradients left to accumulate in `.grad`; this class clears them as levels fire.
    The mean is over the calls since the level last fired.

    Args:
        levels: AdamW parameter groups by level name.
        clock: holds each level's period, in steps.
        lr: learning rate; `step` may give another.
        clip: largest global gradient norm over the levels that fire together.

    Raises ValueError when the clock, or a loaded state, keeps other levels, or when a
    group brings a learning rate of its own: the rate is the level's.
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
        _check_rates(levels)
        self.optimizers = {name: torch.optim.AdamW(groups, lr=lr, betas=betas) for name, groups in levels.items()}
        self.scales = dict.fromkeys(levels, 1.0)
        """Multiplies a level's learning rate; steered from outside."""
        self.calls = dict.fromkeys(levels, 0)
        """Calls of `step` whose gradients a level has gathered since it last fired."""
        self.since = {name: Firings() for name in levels}
        """What each level did since its last report."""

    def parameters(self, name: str) -> list[nn.Parameter]:
        return [p for group in self.optimizers[name].param_groups for p in group["params"]]

    def step(self, step: int, lr: float | None = None) -> tuple[Tensor, dict[str, LevelReport]]:
        """Update the levels that are due at `step`, counted from 1.

        Returns the global gradient norm of those levels before clipping, on the device,
        and, while `probe` listens, a report on every level.
        """
        due = self.clock.due(step)
        for name in self.optimizers:  # a state of before `calls` were kept knows only when the level fired
            self.calls[name] = self.calls.get(name, self.clock.waited(name, step) - 1) + 1
        for name in due:
            self._average(name)
        norm = nn.utils.clip_grad_norm_([p for name in due for p in self.parameters(name)], self.clip)
        reports = {}
        for name in self.optimizers:
            rate = (self.lr if lr is None else lr) * self.scales[name]
            reports[name] = self._step_level(name, rate, name in due)
        self.clock.mark(due, step)
        return norm, {name: report for name, report in reports.items() if report is not None}

    def _average(self, name: str) -> None:
        grads = [p.grad for p in self.parameters(name) if p.grad is not None]
        if self.calls[name] > 1 and grads:
            torch._foreach_div_(grads, self.calls[name])
        self.calls[name] = 0

    def _step_level(self, name: str, lr: float, fires: bool) -> LevelReport | None:
        optimizer, listens = self.optimizers[name], probe.listening()
        gradient = self._gradient_norm(name) if listens else 0.0
        if fires:
            for group in optimizer.param_groups:
                group["lr"] = lr
            self._fire(name)
        report = self._report(name, lr, gradient) if listens else None
        if fires:
            optimizer.zero_grad(set_to_none=True)
        return report

    @torch.no_grad()
    def _fire(self, name: str) -> None:
        """AdamW's step, measured: a report may come many firings later, and is to know the largest of them."""
        weights = [p.detach() for p in self.parameters(name)]
        before, old = [w.clone() for w in weights], {p: m.clone() for p, m in self._moments(name, "exp_avg").items()}
        self.optimizers[name].step()
        moments = self._moments(name, "exp_avg")
        if moments:  # else no parameter had a gradient, and nothing changed
            self.since[name].add(
                nn.utils.get_total_norm(torch._foreach_sub(weights, before)),
                nn.utils.get_total_norm([m - old[p] if p in old else m for p, m in moments.items()]),
            )

    def _gradient_norm(self, name: str) -> float:
        return _norm([p.grad for p in self.parameters(name) if p.grad is not None])

    def _moments(self, name: str, which: str) -> dict[nn.Parameter, Tensor]:
        states = self.optimizers[name].state
        return {p: states[p][which] for p in self.parameters(name) if which in states.get(p, {})}

    @torch.no_grad()
    def _report(self, name: str, lr: float, gradient: float) -> LevelReport:
        firings, update, moment_update = self.since[name].as_numbers()
        self.since[name] = Firings()
        return LevelReport(
            firings=firings,
            lr=lr,
            weight_norm=_norm([p.detach() for p in self.parameters(name)]),
            update_norm=update,
            gradient_norm=gradient,
            moment_norm=_norm(self._moments(name, "exp_avg").values()),
            moment_update=moment_update,
            second_moment_norm=_norm(self._moments(name, "exp_avg_sq").values()),
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything a bitwise resume needs, gradients still being gathered included."""
        return {
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "gathered": {name: [p.grad for p in self.parameters(name)] for name in self.optimizers},
            "clock": self.clock.state_dict(),
            "scales": dict(self.scales),
            "calls": dict(self.calls),
            "since": {name: list(firings.as_numbers()) for name, firings in self.since.items()},
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
        self.calls = state.get("calls", {})
        self.since = {name: Firings(*state.get("since", {}).get(name, ())) for name in self.optimizers}


def _check_levels(what: str, given: Iterable[str], expected: Iterable[str]) -> None:
    if set(given) != set(expected):
        raise ValueError(
            f"{what} keeps the levels {', '.join(given)}, but the optimizer has {', '.join(expected)}: "
            "use those of one model"
        )


def _check_rates(levels: dict[str, list[dict[str, Any]]]) -> None:
    for name, groups in levels.items():
        if any("lr" in group for group in groups):
            raise ValueError(
                f"a parameter group of level {name} has a learning rate of its own: leave it out, "
                "or set `scales` to give the level another rate"
            )


def _norm(tensors: Iterable[Tensor]) -> float:
    """Norm over all the tensors together; 0 for none."""
    there = list(tensors)
    return nn.utils.get_total_norm(there).item() if there else 0.0
