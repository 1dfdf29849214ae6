"""One chunk as some memories learn it: everything is taken at the state that the chunk began with."""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from nlcore.layers.learning import Learning
from nlcore.layers.memory_group import MemoryGroup, Tokens
from nlcore.memory import State, Weights
from nlcore.ops.delta_rule import Chunk, Decays, Opened, Tokenwise


class Written(NamedTuple):
    """Report on one group's write of one chunk, detached."""

    surprise: Tensor
    """Norm of each memory's error at each token: (B, M, C), mean over heads."""
    update: Tensor
    """Norm of each memory's change: (M,), mean over batch and heads."""
    norm: Tensor
    """Norm of each memory's weights after the write: (M,), mean over batch and heads."""


class Heard(NamedTuple):
    """What is the same for all memories that learn a chunk."""

    tokens: Tokens
    """Those of the chunk so far, 1 to C."""
    overlap: Tensor
    """Of their keys, `k k^T` (B, 1, H, C, C)."""
    decays: Decays

    @classmethod
    def of(cls, tokens: Tokens, theta: Tensor | None) -> "Heard":
        """Of tokens, and the momentum's decay (H,) or None."""
        return cls(tokens, (tokens.k @ tokens.k.mT)[:, None], Decays(tokens.log_alpha[:, None], theta))


class OpenChunk:
    """Tokens of one chunk under way, and their gradients at the state that it began with (eq. 86-90).

    Each memory learns, under the shared key and layer by layer, what `learning` says: the value that
    it makes itself, or the one given. Groups whose chunks agree are learnt together, as one batch of memories.

    Args:
        groups: those that learn it, of one architecture; what is read inside the chunk is the last one's last memory.
        states: the state of each group when the chunk began.
        heard: its tokens so far, and what memories have in common.
        budget: that of `share_budget`: one number, or one a head, (H, 1).
        learning: objective, rule and retention.
    """

    def __init__(
        self,
        groups: Sequence[MemoryGroup],
        states: Sequence[State],
        heard: Heard,
        budget: Tensor | float,
        learning: Learning,
    ) -> None:
        self.groups, self.state, self.learning = groups, _joined(states), learning
        self.architecture = architecture = groups[0].architecture
        memory, (tokens, overlap, self.decays) = self.state.memory, heard
        value = learning.learns(lambda x: architecture.read(memory, x), tokens.v[:, None])
        gradients = architecture.gradients(
            memory, tokens.k[:, None], lambda answer: learning.objective.gradient(answer, value)
        )
        nothing = (None,) * len(gradients)
        starts, momenta = self.state.start if learning.tied else nothing, self.state.momentum or nothing
        overlaps = [*(layer.x @ layer.x.mT for layer in gradients[:-1]), overlap]  # the deepest layer's input is the key
        self.opened = [
            Opened(layer.x, layer.delta, weight, momentum, start, layer.output, own)
            for layer, weight, momentum, start, own in zip(gradients, memory, momenta, starts, overlaps)
        ]
        """One for each layer of the memories."""
        rates = [tokens.eta[:, None].expand(-1, len(group.names), -1, -1) * group.eta_scale for group in groups]
        self.eta = torch.cat(rates, dim=1)
        self.budgets = [
            learning.budget(budget, curvature[..., None], self.decays) for curvature in architecture.curvatures(memory)
        ]
        """One for each layer, (B, M, H, 1)."""

    def read(self, q: Tensor, before: bool) -> Tensor:
        """What the last memory answers to the queries (B, H, n, d) of the chunk's last n tokens: (B, H, n, d).

        Each is read after its own token's write, or before it: see `Bound.inside`.
        """
        layers = [self._inside(*layer) for layer in zip(self.opened, self.budgets)]
        if before:
            layers = [layer.before() for layer in layers]
        return self.architecture.through([layer.answers for layer in layers], q[:, None])[:, 0]

    def _inside(self, opened: Opened, budget: Tensor) -> Tokenwise:
        last = Opened(*(None if x is None else x[:, -1:] for x in opened))
        learning = self.learning
        return learning.bound(len(self.opened)).inside(last, self.eta[:, -1:], budget[:, -1:], self.decays, learning.erases)

    def close(self, report: bool) -> list[tuple[State, Written | None]]:
        """Writes the chunk (eq. 86-88): each group's new state, and what happened if `report`."""
        erases = self.learning.erases
        written = [
            Chunk(opened, self._rates(opened, budget), self.decays, erases).final()
            for opened, budget in zip(self.opened, self.budgets)
        ]
        memory, momentum = zip(*written)
        new = State(self.state.start, memory, momentum if self.state.momentum else ())
        return self._parted(new, report)

    def _rates(self, opened: Opened, budget: Tensor) -> Tensor:
        """The rates of one layer's write, each group's its share of what the bound leaves."""
        rates = self.learning.bound(len(self.opened)).rates(opened, self.eta, budget, self.decays)
        parts = rates.split([len(group.names) for group in self.groups], dim=1)
        return torch.cat([part * group.share for part, group in zip(parts, self.groups)], dim=1)

    def _parted(self, new: State, report: bool) -> list[tuple[State, Written | None]]:
        counts = [len(group.names) for group in self.groups]
        olds, news = (_split(state, counts) for state in (self.state, new))
        errors = self.opened[0].delta.split(counts, dim=1)
        return [(state, _report(*own, state) if report else None) for *own, state in zip(errors, olds, news)]


def _joined(states: Sequence[State]) -> State:
    """The memories of several groups as those of one."""
    if len(states) == 1:
        return states[0]
    parts = [[torch.cat(same, dim=1) for same in zip(*weights)] for weights in zip(*(state[:3] for state in states))]
    return State(*(tuple(weights) for weights in parts))


def _split(state: State, counts: list[int]) -> list[State]:
    """The memories of one group as those of several, of so many memories each."""
    if len(counts) == 1:
        return [state]
    parts = [zip(*(w.split(counts, dim=1) for w in weights)) if weights else [()] * len(counts) for weights in state[:3]]
    return [State(*own) for own in zip(*parts)]


@torch.no_grad()
def _report(error: Tensor, old: State, new: State) -> Written:
    def norm(weights: Weights) -> Tensor:
        squares = sum(w.square().sum((-1, -2)) for w in weights)
        return squares.sqrt().mean((0, 2))

    change = tuple(b - a for a, b in zip(old.memory, new.memory))
    return Written(error.norm(dim=-1).mean(2), norm(change), norm(new.memory))
