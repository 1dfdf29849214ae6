"""Newton-Schulz: makes all singular values of a matrix 1 with products alone, by descending `|O^T O - I|^2` (eq. 42-44)."""

import torch
from torch import Tensor

from nlcore.ops.sharded import as_a_whole

Coefficients = tuple[float, float, float]
"""(a, b, c) of the odd polynomial `a s + b s^3 + c s^5` that each singular value s goes through."""

CUBIC: Coefficients = (1.5, -0.5, 0.0)
"""One gradient step of rate 1/8 on eq. 43: exact in the limit, slow for small singular values."""
QUINTIC: Coefficients = (3.4445, -4.7750, 2.0315)
"""Muon's: grows small singular values 3.4 times a step; five steps leave those above 0.002 between 0.68 and 1.21, not at 1."""


def newton_schulz(
    g: Tensor,
    steps: int = 5,
    coefficients: Coefficients = QUINTIC,
    eps: float = 1e-7,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """The matrix with g's singular vectors and singular values near 1, after `steps` steps.

        O <- g / |g|,    O <- a O + b (O O^T) O + c (O O^T)^2 O

    With CUBIC this tends to the polar factor U V^T of g = U S V^T: the orthogonal matrix nearest to
    g. A singular value that is 0 stays 0. Of a sharded g every process computes the whole, and keeps its own part.

    Args:
        g: (rows, columns).
        steps: how often; the cubic needs about log(1/s) / log(1.5) to lift a singular value s of g / |g|.
        eps: smallest norm that is divided by, so that a gradient of 0 gives 0.
        dtype: of the computation and the result; g's own by default. Muon's is bfloat16.

    Raises ValueError for a g that is not a matrix.
    """
    if g.ndim != 2:
        raise ValueError(f"Newton-Schulz takes a matrix, not a tensor of size {list(g.shape)}: reshape it")
    return as_a_whole(lambda matrix: _descended(matrix.to(dtype or g.dtype), steps, coefficients, eps), g)


def _descended(g: Tensor, steps: int, coefficients: Coefficients, eps: float) -> Tensor:
    a, b, c = coefficients
    tall = g.shape[0] > g.shape[1]
    O = g.mT if tall else g  # the smaller of the two products of O with itself
    O = O / O.norm().clamp(min=eps)
    for _ in range(steps):
        S = O @ O.mT
        S = torch.addmm(S, S, S, beta=b, alpha=c)
        O = torch.addmm(O, S, O, beta=a)
    return O.mT if tall else O


def orthogonality(O: Tensor) -> Tensor:
    """`|O^T O - I|^2`, the loss of eq. 43: 0 for orthonormal columns. O is (rows, columns)."""
    return (O.mT @ O - torch.eye(O.shape[1], dtype=O.dtype, device=O.device)).square().sum()


def orthogonality_gradient(O: Tensor) -> Tensor:
    """The gradient of eq. 43, `4 O (O^T O - I)`; a step of 1/8 along it is the cubic Newton-Schulz."""
    return 4 * (O @ (O.mT @ O) - O)


def printed_newton_schulz(g: Tensor, steps: int, rate: float = 0.25) -> Tensor:
    """Eq. 44 as printed, for its erratum: `O <- O - rate ((O - g) + 2 O (O^T O - I))`, from O = g.

    The pull back to g is no part of eq. 43. Without it the default rate gives the cubic
    Newton-Schulz; with it singular values s stop where `(s - s0) + 2 s (s^2 - 1) = 0`: at
    0.71 for s0 = 0, and at 1 for s0 = 1 alone. g is scaled to norm 1 first, as above.
    """
    g = g / g.norm()
    O = g
    for _ in range(steps):
        O = O - rate * ((O - g) + orthogonality_gradient(O) / 2)
    return O
