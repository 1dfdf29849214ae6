"""Momentum: the linear memory of gradients inside every run with momentum."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from nlcore.optim.base import Memory, MemoryOptimizer, remembered

Values = Callable[[Tensor], Tensor]
"""What a memory stores for a gradient: a tensor of the gradient's size, such as `P g`."""


class Momentum(MemoryOptimizer):
    """Gradient descent with momentum (eq. 10-13, 33-37).

        m <- alpha m + g,    W <- W - lr m

    m is one gradient step, of rate 1, on `-<m, g>`, and keeps `alpha` of itself: a linear memory
    with the dot-product objective. It belongs to the level inside the weights' own. This is
    `torch.optim.SGD(momentum=alpha)`; the paper's `m <- alpha m - eta g, W <- W + m` is the same
    as long as lr does not change.

    With `values` the memory stores `P g` in place of g (eq. 46-47), or features of g (eq. 51).

    Args:
        params: parameters or groups; a group may set all that follows but values, alpha also as `momentum`.
        lr: step size of the weights.
        alpha: how much of the memory is kept at each step; 0 is plain gradient descent.
        nesterov: step along `g + alpha m`, where the memory will be after the next such gradient.
        weight_decay: adds that much of the weights to their gradient, before `values`.
        values: maps a gradient to what is stored of it, of the same size; by default the gradient.
        dampening: takes up `(1 - dampening) g`, except at the first step.
        maximize: go up the gradient.

    Not offered, unlike torch's: foreach, fused, differentiable.
    Raises ValueError for lr, alpha, dampening or weight_decay below 0 or not finite, and for nesterov with dampening.
    """

    choices = ("maximize", "nesterov")
    torch_names = {"alpha": "momentum"}

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        alpha: float = 0.9,
        *,
        nesterov: bool = False,
        weight_decay: float = 0.0,
        values: Values | None = None,
        dampening: float = 0.0,
        maximize: bool = False,
    ) -> None:
        self.values = values
        settings = {"lr": lr, "momentum": alpha, "nesterov": nesterov, "weight_decay": weight_decay}
        super().__init__(params, settings | {"dampening": dampening, "maximize": maximize})

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        if group["nesterov"] and group["dampening"]:
            raise ValueError(f"dampening is {group['dampening']}: Nesterov's step looks ahead by whole gradients, so give 0")

    def fresh(self, parameter: Tensor, group: dict[str, Any]) -> Memory:
        return {"momentum": torch.zeros_like(parameter)}

    def write(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], memories: list[Memory]) -> None:
        alpha, momenta = group["momentum"], remembered(memories, "momentum")
        if group["weight_decay"]:
            grads = torch._foreach_add(grads, params, alpha=group["weight_decay"])
        if self.values is not None:
            grads = [self.values(g) for g in grads]
        torch._foreach_mul_(momenta, alpha)
        if group["dampening"]:
            grads = torch._foreach_mul(grads, [1.0 if m["step"] == 1 else 1 - group["dampening"] for m in memories])
        torch._foreach_add_(momenta, grads)
        steps = torch._foreach_add(grads, momenta, alpha=alpha) if group["nesterov"] else momenta
        torch._foreach_add_(params, steps, alpha=-group["lr"])
