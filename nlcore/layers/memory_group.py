"""Memories of one layer that share keys, rates and a chunk size: their learnt starts."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nlcore.memory import NarrowMLP, ResidualMLP, State, Weights


def unit(x: Tensor) -> Tensor:
    """`x` scaled to length one along its last dimension; shorter than 1e-3 it stays short."""
    return x * torch.rsqrt(x.square().sum(-1, keepdim=True) + 1e-6)


def bounded(answer: Tensor) -> Tensor:
    """A memory's answer (..., d) as a value to learn: of length one, or a single number (d = 1) between -1 and 1."""
    return unit(answer) if answer.shape[-1] > 1 else answer * torch.rsqrt(1 + answer.square())


class Tokens(NamedTuple):
    """What a memory is given to learn from: keys, values and rates of some tokens."""

    k: Tensor
    """(B, H, T, d), each of length one."""
    v: Tensor
    """(B, H, T, d), each of length one."""
    eta: Tensor
    """(B, H, T), before the budget is shared."""
    log_alpha: Tensor
    """(B, H, T), below 0."""

    def part(self, begin: int, end: int) -> "Tokens":
        return Tokens(*(x[:, :, begin:end] for x in self))

    def then(self, more: "Tokens") -> "Tokens":
        return Tokens(*(torch.cat(pair, dim=2) for pair in zip(self, more)))


class MemoryGroup(nn.Module):
    """M memories a head, each a `ResidualMLP` (eq. 89) or, if narrow, a `NarrowMLP`, with learnt starts.

    The starts belong to the slow level and receive gradient through every write; the
    states, (B, M, H, out, in) a layer, belong to the in-context level. `OpenChunk` writes them.

    Args:
        names: one name a memory.
        heads, width, hidden: H, d, and the hidden width of the MLPs.
        share: the part of eta and of the budget with which they are written.
        narrow: answers are one number, else d of them.
    """

    def __init__(
        self, names: tuple[str, ...], heads: int, width: int, hidden: int, share: float = 1.0, narrow: bool = False
    ) -> None:
        super().__init__()
        self.share = share
        self.names, self.architecture = names, (NarrowMLP if narrow else ResidualMLP)(width, hidden)
        self.eta_scale = 1.0  # steers this group from outside; 0 and its memories stay at their starts
        # For inputs of length one: W_2 gives pre-activations of order one, and W_1 makes of them a
        # vector about as long as the residual, so k, v and q start apart; a narrow answer is small.
        w1, w2 = (torch.empty(len(names), heads, *shape) for shape in self.architecture.shapes())
        self.w1 = nn.Parameter(nn.init.normal_(w1, std=1.5 / math.sqrt(width * hidden)))
        self.w2 = nn.Parameter(nn.init.normal_(w2))

    def start(self, batch: int, dtype: torch.dtype, momentum: bool) -> State:
        """The state before the first token, of `batch` sequences."""
        weights = tuple(w.to(dtype).expand(batch, *w.shape) for w in (self.w1, self.w2))
        return State(weights, weights, tuple(torch.zeros_like(w) for w in weights) if momentum else ())

    def detach(self, state: State, pull_to_start: bool) -> State:
        """What was learnt in context, without gradient: `memory` holds how far the memories are from their starts.

        Without a pull to the start nothing ties them to it, and `memory` holds the memories themselves.
        """
        memory = tuple(w - s for w, s in zip(state.memory, state.start)) if pull_to_start else state.memory
        return State((), tuple(w.detach().clone() for w in memory), tuple(m.detach().clone() for m in state.momentum))

    def attach(self, detached: State, pull_to_start: bool) -> State:
        """The state that `detach` made, at the starts as they are now: they get gradient as in a fresh state.

        An outer step moves a memory along with its start, so that it stays as far from it as its writes took it.
        """
        start = self.start(len(detached.memory[0]), detached.memory[0].dtype, momentum=False).start
        memory = tuple(s + w for s, w in zip(start, detached.memory)) if pull_to_start else detached.memory
        return State(start, memory, detached.momentum)

    def read(self, weights: Weights, x: Tensor) -> Tensor:
        """Answers of all memories to the same inputs (B, H, T, d): (B, M, H, T, d), or 1 for d if narrow."""
        return self.architecture.read(weights, x[:, None])
