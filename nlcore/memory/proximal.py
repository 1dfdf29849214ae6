"""Proximal steps: a learning step as the answer to a small problem of its own.

`proximal_step` asks for the weights that make a loss small and stay near the ones there
are (definitions 6 and 7, eq. 98-99). Steepest descent (eq. 2) and follow-the-regularised-
leader (eq. 3) are the same problem with the loss made linear; their answer is gradient
descent (eq. 1). Each solver here minimises the problem it is given and is not told that answer.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.func import grad, jacrev

Loss = Callable[[Tensor], Tensor]


def proximal_step(loss: Loss, weight: Tensor, eta: float, steps: int = 20) -> Tensor:
    """`argmin over W of loss(W) + ||W - weight||^2 / (2 eta)` (eq. 98-99): an implicit step on the loss itself.

    Newton's method from `weight`, by a dense Hessian: exact in one inner step if the loss is
    quadratic, in at most `steps` otherwise. The cost grows with the cube of the number of
    entries: it is for small matrices. Not differentiable: the answer is detached.

    loss: maps weights of `weight`'s shape to one number, with torch operations only.
    weight: (...), one memory's weights; `eta` above 0, the longer the step the larger.

    Raises ValueError if eta is not above 0, or if the inner steps find no minimum: where the loss
    bends down by more than 1 / eta the problem is not convex.
    """
    if not eta > 0:
        raise ValueError(f"eta is {eta}: a proximal step needs a rate above 0")
    weight = weight.detach()

    def problem(flat: Tensor) -> Tensor:
        return loss(flat.view_as(weight)) + (flat - weight.flatten()).square().sum() / (2 * eta)

    flat = weight.flatten()
    close = torch.finfo(weight.dtype).eps ** 0.5  # the error after a Newton move is of the size of its square
    for _ in range(steps):
        factor, failed = torch.linalg.cholesky_ex(jacrev(grad(problem))(flat))
        if failed:
            break
        move = torch.cholesky_solve(grad(problem)(flat)[:, None], factor)[:, 0]
        flat = flat - move
        if move.norm() <= close * (1 + flat.norm()):
            return flat.view_as(weight)
    raise ValueError(f"the proximal problem was not solved in {steps} inner steps: take an eta below {eta}")


def steepest_step(gradient: Tensor, weight: Tensor, eta: float) -> Tensor:
    """`argmin of <gradient, W> + ||W - weight||^2 / (2 eta)` (eq. 2): the proximal step on the linearised loss.

    Its closed form is `weight - eta gradient` (eq. 1). Shapes and errors as in `proximal_step`.
    """
    return proximal_step(lambda w: (gradient.detach() * w).sum(), weight, eta)


def follow_the_leader(gradients: Sequence[Tensor], start: Tensor, eta: float) -> Tensor:
    """`argmin of sum_t <g_t, W> + ||W - start||^2 / (2 eta)` (eq. 3): all past gradients, from the start.

    After T steps of gradient descent at one constant eta, it is where they arrived. If eta changes
    on the way the two part, since this form weighs every gradient alike: give each gradient times its
    own rate then, and eta = 1.
    """
    return steepest_step(torch.stack(tuple(gradients)).sum(0), start, eta)
