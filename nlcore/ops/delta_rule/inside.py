"""Reading a matrix inside a chunk, where gradients and erasure are those of the chunk's start: no solve.

The derivation is in this folder's README; names are those of the README.
"""

from torch import Tensor

from nlcore.ops.delta_rule.budget import share_so_far
from nlcore.ops.delta_rule.chunked import Decays, Opened, Tokenwise


class Inside(Tokenwise):
    """The matrix that each token of a chunk reads: `W_0` and a write for every token so far.

        V_t = g_t W_0 + (1 - g_t) W_start + c_t m_0 - sum_{s<=t} eta_ts (G_ts W_0 x_s + B_ts delta_s) x_s^T

    The rates `eta_ts` are those of a chunk that ends at token t (`share_so_far`), so nothing
    later is looked at, and the bound holds at every t. What is erased at a key is what `W_0`
    answers there, as the gradient is taken there: `W_{t-1}` would have to be solved for. Where
    the rule `erases` nothing, `V_t` is `W_t` at these rates.

    `eta` (..., C) is as it is before the budget is shared, and `budget` that of `share_so_far`;
    `opened` and `decays` are those of `Chunk`. All of them receive gradient.
    """

    def __init__(
        self, opened: Opened, eta: Tensor, budget: Tensor | float, decays: Decays, erases: bool = True
    ) -> None:
        rates = share_so_far(opened.overlap, eta, budget)
        writes = [(decays.spread * rates, opened.delta)]
        if erases and opened.momentum is None:
            writes = [(decays.ratios * rates, opened.answers + opened.delta)]
        elif erases:
            writes = [(decays.ratios * rates, opened.answers), *writes]
        super().__init__(opened, decays.g, decays.c, writes)
