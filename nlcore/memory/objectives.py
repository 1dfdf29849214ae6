"""Objectives: what a memory is asked for when it is given a key and a value.

The paper calls them the attentional bias. Each one needs two things: the loss, and
its gradient at the memory's output, which the paper calls the local surprise.
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class Objective(Protocol):
    """A loss between a memory's answer and the value it should have given."""

    def loss(self, answer: Tensor, value: Tensor) -> Tensor:
        """Loss of each token: two tensors (..., d) in, one (...) out."""
        ...

    def gradient(self, answer: Tensor, value: Tensor) -> Tensor:
        """Gradient of the loss at the answer, (..., d). The value counts as given."""
        ...


@dataclass(frozen=True)
class DotProduct:
    """`-<M(k), v>` (eq. 92): its gradient is `-v`, whatever the memory answers."""

    def loss(self, answer: Tensor, value: Tensor) -> Tensor:
        return -(answer * value).sum(-1)

    def gradient(self, answer: Tensor, value: Tensor) -> Tensor:
        return -value.expand_as(answer)


@dataclass(frozen=True)
class L2:
    """`||M(k) - v||^2 / 2` (eq. 93): its gradient is the error `M(k) - v`."""

    def loss(self, answer: Tensor, value: Tensor) -> Tensor:
        return (answer - value).square().sum(-1) / 2

    def gradient(self, answer: Tensor, value: Tensor) -> Tensor:
        return answer - value


@dataclass(frozen=True)
class Huber:
    """L2 for each entry of the error up to `delta`, straight beyond: an outlier pulls no harder.

    The gradient is the error, clipped to -delta .. delta. It is continuous; its own derivative
    jumps from 1 to 0 at an error of size delta (there autograd and this take 1).

    Raises ValueError unless delta is above 0.
    """

    delta: float = 1.0

    def __post_init__(self) -> None:
        if self.delta <= 0:
            raise ValueError(f"delta is {self.delta}: give the error, above 0, from which the loss is straight")

    def loss(self, answer: Tensor, value: Tensor) -> Tensor:
        error = (answer - value).abs()
        near = error.clamp(max=self.delta)
        return (near * (error - near / 2)).sum(-1)

    def gradient(self, answer: Tensor, value: Tensor) -> Tensor:
        return (answer - value).clamp(-self.delta, self.delta)


@dataclass(frozen=True)
class Lp:
    """`sum |M(k) - v|^p / p`: its gradient is `sign(e) |e|^(p - 1)` for each entry e of the error.

    p = 2 is `L2`; p = 1 writes signs only; a large p cares for the largest error above all. At
    e = 0 there are kinks: for p = 1 the loss has a corner, and the gradient given is 0; for
    1 < p < 2 the gradient is 0 but infinitely steep, so its own derivative is not finite.

    Raises ValueError for p below 1, where the loss is not convex.
    """

    p: float

    def __post_init__(self) -> None:
        if self.p < 1:
            raise ValueError(f"p is {self.p}: give 1 or more, below that the loss is not convex")

    def loss(self, answer: Tensor, value: Tensor) -> Tensor:
        return (answer - value).abs().pow(self.p).sum(-1) / self.p

    def gradient(self, answer: Tensor, value: Tensor) -> Tensor:
        error = answer - value
        return error.sign() * error.abs().pow(self.p - 1)
