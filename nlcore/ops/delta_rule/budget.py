"""How much a chunk may write: the bounds that keep a memory stable."""

import torch
from torch import Tensor


def share_budget(overlap: Tensor, eta: Tensor, budget: Tensor | float) -> Tensor:
    """Scale a chunk's rates so that `sum_s eta_s x_s x_s^T` has no eigenvalue above `budget`.

    overlap: `x_s . x_r`, (..., C, C). eta: rates (..., C), at least 0. budget: one number above
    0, or one a chunk, (..., 1). Returns rates (..., C). Token s shares the budget with the tokens
    whose keys overlap with its own, in proportion to their rates:

        eta_s <- eta_s / max(1, sum_r |x_s . x_r| eta_r / budget)

    Tokens with orthogonal keys, and tokens that write nothing, take nothing from it.
    The README proves the bound, and that `budget <= 1/2` makes a chunk of Delta
    Gradient Descent non-expansive on linear memories at any retention.

    It looks at the whole chunk, so what it makes is for states carried to the next one.
    """
    load = torch.einsum("...sr,...r->...s", overlap.abs(), eta)
    return eta / (load / budget).clamp(min=1)


def share_so_far(overlap: Tensor, eta: Tensor, budget: Tensor | float) -> Tensor:
    """`share_budget` as it would be if the chunk ended at token t, for every t at once.

    Same arguments. Returns (..., C, C): row t holds the rates of tokens 0 to t, shared among
    these alone, so that nothing in it comes from a later token. What stands above the
    diagonal means nothing.
    """
    # Overlaps are symmetric, so token r may stand in a row: sums down the columns are those up to token t.
    load = (overlap.abs() * eta[..., :, None]).cumsum(-2)
    return eta[..., None, :] / (load / (budget[..., None] if isinstance(budget, Tensor) else budget)).clamp(min=1)


def limit_each(overlap: Tensor, eta: Tensor, limit: Tensor) -> Tensor:
    """Scale each token's rate so that `eta_t |x_t|^2 <= limit_t`, whatever the other tokens write.

    overlap: `x_s . x_r`, (..., C, C), of which the diagonal counts. eta: rates (..., C), at least 0. limit: above 0,
    (..., C). Returns rates (..., C). With a limit of `1 + alpha` the eigenvalues of `alpha I - eta x x^T` lie between
    -1 and 1, which is all that is needed where gradients do not ask the memory: see the README.
    """
    return eta / (eta * overlap.diagonal(dim1=-2, dim2=-1) / limit).clamp(min=1)
