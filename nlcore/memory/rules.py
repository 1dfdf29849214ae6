"""Learning rules and retention: how a memory changes at a write, and what it keeps.

Both act on one matrix at a time. `W` is (..., out, in), a token's key `x` is (..., in),
and rates are (...), one per memory of the batch.
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class Rule(Protocol):
    """What a write takes out of a matrix besides the gradient."""

    def erase(self, weight: Tensor, x: Tensor, eta: Tensor) -> Tensor | float:
        """The part of `weight` to subtract: (..., out, in)."""
        ...


@dataclass(frozen=True)
class GradientDescent:
    """`W <- W - eta delta x^T` (eq. 76-78): nothing is erased."""

    def erase(self, weight: Tensor, x: Tensor, eta: Tensor) -> float:
        return 0.0


@dataclass(frozen=True)
class DeltaGradientDescent:
    """`W <- W (I - eta x x^T) - eta delta x^T` (eq. 86-88, 121).

    What the matrix used to answer at the key `x` is erased, then the step is made.
    """

    def erase(self, weight: Tensor, x: Tensor, eta: Tensor) -> Tensor:
        answer = (weight @ x[..., None]).squeeze(-1)
        return (eta[..., None] * answer)[..., None] * x[..., None, :]


class Retention(Protocol):
    """What a matrix falls back to when nothing is written."""

    def keep(self, weight: Tensor, start: Tensor, alpha: Tensor) -> Tensor:
        """The retained matrix, (..., out, in); `alpha` (...) is 1 to keep everything."""
        ...


@dataclass(frozen=True)
class Decay:
    """`W <- alpha W`, as printed: the memory fades to nothing, its start included."""

    def keep(self, weight: Tensor, start: Tensor, alpha: Tensor) -> Tensor:
        return alpha[..., None, None] * weight


@dataclass(frozen=True)
class PullToStart:
    """`W <- W_0 + alpha (W - W_0)`: the memory forgets what it met, not what it is.

    A memory that generates its own values dies under plain decay: as it shrinks, so
    do the values it writes. Here only what was learnt in context fades.
    """

    def keep(self, weight: Tensor, start: Tensor, alpha: Tensor) -> Tensor:
        return start + alpha[..., None, None] * (weight - start)
