"""What all optimizers of this course share: a memory of gradients for each parameter, written at every step."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from nlcore import probe

Memory = dict[str, Any]
"""What an optimizer remembers of one parameter: tensors by name, and `step`, how often it was written."""


class MemoryOptimizer(Optimizer, ABC):
    """A `torch.optim.Optimizer` whose state is a memory that each gradient is written to.

    The weights are the outer level; the memories change as often, but before them, and so form
    the level inside (Def. 2). No gradient flows through a step.

    A subclass gives `fresh`, the memory before the first gradient, and `write`, one step. Parameter
    groups, closures, `state_dict`, `GradScaler` and schedulers work as in any torch optimizer;
    gradients that are sparse or complex are refused. While `probe` listens, each step reports,
    for all parameters together, `weight_norm`, `update_norm`, `gradient_norm`, and for each tensor
    NAME of the memories `NAME_norm` and `NAME_update`.

    Args:
        params: parameters, or groups of them, as torch takes them.
        defaults: what a group may set, `lr` among it.

    Raises ValueError for a learning rate, or another value of `defaults`, below 0, and for a decay
    outside 0 to 1.
    """

    decays: tuple[str, ...] = ()
    """Settings, a number or several, that say how much a running mean keeps: 0 or more, and below 1."""

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        super().__init__(params, defaults)
        self.steps = 0
        """Calls of `step` so far."""
        self._spoilt_at: Tensor | None = None

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        for name in self.defaults:
            if isinstance(group[name], (int, float)) and not group[name] >= 0:
                raise ValueError(f"{name} is {group[name]}: give a number, 0 or more")
        for name in self.decays:
            kept = group[name] if isinstance(group[name], (tuple, list)) else [group[name]]
            if not all(0 <= share < 1 for share in kept):
                raise ValueError(f"{name} is {group[name]}: a mean keeps a share of 0 or more, and below 1")

    def fresh(self, parameter: Tensor, group: dict[str, Any]) -> Memory:
        """The memory of one parameter before its first gradient."""
        return {}

    @abstractmethod
    def write(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], memories: list[Memory]) -> None:
        """One step of a group, or of a part of it: changes memories and parameters in place.

        Only parameters that have a gradient are passed. `memory["step"]` counts this step already.
        """

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:
        """Writes the gradients to the memories and moves the weights; returns the closure's loss, if there is one."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self.steps += 1
        groups = [(group, params) for group in self.param_groups if (params := _with_gradient(group))]
        before = self._snapshot(groups) if probe.listening() else None
        sums = []
        for group, params in groups:
            for some in _together(params):
                self.write(group, some, [p.grad for p in some], [self._memory(p, group) for p in some])
                sums += [p.sum(dtype=torch.promote_types(p.dtype, torch.float32)) for p in some]  # float16 would overflow
        self._check(sums)
        if before is not None:
            probe.report(type(self).__name__, self._figures(groups, before))
        return loss

    def _memory(self, parameter: Tensor, group: dict[str, Any]) -> Memory:
        memory = self.state[parameter]
        if not memory:
            memory |= {"step": 0} | self.fresh(parameter, group)
        memory["step"] += 1
        return memory

    # A weight that is not finite stays so. So one sum a step finds it, and the device need not be waited for.
    def _check(self, sums: list[Tensor]) -> None:
        if not sums:
            return
        device = sums[0].device
        total = torch.stack([s.to(device) for s in sums])
        if self._spoilt_at is None:
            self._spoilt_at = torch.zeros((), dtype=torch.int64, device=device)
        now = (~total.isfinite().all()) * self.steps
        self._spoilt_at = torch.where(self._spoilt_at > 0, self._spoilt_at, now)

    def first_non_finite(self) -> int | None:
        """The first step, counted from 1, after which a weight was not finite; None if all were. Waits for the device."""
        return None if self._spoilt_at is None else self._spoilt_at.item() or None

    def state_dict(self) -> dict[str, Any]:
        """As torch's, with `steps`. Raises FloatingPointError rather than save weights that are not finite."""
        spoilt = self.first_non_finite()
        if spoilt is not None:
            raise FloatingPointError(
                f"the weights are not finite since step {spoilt} of {type(self).__name__}: "
                "go back to an earlier checkpoint, and take a smaller learning rate"
            )
        return super().state_dict() | {"steps": self.steps}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Goes on where `state_dict` was taken. Raises ValueError for the state of another kind of optimizer."""
        if "steps" not in state_dict:
            raise ValueError(f"this state is not of an optimizer of this course: give what {type(self).__name__}.state_dict() made")
        super().load_state_dict(state_dict)
        self.steps, self._spoilt_at = state_dict["steps"], None

    # torch copies and pickles an optimizer without what subclasses add to it.
    def __getstate__(self) -> dict[str, Any]:
        own = {name: value for name, value in vars(self).items() if "hook" not in name}
        return own | super().__getstate__()

    def _snapshot(self, groups: list) -> dict[str, list[Tensor]]:
        """Copies of what a step changes, by name; `weight` for the parameters."""
        params = [p for _, params in groups for p in params]
        found = {"weight": [p.clone() for p in params]}
        for p in params:
            for name, tensor in _tensors(self.state.get(p, {})):
                found.setdefault(name, []).append(tensor.clone())
        return found

    def _figures(self, groups: list, before: dict[str, list[Tensor]]) -> dict[str, Tensor]:
        params = [p for _, params in groups for p in params]
        if not params:
            return {}
        figures = {
            "weight_norm": _norm(params),
            "update_norm": _norm(torch._foreach_sub(params, before["weight"])),
            "gradient_norm": _norm([p.grad for p in params]),
        }
        after: dict[str, list[Tensor]] = {}
        for p in params:
            for name, tensor in _tensors(self.state[p]):
                after.setdefault(name, []).append(tensor)
        for name, tensors in after.items():
            old = before.get(name, [])
            old = old if len(old) == len(tensors) else [torch.zeros_like(t) for t in tensors]
            figures |= {f"{name}_norm": _norm(tensors), f"{name}_update": _norm(torch._foreach_sub(tensors, old))}
        return figures


def remembered(memories: list[Memory], name: str) -> list[Tensor]:
    """One tensor of each memory."""
    return [memory[name] for memory in memories]


def decay_weights(group: dict[str, Any], params: list[Tensor]) -> None:
    """Takes a share `lr weight_decay` of the weights away, as AdamW does; the memories do not see it."""
    if group["weight_decay"]:
        torch._foreach_mul_(params, 1 - group["lr"] * group["weight_decay"])


def _with_gradient(group: dict[str, Any]) -> list[Tensor]:
    """The group's parameters that have a gradient. Raises ValueError if one is sparse or complex."""
    params = [p for p in group["params"] if p.grad is not None]
    for p in params:
        if p.grad.is_sparse or p.grad.is_complex():
            kind = "sparse" if p.grad.is_sparse else "complex"
            raise ValueError(f"a parameter of size {list(p.shape)} has a {kind} gradient: give dense real ones "
                             "(for an embedding, sparse=False), or train it with torch.optim.SparseAdam")
    return params


# One operation on many tensors saves an accelerator its launches. A CPU's cache holds one tensor from the first
# operation on it to the last, and not many: there each is written alone.
def _together(params: list[Tensor]) -> list[list[Tensor]]:
    return [[p] for p in params] if params[0].is_cpu else [params]


def _tensors(memory: Memory) -> list[tuple[str, Tensor]]:
    return [(name, value) for name, value in memory.items() if isinstance(value, Tensor) and value.is_floating_point()]


def _norm(tensors: list[Tensor]) -> Tensor:
    return torch.nn.utils.get_total_norm(tensors).detach()
