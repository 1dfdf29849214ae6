"""Architectures: the function a memory computes, and where its gradient lands.

An architecture holds sizes, never weights. The weights are a tuple of matrices, each
(..., out, in), passed in by whoever owns them; the leading dimensions are a batch of
independent memories. Tokens are the second last dimension of every input: (..., T, d).

The gradient of any layer `W x` is an outer product `delta x^T` (eq. 7-9). So an
architecture describes its whole backward pass by one pair per layer: the layer's own
input, its key, and the gradient at the layer's output, its local surprise.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

Weights = tuple[Tensor, ...]
Surprise = Callable[[Tensor], Tensor]


class LayerGradient(NamedTuple):
    """Gradient `delta x^T` of one layer, as its two factors."""

    x: Tensor
    """The layer's input, its key: (..., T, in)."""
    delta: Tensor
    """The gradient at the layer's output, its surprise: (..., T, out)."""
    output: Tensor
    """The layer's output, `W x`: (..., T, out)."""


class Architecture(Protocol):
    """A memory's function `M(x)`."""

    def shapes(self) -> tuple[tuple[int, int], ...]:
        """(out, in) of each weight."""
        ...

    def read(self, weights: Weights, x: Tensor) -> Tensor:
        """`M(x)` for tokens (..., T, in): (..., T, out)."""
        ...

    def gradients(self, weights: Weights, x: Tensor, surprise: Surprise) -> tuple[LayerGradient, ...]:
        """Each layer's gradient at `weights`, the one at the memory's output first.

        `surprise` maps the answer `M(x)` to the objective's gradient there.
        """
        ...


@dataclass(frozen=True)
class Linear:
    """`M(x) = W x`, with W of shape (outputs, inputs)."""

    inputs: int
    outputs: int

    def shapes(self) -> tuple[tuple[int, int], ...]:
        return ((self.outputs, self.inputs),)

    def read(self, weights: Weights, x: Tensor) -> Tensor:
        (w,) = weights
        return x @ w.mT

    def gradients(self, weights: Weights, x: Tensor, surprise: Surprise) -> tuple[LayerGradient, ...]:
        answer = self.read(weights, x)
        return (LayerGradient(x, surprise(answer), answer),)


@dataclass(frozen=True)
class ResidualMLP:
    """`M(x) = x + W_1 silu(W_2 x)` (eq. 89); weights are (W_1, W_2).

    The second layer's key is the memory's input; the first layer's key is what the
    second one made of it, `silu(W_2 x)`.
    """

    width: int
    hidden: int

    def shapes(self) -> tuple[tuple[int, int], ...]:
        return (self.width, self.hidden), (self.hidden, self.width)

    def read(self, weights: Weights, x: Tensor) -> Tensor:
        w1, w2 = weights
        return x + F.silu(x @ w2.mT) @ w1.mT

    def gradients(self, weights: Weights, x: Tensor, surprise: Surprise) -> tuple[LayerGradient, ...]:
        w1, w2 = weights
        z = x @ w2.mT
        gate = torch.sigmoid(z)
        h = z * gate
        moved = h @ w1.mT
        delta = surprise(x + moved)
        slope = gate + h * (1 - gate)  # the derivative of silu
        return LayerGradient(h, delta, moved), LayerGradient(x, (delta @ w1) * slope, z)
