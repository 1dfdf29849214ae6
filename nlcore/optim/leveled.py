"""An optimizer a level, AdamW or another, each with its own period, all on one clock."""

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from nlcore import probe
from nlcore.clock import Clock
from nlcore.ops.sharded import total_norm, whole

Make = Callable[[list[dict[str, Any]], float], Optimizer]
"""Makes a level's optimizer from its parameter groups and its learning rate."""
FIRST, SECOND = ("exp_avg", "momentum", "fast", "slow"), ("exp_avg_sq", "second_moment")
"""What AdamW, Muon and M3 call their memories of gradients, and of squared gradients."""


@dataclass(frozen=True)
class LevelReport:
    """One level since its last report. All norms are over the level's parameters, as Python floats."""

    firings: int
    """How often it fired since its last report, this step included."""
    lr: float
    """Of its last firing; before the first, the optimizer's own."""
    weight_norm: float
    update_norm: float
    """Norm of the largest change that a firing made since the last report; 0 if the level did not fire."""
    gradient_norm: float
    """Norm of the gradient gathered since the level last fired; if it fired, of the clipped mean it used."""
    moment_norm: float
    """Norm of the first moments, the memories of gradients: AdamW's, Muon's, both of M3's."""
    moment_update: float
    """Norm of the largest change of the first moments since the last report."""
    second_moment_norm: float
    """Of AdamW's and M3's; Muon has none."""


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


def adamw(groups: list[dict[str, Any]], lr: float) -> Optimizer:
    """AdamW with the betas of a language model."""
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95))


