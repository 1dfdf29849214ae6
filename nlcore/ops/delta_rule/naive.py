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


def inside_naive(
    x: Tensor,
    delta: Tensor,
    eta: Tensor,
    budget: float,
    log_alpha: Tensor,
    weight: Tensor,
    q: Tensor,
    momentum: Tensor | None = None,
    theta: Tensor | None = None,
    start: Tensor | None = None,
    before: bool = False,
) -> Tensor:
    """What every token of one chunk reads inside it, (..., C, out): for each, all writes so far, one by one.

    Token t reads at `q_t` a matrix made of `weight` by the recurrence of `delta_rule_naive`, with two
    differences: rates are shared among the tokens up to t alone, and what is erased at a key is what
    `weight` answers there. With `before` its own token is not among them.
    """
    answers = []
    for t in range(x.shape[-2]):
        read, pushed = weight, momentum
        for s in range(t if before else t + 1):
            rate = _share(x, eta, budget, s, t - before)[..., None, None]
            key = x[..., s, None, :]
            step = -rate * delta[..., s, :, None] * key
            if momentum is not None:
                step = pushed = theta[..., None, None] * pushed + step
            origin = 0 if start is None else start
            kept = origin + log_alpha[..., s, None, None].exp() * (read - origin)
            read = kept - rate * (weight @ key.mT) * key + step
        answers.append((read @ q[..., t, :, None]).squeeze(-1))
    return torch.stack(answers, -2)


def _share(x: Tensor, eta: Tensor, budget: float, s: int, last: int) -> Tensor:
    """The rate of token s, shared among tokens 0 to `last`."""
    load = sum((x[..., s, :] * x[..., r, :]).sum(-1).abs() * eta[..., r] for r in range(last + 1))
    return eta[..., s] / (load / budget).clamp(min=1)
