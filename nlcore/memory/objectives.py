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
