"""Architectures: the function a memory computes, and where its gradient lands.

An architecture holds sizes, never weights. The weights are a tuple of matrices, each
(..., out, in), passed in by whoever owns them; the leading dimensions are a batch of
independent memories. Tokens are the second last dimension of every input: (..., T, d).

The gradient of any layer `W x` is an outer product `delta x^T` (eq. 7-9). So an
architecture describes its whole backward pass by one pair per layer: the layer's own
input, its key, and the gradient at the layer's output, its local surprise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

Weights = tuple[Tensor, ...]
Surprise = Callable[[Tensor], Tensor]
Activation = Callable[[Tensor], Tensor]
Products = Sequence[Callable[[Tensor], Tensor]]
"""For each layer what it makes of its input (..., in): (..., out); the layer at the memory's output first."""
STEEPEST = 1.1
"""The largest slope of silu, and more than those of relu, tanh and the sigmoid."""
TINY = 1e-30
"""Under a root: at zero it would be infinitely steep."""


def products(weights: Weights) -> Products:
    """The layers' own products, `W x` each."""
    return [lambda x, w=w: x @ w.mT for w in weights]


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

    def through(self, layers: Products, x: Tensor) -> Tensor:
        """`M(x)` with each layer's product made by these functions: of matrices that are never formed, for example."""
        ...

    def gradients(self, weights: Weights, x: Tensor, surprise: Surprise) -> tuple[LayerGradient, ...]:
        """Each layer's gradient at `weights`, the one at the memory's output first.

        `surprise` maps the answer `M(x)` to the objective's gradient there.
        """
        ...

    def curvatures(self, weights: Weights) -> tuple[Tensor, ...]:
        """For each layer, the one at the memory's output first, how strongly the answer depends on its output.

        That is a bound on the largest eigenvalue of `B^T B`, (...), with B the derivative of the answer by the layer's
        output, at any input: 1 for the first layer, and more or less behind longer or shorter weights.
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
        return self.through(products(weights), x)

    def through(self, layers: Products, x: Tensor) -> Tensor:
        (layer,) = layers
        return layer(x)

    def gradients(self, weights: Weights, x: Tensor, surprise: Surprise) -> tuple[LayerGradient, ...]:
        answer = self.read(weights, x)
        return (LayerGradient(x, surprise(answer), answer),)

    def curvatures(self, weights: Weights) -> tuple[Tensor, ...]:
        return _curvatures(weights)


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
        return self.through(products(weights), x)

    def through(self, layers: Products, x: Tensor) -> Tensor:
        first, second = layers
        return x + first(F.silu(second(x)))

    def gradients(self, weights: Weights, x: Tensor, surprise: Surprise) -> tuple[LayerGradient, ...]:
        return _two_layers(weights, x, lambda moved: surprise(x + moved))

    def curvatures(self, weights: Weights) -> tuple[Tensor, ...]:
        return _curvatures(weights)


@dataclass(frozen=True)
class NarrowMLP:
    """`M(x) = w_1 silu(W_2 x)`: one number; weights are (w_1, W_2), as in `ResidualMLP`, w_1 a single row."""

    width: int
    hidden: int

    def shapes(self) -> tuple[tuple[int, int], ...]:
        return (1, self.hidden), (self.hidden, self.width)

    def read(self, weights: Weights, x: Tensor) -> Tensor:
        return self.through(products(weights), x)

    def through(self, layers: Products, x: Tensor) -> Tensor:
        first, second = layers
        return first(F.silu(second(x)))

    def gradients(self, weights: Weights, x: Tensor, surprise: Surprise) -> tuple[LayerGradient, ...]:
        return _two_layers(weights, x, surprise)

    def curvatures(self, weights: Weights) -> tuple[Tensor, ...]:
        return _curvatures(weights)


def _two_layers(weights: Weights, x: Tensor, surprise: Surprise) -> tuple[LayerGradient, ...]:
    """Gradients of an objective of `W_1 silu(W_2 x)`; `surprise` maps that to the objective's gradient there."""
    w1, w2 = weights
    z = x @ w2.mT
    gate = torch.sigmoid(z)
    h = z * gate
    moved = h @ w1.mT
    delta = surprise(moved)
    slope = torch.addcmul(gate, h, 1 - gate)  # the derivative of silu
    return LayerGradient(h, delta, moved), LayerGradient(x, (delta @ w1) * slope, z)


@dataclass(frozen=True)
class DeepMLP:
    """`M(x) = W_1 f(W_2 f(... f(W_L x)))`: L layers, f between them; weights are (W_1, ..., W_L).

    `widths` runs from the input to the output, so it has L + 1 numbers; the weights, as in
    every architecture here, start with the layer at the output. `activation` is any
    differentiable function of the layer's outputs, silu by default. One layer is `Linear`.

    Raises ValueError for fewer than two widths, or one below 1.
    """

    widths: tuple[int, ...]
    activation: Activation = F.silu

    def __post_init__(self) -> None:
        if len(self.widths) < 2 or min(self.widths) < 1:
            raise ValueError(f"widths {self.widths}: give at least an input and an output width, each 1 or more")

    def shapes(self) -> tuple[tuple[int, int], ...]:
        return tuple(zip(self.widths[:0:-1], self.widths[-2::-1]))

    def read(self, weights: Weights, x: Tensor) -> Tensor:
        return self.through(products(weights), x)

    def through(self, layers: Products, x: Tensor) -> Tensor:
        *later, deepest = layers
        answer = deepest(x)
        for layer in reversed(later):
            answer = layer(self.activation(answer))
        return answer

    def gradients(self, weights: Weights, x: Tensor, surprise: Surprise) -> tuple[LayerGradient, ...]:
        passes = []  # (input, output, pullback of the activation before the input), the deepest layer first
        back = None
        for w in reversed(weights):
            if passes:
                x, back = torch.func.vjp(self.activation, passes[-1][1])
            passes.append((x, x @ w.mT, back))
        delta = surprise(passes[-1][1])
        layers = []
        for w, (x, output, back) in zip(weights, reversed(passes)):
            layers.append(LayerGradient(x, delta, output))
            if back is not None:
                (delta,) = back(delta @ w)
        return tuple(layers)

    def curvatures(self, weights: Weights) -> tuple[Tensor, ...]:
        """As for every architecture, if the activation is no steeper than STEEPEST."""
        return _curvatures(weights)


def _curvatures(weights: Weights) -> tuple[Tensor, ...]:
    """Of layers with an activation between them."""
    found = [weights[0].new_ones(weights[0].shape[:-2])]
    for w in weights[:-1]:
        found.append(found[-1] * STEEPEST**2 * _squared_norm(w))
    return tuple(found)


def _squared_norm(w: Tensor) -> Tensor:
    """An upper bound of the squared spectral norm of matrices (..., out, in): (...).

    It is the fourth root of the sum of the squared singular values' fourth powers: two small products, and smooth.
    For r equal singular values it is too large by r^(1/4).
    """
    gram = w @ w.mT if w.shape[-2] < w.shape[-1] else w.mT @ w
    return ((gram @ gram).square().sum((-1, -2)) + TINY).sqrt().sqrt()
