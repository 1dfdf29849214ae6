"""AdaGrad: a memory of squared gradients that never forgets, by coordinate or as a full matrix (eq. 106-111)."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from nlcore.optim.base import Memory, MemoryOptimizer, decay_weights, remembered

LARGEST = 4096
"""Numbers in a parameter that a full matrix is kept for: 128 MiB in float64."""


class AdaGrad(MemoryOptimizer):
    """Each gradient, divided by the root of the sum of all squares so far: `torch.optim.Adagrad`.

        h <- h + g^2,    W <- (1 - lr weight_decay) W - lr / (1 + (t - 1) lr_decay) g / (sqrt(h) + eps)

    The sum never shrinks, so steps of a coordinate only get smaller. Weight decay is Adam's (a share
    of the weights); torch adds the weights to the gradient instead. Every h starts
    at `initial_accumulator_value`.

    Not offered, unlike torch's: coupled weight decay, foreach, fused, differentiable.
    Raises ValueError for a setting below 0 or not finite.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        eps: float = 1e-10,
        weight_decay: float = 0.0,
        *,
        lr_decay: float = 0.0,
        initial_accumulator_value: float = 0.0,
        maximize: bool = False,
    ) -> None:
        settings = {"lr": lr, "eps": eps, "weight_decay": weight_decay, "lr_decay": lr_decay}
        super().__init__(params, settings | {"initial_accumulator_value": initial_accumulator_value, "maximize": maximize})

    def fresh(self, parameter: Tensor, group: dict[str, Any]) -> Memory:
        return {"second_moment": torch.full_like(parameter, group["initial_accumulator_value"])}

    def write(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], memories: list[Memory]) -> None:
        h = remembered(memories, "second_moment")
        decay_weights(group, params)
        torch._foreach_addcmul_(h, grads, grads)
        roots = torch._foreach_sqrt(h)
        torch._foreach_add_(roots, group["eps"])
        rates = [-group["lr"] / (1 + (memory["step"] - 1) * group["lr_decay"]) for memory in memories]
        torch._foreach_addcdiv_(params, grads, roots, rates)


class FullAdaGrad(MemoryOptimizer):
    """AdaGrad in outer-product form: it knows which gradients come together (eq. 106-111).

        H <- H + g g^T,    m <- beta m + g,    W <- (1 - lr weight_decay) W - lr (H^1/2 + eps)^-1 m

    for each parameter, as a vector of n numbers. `beta = 0` is AdaGrad (m is the newest gradient);
    `beta = 1` is the sum of eq. 109, which has no decay, and between them lies AdaGrad with momentum.
    With gradients along the axes H is diagonal, and this is `AdaGrad`.

    H has n^2 numbers and its root takes n^3 operations, so this is for small parameters. Shampoo
    keeps two small matrices, one a side of a weight matrix, in place of H; SOAP runs Adam in the
    coordinates that those two find.

    A group may set beta also as `momentum`. Not offered: coupled weight decay, foreach, fused, capturable,
    differentiable. Raises ValueError for a parameter of more than `LARGEST` numbers, and for a setting
    below 0 or not finite.
    """

    torch_names = {"beta": "momentum"}

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        beta: float = 0.0,
        eps: float = 1e-10,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        settings = {"lr": lr, "momentum": beta, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, settings | {"maximize": maximize})

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        for p in group["params"]:
            if p.numel() > LARGEST:
                raise ValueError(f"a parameter of size {list(p.shape)} has {p.numel():,} numbers, and a full matrix is "
                                 f"kept for at most {LARGEST:,}: train it with AdaGrad, or with Shampoo's two matrices")

    def fresh(self, parameter: Tensor, group: dict[str, Any]) -> Memory:
        n = parameter.numel()
        return {"momentum": torch.zeros_like(parameter), "outer_products": parameter.new_zeros(n, n)}

    def write(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], memories: list[Memory]) -> None:
        m = remembered(memories, "momentum")
        decay_weights(group, params)
        torch._foreach_mul_(m, group["momentum"])
        torch._foreach_add_(m, grads)
        for p, g, memory in zip(params, grads, memories):
            memory["outer_products"].addr_(g.flatten(), g.flatten())
            direction = over_root(memory["outer_products"], memory["momentum"].flatten(), group["eps"])
            p.add_(direction.view_as(p), alpha=-group["lr"])


def over_root(H: Tensor, m: Tensor, eps: float) -> Tensor:
    """`(H^1/2 + eps)^-1 m` in the directions that H has seen, 0 in all others; H is (n, n), symmetric, m (n,).

    An eigenvalue within rounding of 0 is a direction not seen: dividing by its root would make
    noise the largest part of the step. An H that is not finite gives NaN, as a division would.
    """
    if not H.isfinite().all():
        return torch.full_like(m, torch.nan)
    values, vectors = torch.linalg.eigh(H)
    seen = values > values[-1] * len(H) * torch.finfo(H.dtype).eps
    scale = torch.where(seen, 1 / (values.clamp(min=0).sqrt() + eps), 0)
    return vectors @ (scale * (vectors.mT @ m))