class LevelOptimizer:
    """One optimizer a level; a level that is not due gathers gradients and stands still (eq. 70-71).

    Where i is a multiple of a level's period C, eq. 71 takes away from its weights the sum
    of `eta_t f(theta_t; x_t)` over t from i - C to i: every step brings a rate of its own and
    an error, "of an arbitrary optimizer". As printed these are C + 1 steps, of which
    neighbouring periods share one; here they are the C that have passed since the last
    firing. Their errors are gathered as gradients, and the optimizer, AdamW if no other is named,
    steps once. As the step of AdamW, and of Muon, has no regard for the gradient's scale, sum and
    mean of the gradients differ only for the clip and for eps: the mean is taken, so that both treat
    every level alike.

    What is counted in what, for a level that fires rarely (`experiments/slow_levels.py` compares):

    - The rate of a firing is the mean of the rates of its steps, so that a level whose first
      period reaches beyond the warm-up begins with a small step, as all others do. In a short
      training it is best made smaller still, by `power`: a level that fires 23 times did worse
      at the rate of all others than at a quarter of it.
    - Betas, bias correction and M3's period count firings: each is a step on a batch `period`
      times as large.
    - Weight decay acts at a firing, in proportion to its rate: once in a period, as the
      gradients do, so that the balance between the two is that of the other levels.
    - The last gradients, of a period that the training's end cuts short, are used by `flush`,
      with the sum of the rates of their steps over the whole period: a firing as much smaller
      as it has gathered less.

    With period 1 on every level this is ordinary training, bitwise: clip by the global
    norm, then the optimizer's step.

    Call `step` once after each `backward` (or after the several that make one batch),
    with gradients left to accumulate in `.grad`; this class clears them as levels fire.
    Say which step is the `last`, or call `flush` when the training is over.

    Args:
        levels: parameter groups by level name, as `make` takes them. A group's `lr_factor`, if it has one, multiplies
            the level's rate for this group.
        clock: holds each level's period, in steps.
        lr: learning rate; `step` may give another.
        clip: largest global gradient norm over the levels that fire together.
        power: a level's rate is multiplied by `period**power`; -0.5 makes the steps of rare levels smaller.
        make: makes each level's optimizer; by default AdamW with betas of 0.9 and 0.95.

    Raises ValueError when the clock, or a loaded state, keeps other levels, or when a
    group brings a learning rate of its own: the rate is the level's.
    """

    def __init__(
        self,
        levels: dict[str, list[dict[str, Any]]],
        clock: Clock,
        lr: float,
        clip: float = 1.0,
        power: float = 0.0,
        make: Make = adamw,
    ) -> None:
        self.clock, self.lr, self.clip, self.power = clock, lr, clip, power
        _check_levels("the clock", clock.periods, levels)
        _check_rates(levels)
        self.optimizers = {name: make(groups, lr) for name, groups in levels.items()}
        self.scales = dict.fromkeys(levels, 1.0)
        """Multiplies a level's learning rate; steered from outside."""
        self.calls = dict.fromkeys(levels, 0)
        """Calls of `step` whose gradients a level has gathered since it last fired."""
        self.rates = dict.fromkeys(levels, 0.0)
        """The sum of those calls' learning rates."""
        self.since = {name: Firings() for name in levels}
        """What each level did since its last report."""

    def parameters(self, name: str) -> list[nn.Parameter]:
        return [p for group in self.optimizers[name].param_groups for p in group["params"]]

    def step(
        self, step: int, lr: float | None = None, last: bool = False
    ) -> tuple[Tensor, dict[str, LevelReport]]:
        """Update the levels that are due at `step`, counted from 1, and after the `last` one those that `flush` does.

        Returns the global gradient norm of the levels that were due, before clipping, on the device,
        and, while `probe` listens, a report on every level.
        """
        for name in self.optimizers:
            self.calls[name] += 1
            self.rates[name] += self.lr if lr is None else lr
        norm, gradients = self._update(self.clock.due(step), step)
        if last:
            gradients |= self.flush(step)
        return norm, self._reports(gradients) if probe.listening() else {}

    def flush(self, step: int) -> dict[str, float]:
        """The end of a training: every level that holds gradients fires at `step`, the last that was taken.

        A training that goes on after all counts each level's next period from here. Returns what `_update` does.
        """
        return self._update(tuple(name for name, calls in self.calls.items() if calls), step)[1]

    def _update(self, due: tuple[str, ...], step: int) -> tuple[Tensor, dict[str, float]]:
        """Lets levels fire. Returns their global gradient norm and, while `probe` listens, each one's, clipped."""
        rates = {name: self._average(name) for name in due}
        norm = whole(nn.utils.clip_grad_norm_([p for name in due for p in self.parameters(name)], self.clip))
        gradients = {name: self._gradient_norm(name) for name in due} if probe.listening() else {}
        for name in due:
            self._fire(name, rates[name])
            self.optimizers[name].zero_grad(set_to_none=True)
        self.clock.mark(due, step)
        return norm, gradients

    def _reports(self, gradients: dict[str, float]) -> dict[str, LevelReport]:
        """On every level; `gradients` are the norms that the levels which fired have used."""
        used = {name: self._gradient_norm(name) for name in self.optimizers} | gradients
        return {name: self._report(name, used[name]) for name in self.optimizers}

    def _average(self, name: str) -> float:
        """Makes the gathered gradients their mean, and counts from here; returns the rate to use it with."""
        grads = [p.grad for p in self.parameters(name) if p.grad is not None]
        calls, rate = self.calls[name], self.rates[name]
        self.calls[name], self.rates[name] = 0, 0.0
        if calls > 1 and grads:
            torch._foreach_div_(grads, calls)
        period = self.clock.periods[name]
        return rate / max(calls, period) * period**self.power * self.scales[name]

    @torch.no_grad()
    def _fire(self, name: str, lr: float) -> None:
        """The optimizer's step, measured: a report may come many firings later, and is to know the largest of them."""
        weights = [p.detach() for p in self.parameters(name)]
        before, old = [w.clone() for w in weights], {of: m.clone() for of, m in self._moments(name, FIRST).items()}
        for group in self.optimizers[name].param_groups:
            group["lr"] = lr * group.get("lr_factor", 1.0)
        self.optimizers[name].step()
        moments = self._moments(name, FIRST)
        if moments:  # else no parameter had a gradient, and nothing changed
            self.since[name].add(
                total_norm(torch._foreach_sub(weights, before)),
                total_norm([m - old[of] if of in old else m for of, m in moments.items()]),
            )

    def _gradient_norm(self, name: str) -> float:
        return _norm([p.grad for p in self.parameters(name) if p.grad is not None])

    def _moments(self, name: str, which: tuple[str, ...]) -> dict[tuple[nn.Parameter, str], Tensor]:
        states = self.optimizers[name].state
        held = ((p, states.get(p, {})) for p in self.parameters(name))
        return {(p, of): state[of] for p, state in held for of in which if of in state}

    @torch.no_grad()
    def _report(self, name: str, gradient: float) -> LevelReport:
        firings, update, moment_update = self.since[name].as_numbers()
        self.since[name] = Firings()
        return LevelReport(
            firings=firings,
            lr=self.optimizers[name].param_groups[0]["lr"],
            weight_norm=_norm([p.detach() for p in self.parameters(name)]),
            update_norm=update,
            gradient_norm=gradient,
            moment_norm=_norm(self._moments(name, FIRST).values()),
            moment_update=moment_update,
            second_moment_norm=_norm(self._moments(name, SECOND).values()),
        )

    def state_dict(self) -> dict[str, Any]:
        """Everything a bitwise resume needs, gradients still being gathered included."""
        return {
            "optimizers": {name: optimizer.state_dict() for name, optimizer in self.optimizers.items()},
            "gathered": {name: [p.grad for p in self.parameters(name)] for name in self.optimizers},
            "clock": self.clock.state_dict(),
            "scales": dict(self.scales),
            "calls": dict(self.calls),
            "rates": dict(self.rates),
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
        self.calls, self.rates = dict(state["calls"]), dict(state["rates"])
        self.since = {name: Firings(*state["since"][name]) for name in self.optimizers}


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
    return total_norm(list(tensors)).item()
