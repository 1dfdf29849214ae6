"""What retention leaves of the past within a chunk: the factor that all closed forms share."""

import torch
from torch import Tensor


def remaining(log_rates: Tensor) -> Tensor:
    """What token t still holds of what was there after token s: (..., C, C) of rates (..., C), 0 for s > t."""
    log_total = log_rates.cumsum(-1)
    gaps = log_total[..., :, None] - log_total[..., None, :]
    later = torch.ones(gaps.shape[-2:], dtype=torch.bool, device=gaps.device).triu(1)
    # Quotients of products underflow; differences of sums do not.
    return gaps.masked_fill(later, -torch.inf).exp()
