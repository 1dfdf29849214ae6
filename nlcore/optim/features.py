"""Feature maps on gradients: what a memory is given to tell gradients apart by (eq. 51)."""

from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import factorial, prod, sqrt

import torch
from torch import Tensor


def monomials(g: Tensor, degree: int) -> Tensor:
    """All products of `degree` coordinates of g (..., d), scaled so that `phi(g) . phi(h) = (g . h)^degree`.

    (..., n), with n = C(d + degree - 1, degree): the number of directions that a linear memory of
    these features can keep apart, in place of d. Raises ValueError for a degree below 1.
    """
    if degree < 1:
        raise ValueError(f"degree is {degree}: give 1 for plain gradients, 2 or more for their products")
    choices = list(combinations_with_replacement(range(g.shape[-1]), degree))
    counts = [factorial(degree) / prod(factorial(choice.count(i)) for i in set(choice)) for choice in choices]
    weights = torch.tensor([sqrt(count) for count in counts], dtype=g.dtype, device=g.device)
    return g[..., torch.tensor(choices, device=g.device)].prod(-1) * weights


@dataclass(frozen=True)
class SignedPower:
    """`phi(g) = sign(g) |g|^power`, element by element: of g's size, so `Momentum(values=...)` can store it.

    1 is the gradient, 0 its sign; above 1 large coordinates count for more, below 1 small ones.
    Raises ValueError for a power below 0.
    """

    power: float

    def __post_init__(self) -> None:
        if not self.power >= 0:
            raise ValueError(f"power is {self.power}: give 0 (the sign), 1 (the gradient) or another above")

    def __call__(self, g: Tensor) -> Tensor:
        return g.sign() * g.abs() ** self.power
