"""How the memories of a layer learn: what they are asked for, by which rule, and how much they may write at most."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from nlcore.layers.memory_group import bounded, soft
from nlcore.memory import (
    L2,
    Decay,
    DeltaGradientDescent,
    DotProduct,
    GradientDescent,
    KeepAll,
    Objective,
    PullToStart,
    Retention,
    Rule,
)
from nlcore.ops.delta_rule import Chunk, Decays, Inside, Opened, Tokenwise, limit_each, share_budget

Learns = Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]
"""What a memory is to answer: made of the memory's own `read` and the token's value (..., d)."""


def own_answer(read: Callable[[Tensor], Tensor], v: Tensor) -> Tensor:
    """What the memory itself makes of the value, of length one (eq. 83-85): self-modification."""
    return bounded(read(v))


def soft_answer(read: Callable[[Tensor], Tensor], v: Tensor) -> Tensor:
    """The same, shorter than one and nowhere steeper than one: for answers that nothing keeps long.

    Scaled to length one, a short answer turns with the slightest change of the memory, and the next memory with it.
    """
    return soft(read(v))


def given(read: Callable[[Tensor], Tensor], v: Tensor) -> Tensor:
    """The value as it is: what Titans learn."""
    return v


class Bound(Protocol):
    """What keeps a chunk's writes from amplifying what came before."""

    most: float
    """The largest eta at which it does so for memories that are one matrix: `ops/delta_rule` has the proofs."""

    def rates(self, opened: Opened, eta: Tensor, budget: Tensor | float, decays: Decays) -> Tensor:
        """The rates (..., C) with which one layer writes the chunk, made of eta (..., C)."""
        ...

    def inside(self, opened: Opened, eta: Tensor, budget: Tensor | float, decays: Decays, erases: bool) -> Tokenwise:
        """The matrix that each token of the open chunk reads after its own write, with nothing in it of a later one."""
        ...


@dataclass(frozen=True)
class Shared:
    """The tokens of a chunk share a budget: for gradients that are stale by the chunk's end, or that nothing erases."""

    most: float

    def rates(self, opened: Opened, eta: Tensor, budget: Tensor | float, decays: Decays) -> Tensor:
        return share_budget(opened.overlap, eta, budget)

    def inside(self, opened: Opened, eta: Tensor, budget: Tensor | float, decays: Decays, erases: bool) -> Tokenwise:
        return Inside(opened, eta, budget, decays, erases)


@dataclass(frozen=True)
class Alone:
    """Each token has its own limit: for gradients that do not ask the memory, so that nothing in them is stale.

    It is `eta |x|^2 <= 1 + alpha`, or 1 - theta times that, as momentum's echoes of a step add up to 1 / (1 - theta).
    No limit looks at another token, so what is read inside the chunk is the closed form's own matrix.
    """

    most: float

    def rates(self, opened: Opened, eta: Tensor, budget: Tensor | float, decays: Decays) -> Tensor:
        return limit_each(opened.overlap, eta, (1 + decays.alpha) * decays.first)

    def inside(self, opened: Opened, eta: Tensor, budget: Tensor | float, decays: Decays, erases: bool) -> Tokenwise:
        return Chunk(opened, self.rates(opened, eta, budget, decays), decays, erases)


@dataclass(frozen=True)
class Free:
    """Each token writes at its own rate: for one matrix that adds up what it is given, which amplifies nothing.

    So what it holds is a sum of exactly what its tokens wrote, as counting needs: a budget that is shared at every token
    anew would weigh a token by how many came with it.
    """

    most: float

    def rates(self, opened: Opened, eta: Tensor, budget: Tensor | float, decays: Decays) -> Tensor:
        return eta

    def inside(self, opened: Opened, eta: Tensor, budget: Tensor | float, decays: Decays, erases: bool) -> Tokenwise:
        return Chunk(opened, eta, decays, erases)


BOUNDS: dict[tuple[type[Objective], type[Rule]], Bound] = {
    (L2, DeltaGradientDescent): Shared(0.5),
    (L2, GradientDescent): Shared(1.0),
    (DotProduct, DeltaGradientDescent): Alone(2.0),
    (DotProduct, GradientDescent): Shared(1.0),
}
"""By objective and rule: what bounds the writes is a property of the pair.

Proved for linear memories whose keys and values are given. Where they learn their own answers, what is measured is
that `own_answer` is not enough on long texts, and with the dot product and DGD neither is `soft_answer` above eta 1.
"""
SUMS = Free(1.0)
"""With the last pair a linear memory asks nothing and erases nothing, and so needs no bound where keys, values and rates are given."""
DEEP = 0.5
"""The largest eta for memories of several layers, whatever the pair. No proof, but measured: gradients stay below 100 with
the default's chunks, where at 1 some grow without end if one token repeats. In heads of 8 with chunks of 4 a half is no
guarantee: see the tables of `ops/delta_rule`."""


@dataclass(frozen=True)
class Learning:
    """The choices that all memories of a layer share. Raises ValueError for those with which none is known to be stable."""

    objective: Objective = L2()
    rule: Rule = DeltaGradientDescent()
    retention: Retention = PullToStart()
    learns: Learns = own_answer
    adapts: bool = True
    """Whether memories make what they are written with: keys, values or rates."""

    def __post_init__(self) -> None:
        pair = (type(self.objective), type(self.rule))
        if pair not in BOUNDS:
            raise ValueError(
                f"no bound is known that keeps memories stable with {pair[0].__name__} and {pair[1].__name__}: "
                "choose L2 or DotProduct, and DeltaGradientDescent or GradientDescent"
            )
        if not isinstance(self.retention, PullToStart | Decay | KeepAll):
            raise ValueError(f"retention is {self.retention!r}: choose PullToStart(), Decay() or KeepAll()")

    def bound(self, layers: int) -> Bound:
        """What bounds the writes of memories of so many layers."""
        asks = self.adapts or self.erases or isinstance(self.objective, L2) or self.learns is not given
        return SUMS if layers == 1 and not asks else BOUNDS[type(self.objective), type(self.rule)]

    def largest(self, layers: int) -> float:
        """The largest eta at which memories of so many layers are stable."""
        most = self.bound(layers).most
        return most if layers == 1 else min(most, DEEP)

    def budget(self, budget: Tensor | float, curvature: Tensor, decays: Decays) -> Tensor:
        """The budget of one layer of the memories: no more than is stable at its curvature (see `Architecture.curvatures`).

        A write's transition on its key is `alpha - eta (1 + curvature)` if it erases what the layer answered and the
        gradient asks the memory; without one of both, the 1 or the curvature is not there.
        """
        asks = isinstance(self.objective, L2)
        stable = decays.first / (self.erases + curvature) if asks else torch.full_like(curvature, torch.inf)
        return torch.minimum(stable, budget) if isinstance(budget, Tensor) else stable.clamp(max=budget)

    @property
    def erases(self) -> bool:
        """Whether a write takes out what the memory answered at its key."""
        return isinstance(self.rule, DeltaGradientDescent)

    @property
    def tied(self) -> bool:
        """Whether what is learnt in context is counted from the start, so that a memory moves with it."""
        return not isinstance(self.retention, Decay)

    @property
    def forgets(self) -> bool:
        """Whether there is an alpha."""
        return not isinstance(self.retention, KeepAll)
