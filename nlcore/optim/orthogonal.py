"""The orthogonal answer of a momentum, for Muon and M3."""

import torch
from torch import Tensor

from nlcore.ops.newton_schulz import Coefficients, newton_schulz


def orthogonal(
    m: Tensor, iterations: int, coefficients: Coefficients, eps: float = 1e-7, dtype: torch.dtype | None = None
) -> Tensor:
    """What `newton_schulz` makes of m, (rows, ...), read as (rows, all others): of m's shape and dtype.

    This is the one place where an optimizer needs a matrix whole: one that is spread over processes is to be gathered
    here, and its answer spread again.
    """
    return newton_schulz(m.flatten(1), iterations, coefficients, eps, dtype).to(m.dtype).view_as(m)
