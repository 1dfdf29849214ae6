"""Reading a matrix inside a chunk, where gradients and erasure are those of the chunk's start: no solve.

The derivation is in this folder's README; names are those of the README.
"""

from torch import Tensor

from nlcore.ops.delta_rule.budget import share_so_far
from nlcore.ops.delta_rule.chunked import Decays, Tokenwise, shifted


class Inside(Tokenwise):
    """The matrix that each token of a chunk reads: `W_0` and a write for every token so far.

        V_t = g_t W_0 + (1 - g_t) W_start + c_t m_0 - sum_{s<=t} eta_ts (G_ts W_0 x_s + B_ts delta_s) x_s^T

    The rates `eta_ts` are those of a chunk that ends at token t (`share_so_far`), so nothing
    later is looked at, and the bound holds at every t. What is erased at a key is what `W_0`
    answers there, as the gradient is taken there: `W_{t-1}` would have to be solved for. With
    `before`, token t reads `V_{t-1}`, and the first one `W_0`.

    `x`, `delta`, `decays`, `weight`, `momentum`, `start`, `answers` and `overlap` are those of
    `Chunk`; `eta` is as it is before the budget is shared, and `budget` that of `share_so_far`.
    All of them receive gradient.
    """

    def __init__(
        self,
        x: Tensor,
        delta: Tensor,
        eta: Tensor,
        budget: Tensor | float,
        decays: Decays,
        weight: Tensor,
        momentum: Tensor | None = None,
        start: Tensor | None = None,
        answers: Tensor | None = None,
        overlap: Tensor | None = None,
        before: bool = False,
    ) -> None:
        self.x, self.weight, self.momentum, self.start = x, weight, momentum, start
        answers = x @ weight.mT if answers is None else answers
        rates = share_so_far(x @ x.mT if overlap is None else overlap, eta, budget)
        if momentum is None:
            self.writes = [(decays.ratios * rates, answers + delta)]
        else:
            self.writes = [(decays.ratios * rates, answers), (decays.spread * rates, delta)]
        self.g, self.carry = decays.g, decays.carry
        if before:
            self.writes = [(shifted(coefficients), written) for coefficients, written in self.writes]
            self.g, self.carry = decays.g_before, None if momentum is None else shifted(decays.carry)
