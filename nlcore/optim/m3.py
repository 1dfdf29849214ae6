"""M3: momentum on two time scales, each made orthogonal, over one second moment (eq. 75, Alg. 1)."""

from collections.abc import Iterable
from typing import Any, Literal

import torch
from torch import Tensor

from nlcore.ops.newton_schulz import QUINTIC, Coefficients
from nlcore.optim.base import Memory, MemoryOptimizer, decay_weights, remembered
from nlcore.optim.orthogonal import orthogonal


class MultiscaleMomentumMuon(MemoryOptimizer):
    """M3, a continuum memory of gradients: a fast momentum, and one that is written every `period` steps.

    As printed in Alg. 1 (decay="none"), with s the sum of the period's gradients:

        fast <- fast + beta1 g,    V <- V + beta2 g^2,    each `period` steps: slow <- slow + beta3 s
        W <- W - lr (NewtonSchulz(fast) + alpha NewtonSchulz(slow)) / sqrt(V + eps)

    No sum there ever decays, though the text calls the betas momentum factors, so `fast` weighs the
    first gradient as the last, and V only grows. decay="ema" reads all three as running means:
    `fast <- beta1 fast + (1 - beta1) g`, V alike, slow from the period's mean, and V is bias-corrected.

    Three levels: the weights, with fast and V inside them, and slow, which changes `period` times
    less often (Def. 2). The slow answer is computed when slow is written, and kept: over a period M3
    costs `period + 1` Newton-Schulz of each matrix. Alg. 1 divides a direction without units by
    the size of g, so the right lr is in units of the gradient: a loss scaled by c takes steps c times smaller.

    Matrices are made orthogonal, and so are tensors of more dimensions, as (first, all others).
    Vectors have no singular values: both momenta move them as they are (bias-corrected under "ema"), so
    they move as under Adam. Embeddings are matrices that see a row at a time; give them, as any
    other matrix that should be treated so, in a group with orthogonal=False.

    Args:
        params: parameters or groups; a group may set all that follows.
        lr: step size, in units of the gradient for what is made orthogonal; else as Adam's.
        betas: beta1 of fast, beta2 of V, beta3 of slow.
        alpha: how much the slow memory counts against the fast one.
        period: steps between two writes of slow; Alg. 1's f.
        eps: added to V, in units of the squared gradient.
        weight_decay: share of the weights taken away at each step, times lr; Alg. 1 has none.
        decay: "ema" or "none".
        iterations, coefficients, dtype: of `newton_schulz`; dtype None is the parameter's own.
        orthogonal: whether what has singular values is made orthogonal.
        maximize: go up the gradient.

    Not offered: foreach, fused, capturable, differentiable.
    Raises ValueError for betas outside 0 to 1 (1 excluded), a period below 1, or an unknown decay.
    """

    decays = {"betas": 3}
    counts = {"period": 1, "iterations": 0}
    choices = ("maximize", "decay", "coefficients", "dtype", "orthogonal")
    slow_sign = 1
    """With which slow takes up the gradients: plus, as in Alg. 1."""

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float, float] = (0.9, 0.999, 0.9),
        alpha: float = 0.5,
        period: int = 10,
        *,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        decay: Literal["ema", "none"] = "ema",
        iterations: int = 5,
        coefficients: Coefficients = QUINTIC,
        dtype: torch.dtype | None = None,
        orthogonal: bool = True,
        maximize: bool = False,
    ) -> None:
        settings = {"lr": lr, "betas": betas, "alpha": alpha, "period": period, "eps": eps, "weight_decay": weight_decay,
                    "decay": decay, "iterations": iterations, "coefficients": coefficients, "dtype": dtype, "orthogonal": orthogonal}
        super().__init__(params, settings | {"maximize": maximize})

    def check(self, group: dict[str, Any]) -> None:
        super().check(group)
        if group["decay"] not in ("ema", "none"):
            raise ValueError(f'decay is {group["decay"]!r}: take "ema", or "none" for Alg. 1 as printed')

    def fresh(self, parameter: Tensor, group: dict[str, Any]) -> Memory:
        return {name: torch.zeros_like(parameter) for name in ("fast", "slow", "gathered", "second_moment", "slow_answer")}

    def write(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], memories: list[Memory]) -> None:
        fast, V, slow_answers = (remembered(memories, name) for name in ("fast", "second_moment", "slow_answer"))
        keep, take = self._shares(group, 0)
        torch._foreach_mul_(fast, keep)
        torch._foreach_add_(fast, grads, alpha=take)
        keep, take = self._shares(group, 1)
        torch._foreach_mul_(V, keep)
        torch._foreach_addcmul_(V, grads, grads, take)
        torch._foreach_add_(remembered(memories, "gathered"), grads)
        roots = torch._foreach_div(V, [self._known(group, 1, memory["step"]) for memory in memories])
        torch._foreach_add_(roots, group["eps"])
        torch._foreach_sqrt_(roots)
        directions = [self._answer(group, memory["fast"], self._known(group, 0, memory["step"])) for memory in memories]
        torch._foreach_add_(directions, slow_answers, alpha=group["alpha"])
        decay_weights(group, params)
        torch._foreach_addcdiv_(params, directions, roots, -group["lr"])
        if due := [memory for memory in memories if memory["step"] % group["period"] == 0]:
            self._write_slow(group, due)

    def _write_slow(self, group: dict[str, Any], memories: list[Memory]) -> None:
        """What the period gathered goes to slow; its answer then serves the next period."""
        slow, gathered = remembered(memories, "slow"), remembered(memories, "gathered")
        keep, take = self._shares(group, 2)
        if group["decay"] == "ema":
            take /= group["period"]  # the mean of the period's gradients, so that slow is as large as fast
        torch._foreach_mul_(slow, keep)
        torch._foreach_add_(slow, gathered, alpha=self.slow_sign * take)
        torch._foreach_zero_(gathered)
        for memory in memories:
            known = self._known(group, 2, memory["step"] // group["period"])
            memory["slow_answer"] = self._answer(group, memory["slow"], known)

    def _shares(self, group: dict[str, Any], which: int) -> tuple[float, float]:
        """What a memory keeps of itself and takes of the new."""
        beta = group["betas"][which]
        return (beta, 1 - beta) if group["decay"] == "ema" else (1.0, beta)

    def _known(self, group: dict[str, Any], which: int, writes: int) -> float:
        """The bias correction of a running mean after so many writes; a sum has none."""
        return 1 - group["betas"][which] ** writes if group["decay"] == "ema" else 1.0

    def _answer(self, group: dict[str, Any], m: Tensor, known: float) -> Tensor:
        """What a momentum answers: an orthogonal matrix, or, of what is not made orthogonal, itself."""
        if m.ndim < 2 or not group["orthogonal"]:
            return m / known
        return orthogonal(m, group["iterations"], group["coefficients"], dtype=group["dtype"])


class Equation75(MultiscaleMomentumMuon):
    """M3 with the sign of eq. 75, `slow <- slow - beta s`, for its erratum: the slow memory pushes uphill."""

    slow_sign = -1
