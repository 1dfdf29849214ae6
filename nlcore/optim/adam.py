"""Adam and its family: two memories a weight, one of gradients and one of their squares (App. B, eq. 101-105)."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from nlcore.optim.base import Memory, MemoryOptimizer, decay_weights, remembered


class Adam(MemoryOptimizer):
    """The best element-wise memory of past gradients, in the sense of least squares (eq. 105, with decay).

        m <- beta1 m + (1 - beta1) g,    h <- beta2 h + (1 - beta2) g^2
        W <- (1 - lr weight_decay) W - lr (m / c1) / (sqrt(h / c2) + eps),    c = 1 - beta^t

    This is `torch.optim.AdamW`, and at weight_decay 0 also `torch.optim.Adam`, whose own decay adds
    the weights to the gradient instead. Eq. 105 has no c: that is bias correction, without which
    both memories, which start at 0, are too small at first. m and h are written at the same steps
    and do not read each other: they share a level (Def. 2). `nlcore.optim.regression` has the
    regression that this memory solves.

    Settings: `betas=(0, 0)` with a tiny eps is SignSGD. Classes: `RMSProp`, `NAdam`, `AMSGrad`,
    `RAdam`, `Lion`, `AdaGrad`.

    Args:
        params: parameters or groups; a group may set lr, betas, eps and weight_decay.
        lr: step size; about the change of each weight at a step.
        betas: how much m and h keep at each step.
        eps: added to the root, in units of the gradient.
        weight_decay: share of the weights taken away at each step, times lr.
        maximize: go up the gradient.

    Not offered, unlike torch's: coupled weight decay, foreach, fused, capturable, differentiable.
    Raises ValueError for betas outside 0 to 1 (1 excluded), and for other settings below 0 or not finite.
    """

    decays = {"betas": 2}

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        settings = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, settings | {"maximize": maximize})

    def fresh(self, parameter: Tensor, group: dict[str, Any]) -> Memory:
        return {"momentum": torch.zeros_like(parameter), "second_moment": torch.zeros_like(parameter)}

    def write(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], memories: list[Memory]) -> None:
        beta1, beta2 = group["betas"]
        h = remembered(memories, "second_moment")
        decay_weights(group, params)
        torch._foreach_lerp_(remembered(memories, "momentum"), grads, 1 - beta1)
        torch._foreach_mul_(h, beta2)
        torch._foreach_addcmul_(h, grads, grads, 1 - beta2)
        self.move(group, params, grads, memories)

    def move(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], memories: list[Memory]) -> None:
        """Moves the weights by what the memories, just written, answer."""
        step_by_ratio(group, params, remembered(memories, "momentum"), remembered(memories, "second_moment"), memories)


class AMSGrad(Adam):
    """Adam that divides by the largest h so far, so no step size ever grows again: `torch.optim.Adam(amsgrad=True)`.

    Takes what `Adam` takes, and offers as little of torch's other settings.
    """

    def fresh(self, parameter: Tensor, group: dict[str, Any]) -> Memory:
        return super().fresh(parameter, group) | {"largest": torch.zeros_like(parameter)}

    def move(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], memories: list[Memory]) -> None:
        largest = remembered(memories, "largest")
        torch._foreach_maximum_(largest, remembered(memories, "second_moment"))
        step_by_ratio(group, params, remembered(memories, "momentum"), largest, memories)


class NAdam(Adam):
    """Adam that looks one gradient ahead, as Nesterov's momentum does: `torch.optim.NAdam`.

    The numerator mixes g with m by weights that warm up: `mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2)`.
    Not offered, unlike torch's: coupled weight decay, foreach, capturable, differentiable.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 2e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        momentum_decay: float = 4e-3,
        *,
        maximize: bool = False,
    ) -> None:
        settings = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        MemoryOptimizer.__init__(self, params, settings | {"momentum_decay": momentum_decay, "maximize": maximize})

    def fresh(self, parameter: Tensor, group: dict[str, Any]) -> Memory:
        return super().fresh(parameter, group) | {"warmed": 1.0}

    def move(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], memories: list[Memory]) -> None:
        lr, (beta1, beta2), now, ahead = group["lr"], group["betas"], [], []
        for memory in memories:
            mu, following = (beta1 * (1 - 0.5 * 0.96 ** (t * group["momentum_decay"])) for t in
                             (memory["step"], memory["step"] + 1))
            memory["warmed"] *= mu  # the product of all mu so far, in place of beta1^t
            now.append(-lr * (1 - mu) / (1 - memory["warmed"]))
            ahead.append(-lr * following / (1 - memory["warmed"] * following))
        roots = torch._foreach_div(remembered(memories, "second_moment"), [1 - beta2 ** m["step"] for m in memories])
        torch._foreach_sqrt_(roots)
        torch._foreach_add_(roots, group["eps"])
        torch._foreach_addcdiv_(params, grads, roots, now)
        torch._foreach_addcdiv_(params, remembered(memories, "momentum"), roots, ahead)


