"""How much a chunk may write: the bound that keeps a memory stable."""

from torch import Tensor


def share_budget(x: Tensor, eta: Tensor, budget: float) -> Tensor:
    """Scale a chunk's rates so that `sum_s eta_s x_s x_s^T` has no eigenvalue above `budget`.

    Keys `x` (..., C, in), rates `eta` (..., C), at least 0. Token s shares the budget
    with the tokens whose keys overlap with its own, in proportion to their rates:

        eta_s <- eta_s / max(1, sum_r |x_s . x_r| eta_r / budget)

    Tokens with orthogonal keys, and tokens that write nothing, take nothing from it.
    The README proves the bound, and that `budget <= 1/2` makes a chunk of Delta
    Gradient Descent non-expansive on linear memories at any retention.

    It looks at the whole chunk, so it belongs to memories that are read at chunk
    boundaries only.
    """
    load = ((x @ x.mT).abs() @ eta[..., None]).squeeze(-1)
    return eta / (load / budget).clamp(min=1)
