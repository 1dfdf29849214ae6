"""Learning rules and retention: how a memory changes at a write, and what it keeps.

Both act on one matrix at a time. `W` is (..., out, in), a token's key `x` is (..., in), the
gradient at the layer's output `delta` is (..., out), and rates are (...), one per memory.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol

from torch import Tensor

NEWEST = (1.0,)


class Rule(Protocol):
    """Which tokens a step looks at, and what it takes out of a matrix besides their gradient."""

    @property
    def window(self) -> tuple[float, ...]:
        """Weight of each token in a step's loss, the newest last; `NEWEST` is that one alone."""
        ...

    def erase(self, weight: Tensor, x: Tensor, delta: Tensor, eta: Tensor) -> Tensor | float:
        """The part of `weight` to subtract, (..., out, in), given the newest token's factors."""
        ...


@dataclass(frozen=True)
class GradientDescent:
    """`W <- W - eta delta x^T` (eq. 76-78): nothing is erased.

    With `DotProduct` it is the Hebbian rule `W + eta v k^T` (eq. 64), with `L2` the delta rule
    `W (I - eta k k^T) + eta v k^T` (eq. 65, which prints that factor on the left of W): the
    objective tells them apart, not the rule.
    """

    window: ClassVar[tuple[float, ...]] = NEWEST

    def erase(self, weight: Tensor, x: Tensor, delta: Tensor, eta: Tensor) -> float:
        return 0.0


@dataclass(frozen=True)
class DeltaGradientDescent:
    """`W <- W (I - eta x x^T) - eta delta x^T` (eq. 57, 86-88).

    What the matrix used to answer at the key `x` is erased, then the step is made.
    """

    window: ClassVar[tuple[float, ...]] = NEWEST

    def erase(self, weight: Tensor, x: Tensor, delta: Tensor, eta: Tensor) -> Tensor:
        answer = (weight @ x[..., None]).squeeze(-1)
        return (eta[..., None] * answer)[..., None] * x[..., None, :]


@dataclass(frozen=True)
class Oja:
    """`W <- (I - eta delta delta^T) W - eta delta x^T` (eq. 66-67, with the transpose that print lacks).

    Printed is `alpha M + eta v (phi(k)^T - M^T v)`, a row minus a column; the objective below 67,
    `-2 <M k, v> + ||M^T v||^2`, has this gradient (times 2).

    The mirror image of `DeltaGradientDescent`: it erases on the side of the values. With
    `DotProduct`, `delta` is `-v` and the rule is `W + eta v (k - W^T v)^T`: a step of the delta
    rule for the transposed matrix, which learns to answer `v` with `k`. When the value is the
    memory's own answer `W k` it is Oja's subspace rule, and finds principal components.
    """

    window: ClassVar[tuple[float, ...]] = NEWEST

    def erase(self, weight: Tensor, x: Tensor, delta: Tensor, eta: Tensor) -> Tensor:
        backwards = (weight.mT @ delta[..., None]).squeeze(-1)
        return (eta[..., None] * delta)[..., None] * backwards[..., None, :]


@dataclass(frozen=True)
class Omega:
    """`W <- W - eta sum_i gamma_i delta_i x_i^T` over the last c tokens (eq. 68, as an explicit step).

    Printed is `alpha M_{t-1} - sum_i gamma_i L(M_t; k_i, v_i)`: the nabla before L is missing. At the
    printed M_t the step would be implicit (`proximal_step`); here the gradient is taken at M_{t-1}.
    `window` holds the weights gamma, the oldest token's first, so c is its length;
    `Omega((1.0,))` is `GradientDescent`. The paper makes the weights from the data; here they
    are fixed. All c gradients are taken at the same weights. While fewer than c tokens have
    come, the sum is over those. The state carries the last c keys and values.

    Raises ValueError when the window is empty.
    """

    window: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.window:
            raise ValueError("the window is empty: give one weight for each token a step looks at, at least one")

    def erase(self, weight: Tensor, x: Tensor, delta: Tensor, eta: Tensor) -> float:
        return 0.0


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


@dataclass(frozen=True)
class KeepAll:
    """`W <- W`: nothing is forgotten, whatever alpha is (Table 6, "w/o weight decay")."""

    def keep(self, weight: Tensor, start: Tensor, alpha: Tensor) -> Tensor:
        return weight
