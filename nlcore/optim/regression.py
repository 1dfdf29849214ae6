"""Appendix B: which memory of past gradients is the best one, when best means least squares."""

import torch
from torch import Tensor


def elementwise_memory(gradients: Tensor, targets: Tensor, weights: Tensor, ridge: float = 0.0) -> Tensor:
    """The memory `m` that minimises `sum_i w_i (m g_i - P_i)^2 + ridge m^2`, each coordinate alone (eq. 101).

        m = sum_i w_i P_i g_i / (ridge + sum_i w_i g_i^2)

    With all weights 1 the two sums are eq. 102's, which have no decay. With `P = sum g^2` and no
    ridge, `m` is the sum of gradients, momentum (eq. 104); with `P` its root, Adam (eq. 105).

    Args:
        gradients: (steps, *shape), oldest first.
        targets: P, a tensor that broadcasts against `gradients`.
        weights: w, (steps,) or as `gradients`; how much each past gradient counts.
        ridge: pulls the memory to 0.

    Returns (*shape,). Where all gradients and the ridge are 0 there is no best memory, and it is NaN.
    """
    if weights.ndim == 1:
        weights = weights.view(-1, *[1] * (gradients.ndim - 1))
    return (weights * targets * gradients).sum(0) / (ridge + (weights * gradients.square()).sum(0))


def adam_regression(gradients: Tensor, beta1: float, beta2: float) -> tuple[Tensor, Tensor]:
    """The targets and weights whose best memory is Adam's direction, `m_t / sqrt(h_t)`.

    A gradient of age a weighs `(1 - beta2) beta2^a`. Its target is `sqrt(h_t)`, times
    `(1 - beta1) beta1^a / ((1 - beta2) beta2^a)`: with equal betas that factor is 1, and this is
    eq. 105 with decay; else the target of a gradient fades against its weight as it ages. Bias
    correction multiplies all targets by one number, `sqrt(1 - beta2^t) / (1 - beta1^t)`.

    Args:
        gradients: (steps, *shape), oldest first.

    Returns targets, as `gradients`, and weights, (steps,).
    """
    age = torch.arange(len(gradients) - 1, -1, -1, dtype=gradients.dtype, device=gradients.device)
    kept_by_m, weights = (1 - beta1) * beta1**age, (1 - beta2) * beta2**age
    root = torch.tensordot(weights, gradients.square(), 1).sqrt()
    return torch.tensordot(kept_by_m / weights, root, 0), weights
