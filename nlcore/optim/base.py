"""What all optimizers of this course share: a memory of gradients for each parameter, written at every step."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from nlcore import probe
from nlcore.ops.sharded import total_norm, whole
from nlcore.optim.settings import check_count, check_number, check_shares, kept, plain

Memory = dict[str, Any]
"""What an optimizer remembers of one parameter: tensors by name, and `step`, how often it was written."""


class MemoryOptimizer(Optimizer, ABC):
    """A `torch.optim.Optimizer` whose state is a memory that each gradient is written to.

    The weights are the outer level; the memories change as often, but before them, and so form
    the level inside (Def. 2). No gradient flows through a step.

    A subclass gives `fresh`, the memory before the first gradient, and `write`, one step. Parameter
    groups, closures, `state_dict`, `GradScaler`, schedulers and `maximize` work as in any torch
    optimizer; a number may be a tensor of one element. Halves are computed, and remembered, in
    float32; `autocast` does not reach into a step; a parameter without numbers is left alone.
    Gradients that are sparse or complex are refused. Not offered: torch's `foreach` (always on, where
    it is faster), `fused`, `capturable` and `differentiable`. While `probe` listens, each step reports,
    for all parameters together, `weight_norm`, `update_norm`, `gradient_norm`, and for each tensor
    NAME of the memories `NAME_norm` and `NAME_update`.

    Args:
        params: parameters, or groups of them, as torch takes them.
        defaults: what a group may set, `lr` among it.

    Raises ValueError for a learning rate, or another number, that is below 0 or not finite, and for a
    decay outside 0 to 1. A group that is refused leaves nothing behind.
    """

    decays: dict[str, int] = {}
    """Settings that say how much a running mean keeps, 0 or more and below 1, and how many numbers each has."""
    counts: dict[str, int] = {}
    """Settings that are whole numbers, and the least that each may be."""
    choices: tuple[str, ...] = ("maximize",)
    """Settings that are no numbers. All that are named nowhere are finite numbers, 0 or more."""
    torch_names: dict[str, str] = {}
    """Settings that a group may also give by the paper's letter, and torch's name, which schedulers look for."""

    def __init__(self, params: Iterable[Any], defaults: dict[str, Any]) -> None:
        super().__init__(params, defaults)
        self.steps = 0
        """Calls of `step` so far."""
        self._spoilt_at: Tensor | None = None

    def add_param_group(self, param_group: dict[str, Any]) -> None:
        self._by_torch_names(param_group)
        super().add_param_group(param_group)
        group = self.param_groups[-1]
        try:
            self.check(group)
        except Exception:
            self.param_groups.pop()
            raise
        group |= {name: kept(group[name]) for name in self._settings()}

    def _settings(self) -> list[str]:
        return [name for name in self.defaults if name != "differentiable"]  # torch adds it to every copy's defaults

    def _by_torch_names(self, group: dict[str, Any]) -> None:
        for letter, name in self.torch_names.items():
            if letter in group:
                group[name] = group.pop(letter)

    def check(self, group: dict[str, Any]) -> None:
        """Raises ValueError for a group that this optimizer cannot train."""
        letters = {name: letter for letter, name in self.torch_names.items()}
        for name in self._settings():
            if name in self.choices:
                continue
            if name in self.decays:
                check_shares(name, group[name], self.decays[name])
            elif name in self.counts:
                check_count(name, group[name], self.counts[name])
            else:
                check_number(letters.get(name, name), group[name])

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
        groups = [(group, params) for group in self.param_groups if (params := _with_gradient(group))]
        self.steps += 1
        with _without_autocast(groups):
            before = self._snapshot(groups) if probe.listening() else None
            sums = []
            for group, params in groups:
                settings = {name: plain(value) for name, value in group.items() if name != "params"}
                for some in _together(params):
                    self._update(settings, some)
                    sums += [p.sum(dtype=wide_dtype(p)) for p in some]  # float16 would overflow
            self._check(sums)
            if before is not None:
                probe.report(type(self).__name__, self._figures(groups, before))
        return loss

    def _update(self, group: dict[str, Any], params: list[Tensor]) -> None:
        """`write` for these parameters: of halves it gets copies in float32, which then go back."""
        computed = [self.computed(p) for p in params]
        grads = [p.grad.to(c.dtype) for p, c in zip(params, computed)]
        if group["maximize"]:
            grads = list(torch._foreach_neg(grads))
        self.write(group, computed, grads, [self._memory(p, c, group) for p, c in zip(params, computed)])
        for p, c in zip(params, computed):
            if c is not p:
                p.copy_(c)

    def computed(self, parameter: Tensor) -> Tensor:
        """What `fresh` and `write` are given for a parameter: itself, or of halves a copy in float32."""
        return parameter.to(wide_dtype(parameter))

    def _memory(self, parameter: Tensor, computed: Tensor, group: dict[str, Any]) -> Memory:
        memory = self.state[parameter]
        if not memory:
            memory |= {"step": 0} | self.fresh(computed, group)
        memory["step"] += 1
        return memory

    # A weight that is not finite stays so. So one sum a step finds it, and the device need not be waited for.
    def _check(self, sums: list[Tensor]) -> None:
        if not sums:
            return
        device = sums[0].device
        total = whole(torch.stack([s.to(device) for s in sums]))
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
        """Goes on where `state_dict` was taken; it stays as it is. `steps` may be missing, as from torch.distributed.

        Raises ValueError, and changes nothing, for the state of another kind of optimizer, or of other parameters.
        """
        fitted: dict[Tensor, Memory] = {}
        steps = []

        def last(_: Optimizer, given: dict[str, Any]) -> None:  # hooks may have changed what is given
            fitted.update(self._fitted(given))
            steps.append(given.get("steps", max((memory["step"] for memory in fitted.values()), default=0)))

        handle = self.register_load_state_dict_pre_hook(last)
        try:
            super().load_state_dict(state_dict)
        finally:
            handle.remove()
        self.state.update(fitted)  # torch's own share the given tensors, and round them to the parameter's dtype
        (self.steps,), self._spoilt_at = steps, None

    def _fitted(self, state_dict: dict[str, Any]) -> dict[Tensor, Memory]:
        """The memories of a state, copied to where they belong."""
        given, fitted = state_dict.get("param_groups", ()), {}
        if "steps" not in state_dict and not (given and all(group.keys() >= set(self._settings()) for group in given)):
            raise ValueError(f"this state is not of an optimizer of this course: give what {type(self).__name__}.state_dict() made")
        for own, group in zip(self.param_groups, given):
            for p, number in zip(own["params"], group["params"]):
                if memory := state_dict["state"].get(number):
                    fitted[p] = self._fit(p, memory, own | group)
        return fitted

    def _fit(self, parameter: Tensor, memory: Memory, group: dict[str, Any]) -> Memory:
        blank = {"step": 0} | self.fresh(self.computed(torch.empty_like(parameter, device="meta")), group)
        if memory.keys() != blank.keys():
            raise ValueError(f"this state is not of an optimizer of this kind: it remembers {', '.join(memory)}, "
                             f"and {type(self).__name__} {', '.join(blank)}")
        for name, value in memory.items():
            if isinstance(blank[name], Tensor) and blank[name].shape != value.shape:
                raise ValueError(f"this state is of other parameters: {name} has size {list(value.shape)}, and a parameter "
                                 f"of size {list(parameter.shape)} needs {list(blank[name].shape)}; give that of the same model")
        return {name: value.to(parameter.device, blank[name].dtype, copy=True) if isinstance(blank[name], Tensor) else value
                for name, value in memory.items()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:  # a state from before a setting was there, or had its name
            self._by_torch_names(group)
            for name in self._settings():
                group.setdefault(name, kept(self.defaults[name]))

    # torch copies and pickles an optimizer without what subclasses add to it. What hides a method, as a scheduler's
    # wrapper of `step` does, is bound to the original, and hooks are: both stay with it.
    def __getstate__(self) -> dict[str, Any]:
        own = {name: value for name, value in vars(self).items()
               if "hook" not in name and not callable(getattr(type(self), name, None))}
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
    """The group's parameters that have a gradient, and numbers. Raises ValueError if one is sparse or complex."""
    params = [p for p in group["params"] if p.grad is not None and p.numel()]
    for p in params:
        if p.grad.is_sparse or p.grad.is_complex():
            kind = "sparse" if p.grad.is_sparse else "complex"
            raise ValueError(f"a parameter of size {list(p.shape)} has a {kind} gradient: give dense real ones "
                             "(for an embedding, sparse=False), or train it with torch.optim.SparseAdam")
    return params


def _without_autocast(groups: list) -> ExitStack:
    """Inside it every operation on these parameters computes in the dtype that it is given."""
    stack = ExitStack()
    for kind in {p.device.type for _, params in groups for p in params}:
        if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
            stack.enter_context(torch.autocast(kind, enabled=False))
    return stack


def wide_dtype(tensor: Tensor) -> torch.dtype:
    """What a tensor is computed in: its own dtype, for halves float32."""
    return tensor.dtype if tensor.dtype.itemsize >= 4 else torch.float32


# One operation on many tensors saves an accelerator its launches. A CPU's cache holds one tensor from the first
# operation on it to the last, and not many: there each is written alone.
def _together(params: list[Tensor]) -> list[list[Tensor]]:
    return [[p] for p in params] if params[0].is_cpu else [params]


def _tensors(memory: Memory) -> list[tuple[str, Tensor]]:
    return [(name, value) for name, value in memory.items() if isinstance(value, Tensor) and value.is_floating_point()]


def _norm(tensors: list[Tensor]) -> Tensor:
    return total_norm(tensors).detach()
