"""Delta Momentum: a memory of gradients that first erases what it held under the new one."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from nlcore.optim.base import Memory, MemoryOptimizer, remembered
from nlcore.optim.momentum import Values

Gains = Callable[[float, float, Tensor], tuple[float | Tensor, float | Tensor]]


def literal(alpha: float, beta: float, squares: Tensor) -> tuple[float, float]:
    """`m <- (alpha - beta g g^T) m + v`, an explicit step: diverges where `beta ||g||^2 > 1 + alpha`."""
    return beta, 0.0


def bounded(alpha: float, beta: float, squares: Tensor) -> tuple[Tensor, float]:
    """`m <- (alpha - beta' g g^T) m + v`: the old memory is erased by the bounded rate, v is stored in full."""
    return beta / (1 + beta * squares), 0.0


def exact(alpha: float, beta: float, squares: Tensor) -> tuple[Tensor, Tensor]:
    """`m <- (I - beta' g g^T)(alpha m + v)`: the minimiser of the proximal problem itself."""
    bound = beta / (1 + beta * squares)
    return alpha * bound, bound


FORMS: dict[str, Gains] = {"literal": literal, "bounded": bounded, "exact": exact}
"""Form -> what it takes away: multiples of `(g . m) g` and of `(g . v) g`."""


class DeltaMomentum(MemoryOptimizer):
    """Delta Momentum (eq. 48-49), mended and as printed.

    The memory is asked to answer a gradient g with a value v = P g, by default g itself:

        m <- argmin ||m - alpha m_t||^2 / 2 + beta (g . m)^2 / 2 - m . v,    W <- W - lr m

    For `P` a number, that is the L2 objective `beta (g . m - P / beta)^2 / 2`. With beta = 0 it is
    `Momentum`. `exact` solves it (Sherman-Morrison, with `beta' = beta / (1 + beta ||g||^2)`);
    `literal` takes one gradient step from m instead, as eq. 49 prints with beta = 1, and diverges
    once `beta ||g||^2 > 1 + alpha`; `bounded` takes that step with beta' for beta. Print has rows:
    `W <- W + m` (48) and `m <- m (alpha - g^T g) - eta P g` (49), which is `literal` with m times -eta,
    eta = lr. Its objective `||m g^T - P||^2` would have eta on g^T g too, and `+ eta P g`.

    g is the whole gradient of one parameter, flattened: it is one key, and its memory one vector m
    that answers it with one number. Rows of a matrix would be as many memories of shorter keys;
    all parameters together would let one large gradient erase every layer. No n x n matrix is
    made: `g g^T m` is `g (g . m)`.

    Args:
        params: parameters or groups; a group may set lr, alpha (or `momentum`), beta, weight_decay and maximize.
        lr: step size of the weights.
        alpha: how much of the memory is kept.
        beta: how strongly what stood under g is erased, per squared norm of g; 0 is plain momentum.
        form: "exact", "bounded" or "literal".
        weight_decay: adds that much of the weights to their gradient.
        values: maps g to v, of the same size; by default g itself.
        maximize: go up the gradient.

    Not offered: nesterov, dampening, foreach, fused, capturable, differentiable.
    Raises ValueError for another form, and for lr, alpha, beta or weight_decay below 0.
    """

    torch_names = {"alpha": "momentum"}

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        alpha: float = 0.9,
        beta: float = 1.0,
        *,
        form: str = "exact",
        weight_decay: float = 0.0,
        values: Values | None = None,
        maximize: bool = False,
    ) -> None:
        if form not in FORMS:
            raise ValueError(f"form is {form!r}: choose one of {', '.join(FORMS)}")
        self.form, self.values = form, values
        settings = {"lr": lr, "momentum": alpha, "beta": beta, "weight_decay": weight_decay}
        super().__init__(params, settings | {"maximize": maximize})

    def fresh(self, parameter: Tensor, group: dict[str, Any]) -> Memory:
        return {"momentum": torch.zeros_like(parameter)}

    def write(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], memories: list[Memory]) -> None:
        alpha, momenta = group["momentum"], remembered(memories, "momentum")
        if group["weight_decay"]:
            grads = torch._foreach_add(grads, params, alpha=group["weight_decay"])
        stored = grads if self.values is None else [self.values(g) for g in grads]
        for m, g, v in zip(momenta, grads, stored):
            from_old, from_new = FORMS[self.form](alpha, group["beta"], _dot(g, g))
            erased = from_old * _dot(g, m) + from_new * _dot(g, v)
            torch.add(v, m, alpha=alpha, out=m).addcmul_(g, erased, value=-1)
        torch._foreach_add_(params, momenta, alpha=-group["lr"])


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return torch.dot(a.flatten(), b.flatten())
