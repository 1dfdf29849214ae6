"""The decayed delta recurrence, one token after the other. Slow, and plainly right."""

import torch
from torch import Tensor


def delta_rule_naive(
    x: Tensor,
    delta: Tensor,
    eta: Tensor,
    log_alpha: Tensor,
    weight: Tensor,
    momentum: Tensor | None = None,
    theta: Tensor | None = None,
    start: Tensor | None = None,
    q: Tensor | None = None,
) -> tuple[Tensor | None, Tensor, Tensor | None]:
    """Run `W <- retain(W) - eta (W x) x^T + m`, with `m <- theta m - eta delta x^T`.

    `retain(W)` is `alpha W`, or `start + alpha (W - start)` where a start is given.
    Without momentum `m` is the newest step alone, and this is eq. 86-88 for one layer.

    Shapes: keys `x` (..., T, in); gradients `delta` (..., T, out), fixed beforehand;
    `eta`, `log_alpha` (..., T), the latter at most 0 and finite; `weight`, `momentum`
    and `start` (..., out, in); `theta` (...); queries `q` (..., T, in).

    Returns the answers `W_t q_t` (..., T, out), None without queries, and the final
    weight and momentum. Everything given receives gradient.
    """
    answers = []
    alpha = log_alpha.exp()
    for t in range(x.shape[-2]):
        key, rate = x[..., t, None, :], eta[..., t, None, None]
        step = -rate * delta[..., t, :, None] * key
        if momentum is not None:
            step = momentum = theta[..., None, None] * momentum + step
        kept = alpha[..., t, None, None] * (weight if start is None else weight - start)
        kept = kept if start is None else start + kept
        weight = kept - rate * (weight @ key.mT) * key + step
        if q is not None:
            answers.append((weight @ q[..., t, :, None]).squeeze(-1))
    return (torch.stack(answers, -2) if q is not None else None), weight, momentum