class RAdam(Adam):
    """Adam that trusts h only once it has seen enough gradients, and is momentum until then: `torch.optim.RAdam`.

    Takes what `Adam` takes. Not offered, unlike torch's: coupled weight decay, foreach, capturable, differentiable.
    """

    def move(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], memories: list[Memory]) -> None:
        lr, (beta1, beta2) = group["lr"], group["betas"]
        longest = 2 / (1 - beta2) - 1
        for p, memory in zip(params, memories):
            step, m, h = memory["step"], memory["momentum"], memory["second_moment"]
            length = longest - 2 * step * beta2**step / (1 - beta2**step)
            rate = lr / (1 - beta1**step)
            if length <= 5:
                p.add_(m, alpha=-rate)
                continue
            trust = (length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length)
            p.addcdiv_(m, h.sqrt().add_(group["eps"]), value=-rate * (trust * (1 - beta2**step)) ** 0.5)


class RMSProp(MemoryOptimizer):
    """Adam with beta1 = 0 and without bias correction, so with one memory: `torch.optim.RMSprop(alpha=beta)`.

    weight_decay is Adam's here (a share of the weights), while torch adds the weights to the gradient.
    `centered` takes the square of a mean gradient, a second memory, off h: g is divided by its
    standard deviation. A `momentum` above 0 sums up the steps, `v <- momentum v + g / root`, in a memory more.

    Not offered, unlike torch's: coupled weight decay, foreach, capturable, differentiable.
    Raises ValueError for a beta outside 0 to 1 (1 excluded), and for other settings below 0 or not finite.
    """

    decays = {"beta": 1}
    choices = ("maximize", "centered")

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-2,
        beta: float = 0.99,
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        *,
        centered: bool = False,
        momentum: float = 0.0,
        maximize: bool = False,
    ) -> None:
        settings = {"lr": lr, "beta": beta, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, settings | {"centered": centered, "momentum": momentum, "maximize": maximize})

    def fresh(self, parameter: Tensor, group: dict[str, Any]) -> Memory:
        kept = ["second_moment"] + ["mean"] * bool(group["centered"]) + ["velocity"] * bool(group["momentum"])
        return {name: torch.zeros_like(parameter) for name in kept}

    def write(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], memories: list[Memory]) -> None:
        h = remembered(memories, "second_moment")
        decay_weights(group, params)
        torch._foreach_mul_(h, group["beta"])
        torch._foreach_addcmul_(h, grads, grads, 1 - group["beta"])
        if group["centered"]:
            means = remembered(memories, "mean")
            torch._foreach_lerp_(means, grads, 1 - group["beta"])
            h = torch._foreach_addcmul(h, means, means, -1)
        roots = torch._foreach_sqrt(h)
        torch._foreach_add_(roots, group["eps"])
        if not group["momentum"]:
            torch._foreach_addcdiv_(params, grads, roots, -group["lr"])
            return
        for p, memory in zip(params, memories):
            if "velocity" not in memory:  # a scheduler has raised momentum from 0
                memory["velocity"] = torch.zeros_like(p)
        velocities = remembered(memories, "velocity")
        torch._foreach_mul_(velocities, group["momentum"])
        torch._foreach_addcdiv_(velocities, grads, roots)
        torch._foreach_add_(params, velocities, alpha=-group["lr"])


class Lion(MemoryOptimizer):
    """The sign of a momentum that is read with one decay and written with another; torch has no counterpart.

        W <- (1 - lr weight_decay) W - lr sign(beta1 m + (1 - beta1) g),    m <- beta2 m + (1 - beta2) g

    Not offered: coupled weight decay, foreach, fused, capturable, differentiable. Raises ValueError as `Adam` does.
    """

    decays = {"betas": 2}

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
        *,
        maximize: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay, "maximize": maximize})

    def fresh(self, parameter: Tensor, group: dict[str, Any]) -> Memory:
        return {"momentum": torch.zeros_like(parameter)}

    def write(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], memories: list[Memory]) -> None:
        (beta1, beta2), m = group["betas"], remembered(memories, "momentum")
        decay_weights(group, params)
        answers = torch._foreach_lerp(m, grads, 1 - beta1)
        signs = torch._foreach_sign(answers)
        torch._foreach_add_(signs, answers, alpha=0)  # the sign of NaN is 0, and would hide that the memory is lost
        torch._foreach_add_(params, signs, alpha=-group["lr"])
        torch._foreach_lerp_(m, grads, 1 - beta2)


# (m / c1) / (sqrt(h / c2) + eps) is sqrt(c2) / c1 times m / (sqrt(h) + eps sqrt(c2)): one pass over memory less.
def step_by_ratio(
    group: dict[str, Any], params: list[Tensor], m: list[Tensor], h: list[Tensor], memories: list[Memory]
) -> None:
    """Adam's step from its two memories, with bias correction."""
    beta1, beta2 = group["betas"]
    known = [(1 - beta2 ** memory["step"]) ** 0.5 for memory in memories]
    roots = torch._foreach_sqrt(h)
    torch._foreach_add_(roots, [group["eps"] * k for k in known])
    rates = [-group["lr"] * k / (1 - beta1 ** memory["step"]) for k, memory in zip(known, memories)]
    torch._foreach_addcdiv_(params, m, roots, rates)
