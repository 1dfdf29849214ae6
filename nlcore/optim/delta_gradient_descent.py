"""Delta Gradient Descent: a write that first erases what the layer used to answer."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from nlcore.optim.base import Memory, wide_dtype
from nlcore.optim.layer_inputs import LayerInputs, LayerOptimizer


def delta_rate(eta: Tensor | float, x: Tensor) -> Tensor:
    """`eta' = eta / (1 + eta ||x||^2)`, the rate of the exact step for inputs x (..., in): (...).

    The paper prints `eta / (1 + eta)`, which this is at `||x|| = 1`.
    """
    return eta / (1 + eta * x.square().sum(-1))


def settle(matrix: Tensor, x: Tensor, eta: Tensor | float) -> Tensor:
    """`matrix (I + eta mean_t x_t x_t^T)^-1` for inputs x (N, in): (..., out, in).

    Solves in the smaller of the two dimensions: of size N by Woodbury's identity while N < in, where it
    costs out x in x N; else of size in, on the mean of x x^T, of in x in numbers. Both are symmetric and
    positive definite at any eta >= 0; the README here derives it. Half precision is computed in float32. What is not finite stays so,
    without an error.
    """
    wide = wide_dtype(matrix)
    given, matrix, x = matrix.dtype, matrix.to(wide), x.to(wide)
    count, size = x.shape
    eta = eta / count
    if count < size:
        answers = matrix @ x.mT
        settled = matrix - eta * _divide(answers, x @ x.mT, eta) @ x
    else:
        settled = _divide(matrix, x.mT @ x, eta)
    return settled.to(given)


def _divide(matrix: Tensor, products: Tensor, eta: Tensor | float) -> Tensor:
    """`matrix (I + eta products)^-1`, for symmetric products."""
    eye = torch.eye(len(products), dtype=products.dtype, device=products.device)
    factor, _ = torch.linalg.cholesky_ex(eye + eta * products)  # the checked form would wait for the device
    return torch.cholesky_solve(matrix.mT, factor).mT


def delta_step(weight: Tensor, gradient: Tensor, x: Tensor, eta: Tensor | float) -> Tensor:
    """The exact step of Delta Gradient Descent for a batch (eq. 56, 113): the new weight, (..., out, in).

    With the loss a mean over the N inputs x (N, in), `gradient` its gradient for the weight, and
    `u_t = -N dL/dy_t`, this is the one minimiser over W of

        mean_t ||W x_t - u_t||^2 / 2  +  ||W - weight||^2 / (2 eta).

    Its condition, `W (I + eta mean x x^T) = weight - eta gradient`, says: a step of gradient descent,
    then `settle`. For one input it is eq. 57 with `delta_rate`.
    """
    return settle(weight - eta * gradient, x, eta)


class DeltaGradientDescent(LayerOptimizer):
    """Delta Gradient Descent (eq. 56-57, 112-121) for the weights of all `nn.Linear` layers of a model.

        W <- (W - lr G) (I + lr mean_t x_t x_t^T)^-1

    G is the gradient and x_t are the N inputs that the layer met since the last step; for one input it is
    `W <- W (I - eta' x x^T) + eta' u x^T` with `eta' = lr / (1 + lr ||x||^2)` and `u = -dL/dy`. Every
    other parameter, and a weight whose inputs were not seen, takes a step of gradient descent.

    Like its objective, it asks a layer to answer its own correction, `W x = u`. To first order the step is
    gradient descent on `L + mean ||W x||^2 / 2`: it pulls every layer's outputs towards zero, and with a
    squared error it settles at half of the target. It remembers nothing between steps: the weights are its
    one level.

        inputs = LayerInputs(model)
        optimizer = DeltaGradientDescent(model.parameters(), inputs, lr=0.1)

    Clear gradients with its own `zero_grad`, which clears the inputs too. Use it in one process: elsewhere
    the gradient is the mean over processes, the inputs are not.

    Args:
        params: parameters or groups; a group may set lr and maximize.
        inputs: what the layers are given; closing it is the caller's part.
        lr: eta.
        maximize: go up the gradient, `G <- -G`; old answers are erased as before.

    Not offered: momentum, weight_decay, foreach, fused, capturable, differentiable.
    Raises ValueError for lr below 0.
    """

    def __init__(self, params: Iterable[Any], inputs: LayerInputs, lr: float = 0.1, *, maximize: bool = False) -> None:
        super().__init__(params, inputs, {"lr": lr, "maximize": maximize})

    def write(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], memories: list[Memory]) -> None:
        for weight, gradient in zip(params, grads):
            seen, wide = self.inputs.of(weight), wide_dtype(weight)
            present, gradient = weight.to(wide), gradient.to(wide)
            if seen is None:
                weight.copy_(torch.add(present, gradient, alpha=-group["lr"]))
            else:
                weight.copy_(delta_step(present, gradient, seen.x, group["lr"]))
