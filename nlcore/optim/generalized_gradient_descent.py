"""Generalised Gradient Descent: a layer learns values that it makes itself, by any objective and retention."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from nlcore.memory import L2, DotProduct, Objective
from nlcore.optim.base import Memory, wide_dtype
from nlcore.optim.delta_gradient_descent import settle
from nlcore.optim.layer_inputs import LayerInputs, LayerOptimizer
from nlcore.optim.settings import check_count

TOLERANCE = 1e-3
"""How far from the argmin a step of `GeneralizedGradientDescent` may end, as a share of the whole step."""


class Retention(Protocol):
    """`Ret(W, {W_i})` of eq. 59: what it costs to move away from the last `states` weights W_i.

    All of ours are, up to a constant, `||W - centre||^2 / (2 rate)`.
    """

    @property
    def states(self) -> int:
        """c, how many states it looks at, the present one included."""
        ...

    def around(self, mean: Tensor, eta: float) -> tuple[Tensor, float]:
        """Centre and rate, given the mean of the last c states and the learning rate."""
        ...


@dataclass(frozen=True)
class StayNear:
    """`mean_i ||W - W_i||^2 / (2 eta)`: near the last c states. c = 1 is the proximal term of eq. 55 and 56.

    Raises ValueError for c below 1.
    """

    states: int = 1

    def __post_init__(self) -> None:
        if self.states < 1:
            raise ValueError(f"states is {self.states}: retention looks at 1 state, the present one, or more")

    def around(self, mean: Tensor, eta: float) -> tuple[Tensor, float]:
        return mean, eta


@dataclass(frozen=True)
class StayNearAndSmall(StayNear):
    """`StayNear`, plus `decay ||W||^2 / 2`: what no input asks for fades.

    Raises ValueError for c below 1 or decay below 0.
    """

    decay: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.decay >= 0:
            raise ValueError(f"decay is {self.decay}: give a number, 0 or more")

    def around(self, mean: Tensor, eta: float) -> tuple[Tensor, float]:
        kept = 1 / (1 + eta * self.decay)
        return kept * mean, kept * eta


def write_values(
    objective: Objective, x: Tensor, u: Tensor, centre: Tensor, rate: float, inner_steps: int, tolerance: float = 0.0
) -> Tensor:
    """`argmin_W mean_t objective(W x_t; u_t) + ||W - centre||^2 / (2 rate)`: (out, in).

    x is (N, in), u (N, out), centre (out, in). Descends from `centre` along the direction of
    Delta Gradient Descent, each step halved until the sum falls enough: the first is exact for
    `DotProduct` and `L2`. For any convex objective the sum bends at least by `1 / rate`, so the argmin is
    at most `rate |slope|` away: it ends where that is below `tolerance` times the move from `centre`, where
    rounding leaves nothing to gain, or after `inner_steps`, as far as it got.
    """

    def problem(weight: Tensor) -> Tensor:
        return objective.loss(x @ weight.mT, u).mean() + (weight - centre).square().sum() / (2 * rate)

    eye = torch.eye(centre.shape[-1], dtype=centre.dtype, device=centre.device)
    shrink = eye if isinstance(objective, DotProduct) else settle(eye, x, rate)  # the dot product does not bend
    weight, value = centre, problem(centre)
    for _ in range(inner_steps):
        slope = objective.gradient(x @ weight.mT, u).mT @ x / len(x) + (weight - centre) / rate
        move = rate * slope @ shrink
        gain = (slope * move).sum()
        near = rate * slope.norm() <= tolerance * (weight - centre).norm()
        if near or gain <= torch.finfo(value.dtype).eps * value.abs():
            break
        while (after := problem(weight - move)) > value - 1e-4 * gain:
            if gain <= torch.finfo(value.dtype).eps * value.abs():
                return weight
            move, gain = move / 2, gain / 2
        weight, value = weight - move, after
    return weight


class GeneralizedGradientDescent(LayerOptimizer):
    """Generalised Gradient Descent (Def. 5, eq. 59-60) for the weights of all `nn.Linear` layers of a model.

        W_{t+1} = argmin_W  mean_t objective(W x_t; u_t) + Ret(W, {W_i} of the last c steps)

    The paper defines this form alone. It leaves open the objective (printed `L(x, u)`, without the W that
    it must depend on), Ret, the c states' weights, how the argmin is found, and f in `u = f_W(x)`. Ours: f is
    the layer's own surprise, `u_t = -N dL/dy_t`, as in eq. 58; the objective and retention are arguments;
    `write_values` finds the argmin. With `DotProduct` it is gradient descent, with `L2` Delta Gradient
    Descent, both with `StayNear(1)`.

    Any objective that is least at `W x = u` asks a layer to answer its own correction. So with a squared
    error it settles near half of the target; the dot product, which has no such least, alone does not.

    The values are scaled so that their writes add up to the weight's gradient as it is at the step: a loss
    scale is undone, clipping honoured. A parameter that is no layer's weight, or whose inputs were not
    seen, is written with `DotProduct`. The memory of a parameter is its last c - 1 states, `states` (c - 1,
    *shape): the level inside the weights' own. At the first step all of them are the start.

    Args:
        params: parameters or groups; a group may set lr and maximize.
        inputs: made with `surprises=True`; used and cleared as in `DeltaGradientDescent`.
        lr: eta, above 0 for anything to move.
        objective, retention: the two choices, for all groups.
        inner_steps: the most that `write_values` takes towards an argmin within `TOLERANCE`, 1 or more; each one
            waits for the device. `DotProduct` and `L2` take one. On 40 random layers each, Huber and Lp(1.5)
            took at most 89, and Lp(3) and Lp(4) mostly far fewer than the default, at which the hardest ended
            1.2% of the step away; in float32 rounding ended Huber up to 0.6% away. After 8 it is up to 10%.
        maximize: go up the gradient: all values change their sign.

    Not offered: momentum, weight_decay (take `StayNearAndSmall`), foreach, fused, capturable, differentiable.
    Raises ValueError for lr below 0, no inner step, or inputs without surprises.
    """

    def __init__(
        self,
        params: Iterable[Any],
        inputs: LayerInputs,
        lr: float = 0.1,
        objective: Objective = L2(),
        retention: Retention = StayNear(),
        inner_steps: int = 256,
        *,
        maximize: bool = False,
    ) -> None:
        if not inputs.surprises:
            raise ValueError("these inputs come without surprises, and values are made of them: "
                             "use LayerInputs(model, surprises=True)")
        self.objective, self.retention, self.inner_steps = objective, retention, inner_steps
        check_count("inner_steps", inner_steps, 1)
        super().__init__(params, inputs, {"lr": lr, "maximize": maximize})

    def fresh(self, parameter: Tensor, group: dict[str, Any]) -> Memory:
        past = self.retention.states - 1
        return {"states": parameter.detach().expand(past, *parameter.shape).clone()} if past else {}

    def write(self, group: dict[str, Any], params: list[Tensor], grads: list[Tensor], memories: list[Memory]) -> None:
        for weight, gradient, memory in zip(params, grads, memories):
            if group["lr"]:
                self._write(weight, gradient, memory, group["lr"])

    def _write(self, weight: Tensor, gradient: Tensor, memory: Memory, eta: float) -> None:
        past = memory.get("states")
        wide = wide_dtype(weight)
        present, gradient = weight.to(wide), gradient.to(wide)
        mean = present if past is None else (past.sum(0, dtype=wide) + present) / self.retention.states
        centre, rate = self.retention.around(mean, eta)
        if past is not None:
            past.copy_(torch.cat([past[1:], weight[None]]))
        seen = self.inputs.of(weight)
        if seen is None:
            weight.copy_(centre - rate * gradient)
            return
        x, delta = seen.x.to(wide), seen.delta.to(wide)
        u = -len(x) * _scale(delta.mT @ x, gradient) * delta
        weight.copy_(write_values(self.objective, x, u, centre, rate, self.inner_steps, TOLERANCE))


def _scale(written: Tensor, gradient: Tensor) -> Tensor:
    """The number that brings `written` nearest to `gradient`; 1 if nothing was written."""
    size = written.square().sum()
    return torch.where(size > 0, (written * gradient).sum() / size.where(size > 0, 1), 1)
