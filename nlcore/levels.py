"""Levels: everything with one update frequency; how components are ordered into them, and what they hand on."""

import graphlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Frequency = int | float | Fraction
"""Updates per unit of time: 0 for what is never updated, `math.inf` for what is solved anew at every read."""

Kind = Literal["parametric", "non-parametric", "backpropagation", "initialisation", "generation"]
KINDS: dict[Kind, str] = {
    "parametric": "one reads the other's state, or its answer, as it is, and no gradient flows (eq. 24-26)",
    "non-parametric": "one reads an answer that was solved from the other's context, and no gradient flows (eq. 27)",
    "backpropagation": "both are updated by one flow of gradient, each at its own frequency",
    "initialisation": "one learns the state that the other starts from (eq. 28)",
    "generation": "one makes the other's state, or what the other learns from",
}
"""The five ways of section 3.3 in which knowledge goes from one component to another."""


@dataclass(frozen=True)
class Level:
    """All that changes at one frequency (Def. 2)."""

    name: str
    period: int
    """How much passes between two updates, in `unit`."""
    unit: Literal["tokens", "steps"]
    """"tokens" for what is written in context, "steps" for what the outer optimizer updates."""


@dataclass(frozen=True)
class Component:
    """One optimization problem of a nested system (Def. 3): weights, a momentum, a fast-weight memory, a cache.

    Raises ValueError for a frequency that is not a number, or below 0.
    """

    name: str
    frequency: Frequency
    """In one unit for all that are compared: Def. 2 takes updates per data point."""
    objective: str = "unknown"
    rule: str = "unknown"
    context: str = "unknown"
    """What it learns from."""

    def __post_init__(self) -> None:
        if not isinstance(self.frequency, Frequency) or not self.frequency >= 0:
            raise ValueError(f"the frequency of {self.name} is {self.frequency!r}: give updates per data point, 0 or more")


@dataclass(frozen=True)
class Transfer:
    """Knowledge that `source` hands to `target`, both names of components, in one of the five ways (`KINDS`)."""

    source: str
    target: str
    kind: Kind


@dataclass(frozen=True)
class NestedSystem:
    """Components, who needs whom within an instant, and who hands knowledge to whom (Def. 3 and section 3.3).

    Raises ValueError, in one sentence, where `order` does, and for a transfer of another kind or between names
    that are not there.
    """

    components: tuple[Component, ...]
    needs: tuple[tuple[str, str], ...] = ()
    """As `order` takes them."""
    transfers: tuple[Transfer, ...] = ()

    def __post_init__(self) -> None:
        order(self.components, self.needs)
        names = {component.name for component in self.components}
        for transfer in self.transfers:
            _check_names((transfer.source, transfer.target), names)
            if transfer.kind not in KINDS:
                raise ValueError(f"there is no transfer by {transfer.kind!r}: choose one of {', '.join(KINDS)}")

    @property
    def levels(self) -> tuple[tuple[Component, ...], ...]:
        """Fastest first."""
        return order(self.components, self.needs)


def order(
    components: Iterable[Component], needs: Iterable[tuple[str, str]] = ()
) -> tuple[tuple[Component, ...], ...]:
    """Sorts components into levels, fastest first, by Def. 2; within a level they keep the order they came in.

    A is faster than B if it is updated more often, or as often and B's state at time t takes A's state at the
    same time t to compute. So AdamW's two moments share a level, and the weights come after both. What is updated
    otherwise in time, from a state of t - 1, does not count: else momentum and weights would each come before the
    other. A need may lead through components of other frequencies.

    Def. 2 calls two components equal if neither is faster. That is no equivalence: where W needs m, and c, as
    often updated, has to do with neither, c equals m and c equals W, though m is faster than W. One sorting still
    follows, which is taken here: each component stands in the fastest level that its own needs allow.

    Args:
        components: with names that differ.
        needs: (B, A) by name, where the state of B at an instant takes that of A at the same instant.

    Raises ValueError for a name given twice or not at all, and for components that need each other in a circle.
    """
    found = {}
    for component in components:
        if component.name in found:
            raise ValueError(f"two components are called {component.name!r}: give each a name of its own")
        found[component.name] = component
    before: dict[str, set[str]] = {name: set() for name in found}
    for name, needed in needs:
        _check_names((name, needed), found)
        before[name].add(needed)
    depth = _depths(found, before)
    ranks = sorted({(-component.frequency, depth[name]) for name, component in found.items()})
    return tuple(
        tuple(c for c in found.values() if (-c.frequency, depth[c.name]) == rank) for rank in ranks
    )


def _depths(found: Mapping[str, Component], before: Mapping[str, set[str]]) -> dict[str, int]:
    """How long the longest chain of equally fast components is that each needs."""
    chains: dict[str, dict[Frequency, int]] = {}  # by the frequency of what stands in the chain
    try:
        in_turn = tuple(graphlib.TopologicalSorter(before).static_order())
    except graphlib.CycleError as error:
        circle = " needs ".join(reversed(error.args[1]))
        raise ValueError(
            f"{circle}, all at one instant, so none of them can be computed first: "
            "leave out the need that is met by the state of the instant before"
        ) from None
    depth = {}
    for name in in_turn:
        own: dict[Frequency, int] = {}
        for needed in before[name]:
            own |= {f: max(length, own.get(f, 0)) for f, length in chains[needed].items()}
        frequency = found[name].frequency
        depth[name] = own.get(frequency, 0)
        chains[name] = own | {frequency: depth[name] + 1}
    return depth


def _check_names(names: Iterable[str], known: Iterable[str]) -> None:
    for name in names:
        if name not in known:
            raise ValueError(f"there is no component {name!r} here: choose one of {', '.join(known)}")


def every(period: Frequency, unit: str) -> str:
    """A period, in a `unit` named in the plural, in words."""
    if period == 0:
        return "at every read"
    if math.isinf(period):
        return "never"
    times = 1 / Fraction(period)
    if period < 1 and times.denominator == 1:
        return f"{int(times):,} times a {unit.removesuffix('s')}"
    if period == 1:
        return f"every {unit.removesuffix('s')}"
    return f"every {int(period):,} {unit}" if period == int(period) else f"every {float(period):.3g} {unit}, on average"
