"""The best linear memory at once: what every inner loop on the same pairs tries to reach."""

import torch
from torch import Tensor


def ridge(k: Tensor, v: Tensor, strength: float = 0.0) -> Tensor:
    """The matrix that minimises `sum_t ||W k_t - v_t||^2 / 2 + strength ||W||^2 / 2` (eq. 6, solved).

    Keys (..., T, d_k) and values (..., T, d_v) give W, (..., d_v, d_k). It is V^T K (K^T K + strength I)^-1;
    computed from the keys with `sqrt(strength) I` stacked below them, whose pseudo-inverse squares
    no condition number. At strength 0, with fewer independent keys than d_k, many matrices fit and
    this is the one of least norm: the one gradient descent from zero converges to.

    Raises ValueError for a strength below 0.
    """
    if strength < 0:
        raise ValueError(f"the ridge strength is {strength}: give 0 or more")
    penalty = strength**0.5 * torch.eye(k.shape[-1], dtype=k.dtype, device=k.device)
    stacked = torch.cat([k, penalty.expand(*k.shape[:-2], -1, -1)], dim=-2)
    return (torch.linalg.pinv(stacked)[..., : k.shape[-2]] @ v).mT
