"""Deep Momentum: the memory of gradients is an MLP that learns while it is used."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from nlcore.memory import L2, DeepMLP
from nlcore.optim.base import Memory, MemoryOptimizer


class DeepMomentum(MemoryOptimizer):
    """Deep Momentum Gradient Descent (eq. 50), with the L2 objective and two layers.

        M <- alpha M - eta grad L(M; u, u),    W <- W - lr M(u)

    Each parameter has its own MLP `M(u) = W_1 silu(W_2 u)`. Its keys are the rows of the gradient
    (all that a unit's weights are told), its values are those rows again: it is asked to give
    back, through a few hidden units, the gradients it meets. So it answers with what it has seen
    before, and leaves out most of what is new or does not come again, such as noise. W_1 starts at zero:
    the weights stand still until the memory has learnt something, and nothing random ever reaches
    them. `inner_steps` gradient steps train it, by hand-written gradients, before each read.

    One MLP a parameter, since rows of one matrix share a space and those of two do not. It takes
    2 in x hidden numbers for an out x in matrix, mostly fewer than momentum's out x in; a bias is
    one row. One MLP for all coordinates would run too, but a coordinate alone is one number, which
    it could only rescale. A convolution's kernel is a matrix of a row for each output channel.

    Rows are divided by the root of their mean squared norm before, and answers multiplied after,
    so eta means the same for every layer and at every time. Each layer's step is bounded as in
    `DeltaMomentum`: `eta / (1 + eta c)`, c a bound on how the loss curves there.

    Args:
        params: parameters or groups; a group may set all that follows, alpha also as `momentum`.
        lr: step size of the weights.
        eta: inner learning rate.
        alpha: how much of W_1, which holds the answers, is kept at each step. W_2 is not decayed:
            what both layers have lost at once has no gradient and could not be learnt again.
        hidden: hidden units; about as many directions are remembered at a time.
        inner_steps: gradient steps on each gradient.
        maximize: go up the gradient.

    Not offered: weight_decay, nesterov, foreach, fused, capturable, differentiable.

    Eq. 50 prints the target 1 in place of u ("e.g. dot product similarity"): with it the answers grow
    without end, along one direction for all gradients (chapter 03 runs both).

    The state holds `w1`, `w2` and `inner_loss`: half the mean squared error on this step's rows,
    relative to their norm, before it learnt from them. A memory that answers nothing has 0.5.
    Raises ValueError for a number below 0, or no hidden unit or inner step.
    """

    counts = {"hidden": 1, "inner_steps": 1}
    torch_names = {"alpha": "momentum"}

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        eta: float = 1.0,
        alpha: float = 0.999,
        *,
        hidden: int = 16,
        inner_steps: int = 1,
        maximize: bool = False,
    ) -> None:
        settings = {"lr": lr, "eta": eta, "momentum": alpha, "hidden": hidden, "inner_steps": inner_steps}
        super().__init__(params, settings | {"maximize": maximize})

    def fresh(self, parameter: Tensor, group: dict[str, Any]) -> Memory:
        width, hidden = _rows(parameter).shape[-1], group["hidden"]
        first = torch.randn(hidden, width, generator=torch.Generator().manual_seed(0)) / hidden**0.5  # W_2 u: u's norm
        return {
            "w1": parameter.new_zeros(width, hidden),
            "w2": first.to(parameter),
            "inner_loss": parameter.new_zeros(()),
        }

    def write(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], memories: list[Memory]) -> None:
        for p, g, memory in zip(params, grads, memories):
            p.sub_(self._answer(group, _rows(g), memory).view_as(p), alpha=group["lr"])

    def _answer(self, group: dict[str, Any], rows: Tensor, memory: Memory) -> Tensor:
        """Trains the memory on the rows of a gradient, then reads it there."""
        size = rows.norm() / len(rows) ** 0.5
        u = rows / size.clamp_min(torch.finfo(rows.dtype).tiny)
        weights = memory["w1"], memory["w2"]
        network, objective = DeepMLP((u.shape[-1], group["hidden"], u.shape[-1])), L2()
        for step in range(group["inner_steps"]):
            layers = network.gradients(weights, u, lambda answer: objective.gradient(answer, u))
            if step == 0:
                memory["inner_loss"].copy_(objective.loss(layers[0].output, u).mean())
                memory["w1"].mul_(group["momentum"])
            curvatures = layers[0].x.square().sum() / len(u), weights[0].square().sum()
            for w, layer, c in zip(weights, layers, curvatures):
                rate = group["eta"] / (1 + group["eta"] * c)
                w.addmm_((rate * layer.delta).mT, layer.x, alpha=-1 / len(u))
        return size * network.read(weights, u)


def _rows(gradient: Tensor) -> Tensor:
    """A gradient as a matrix, a row for each output: (out, in). One row for a bias, or a single number."""
    return gradient.reshape(len(gradient), -1) if gradient.dim() > 1 else gradient.reshape(1, -1)
