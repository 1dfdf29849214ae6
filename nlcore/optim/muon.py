"""Muon: momentum whose answer is made orthogonal before it moves the weights (eq. 42, 52)."""

import math
from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor

from nlcore.ops.newton_schulz import QUINTIC, Coefficients
from nlcore.optim.base import Memory, MemoryOptimizer, decay_weights, remembered
from nlcore.optim.orthogonal import orthogonal

RateFor = Literal["original", "match_rms_adamw"]


class Muon(MemoryOptimizer):
    """A linear memory of gradients, read through Newton-Schulz: `torch.optim.Muon`.

        m <- beta m + (1 - beta) g,    W <- (1 - lr weight_decay) W - lr r NewtonSchulz(m)

    The step has all singular values near 1: rare directions move the weights as much as common
    ones. Only matrices have singular values; give vectors and embeddings to `Adam`.

    Args:
        params: matrices or groups of them; a group may set all that follows.
        lr: step size, in singular values of the step before `r`.
        momentum: beta, how much m keeps at each step.
        nesterov: read `(1 - beta) g + beta m`, where m will be after the next such gradient.
        weight_decay: share of the weights taken away at each step, times lr.
        rate: the factor r by the matrix's size; "original" is `sqrt(max(1, rows / columns))`,
            "match_rms_adamw" is `0.2 sqrt(max(rows, columns))`, with which AdamW's lr fits.
        iterations, coefficients, eps: of `newton_schulz`.
        dtype: of Newton-Schulz; bfloat16 as in torch, and bit for bit as torch then. None is the
            parameter's own: the same step without rounding to 8 bits.
        maximize: go up the gradient.

    Not offered: foreach, fused, capturable, differentiable.
    Raises ValueError for a parameter that is no matrix, for a momentum outside 0 to 1 (1 excluded), and
    for an unknown rate.
    """

    decays = {"momentum": 1}
    counts = {"iterations": 0}
    choices = ("maximize", "nesterov", "rate", "coefficients", "dtype")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        momentum: float = 0.95,
        *,
        nesterov: bool = True,
        weight_decay: float = 0.1,
        rate: RateFor = "original",
        iterations: int = 5,
        coefficients: Coefficients = QUINTIC,
        eps: float = 1e-7,
        dtype: torch.dtype | None = torch.bfloat16,
        maximize: bool = False,
    ) -> None:
        settings = {"lr": lr, "momentum": momentum, "nesterov": nesterov, "weight_decay": weight_decay, "rate": rate}
        settings |= {"iterations": iterations, "coefficients": coefficients, "eps": eps, "dtype": dtype}
        super().__init__(params, settings | {"maximize": maximize})

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        for p in group["params"]:
            if p.ndim != 2:
                raise ValueError(f"Muon trains matrices, not a parameter of size {list(p.shape)}: give that one to Adam")
        rate_for(group["rate"], 1, 1)

    def fresh(self, parameter: Tensor, group: dict[str, Any]) -> Memory:
        return {"momentum": torch.zeros_like(parameter)}

    def write(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], memories: list[Memory]) -> None:
        beta, m = group["momentum"], remembered(memories, "momentum")
        torch._foreach_lerp_(m, grads, 1 - beta)
        answers = torch._foreach_lerp(grads, m, beta) if group["nesterov"] else m
        decay_weights(group, params)
        for p, answer in zip(params, answers):
            step = orthogonal(answer, group["iterations"], group["coefficients"], group["eps"], group["dtype"])
            p.add_(step, alpha=-group["lr"] * rate_for(group["rate"], *p.shape))


def rate_for(name: RateFor, rows: int, columns: int) -> float:
    """The factor of the learning rate for a matrix of this size. Raises ValueError for an unknown name."""
    if name == "original":
        return math.sqrt(max(1, rows / columns))
    if name == "match_rms_adamw":
        return 0.2 * math.sqrt(max(rows, columns))
    raise ValueError(f'the rate is {name!r}: take "original" or "match_rms_adamw"')
