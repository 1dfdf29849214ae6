"""Memories of one layer that share keys, rates and a chunk size: their learnt starts."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nlcore.memory import Architecture, State, Weights


def unit(x: Tensor) -> Tensor:
    """`x` scaled to length one along its last dimension; shorter than 1e-3 it stays short."""
    return x * torch.rsqrt(x.square().sum(-1, keepdim=True) + 1e-6)


def soft(x: Tensor) -> Tensor:
    """`x` made shorter than one along its last dimension, and nowhere steeper than one: `x / sqrt(1 + |x|^2)`."""
    return x * torch.rsqrt(1 + x.square().sum(-1, keepdim=True))


def bounded(answer: Tensor) -> Tensor:
    """A memory's answer (..., d) as a value to learn: of length one, or a single number (d = 1) between -1 and 1."""
    return unit(answer) if answer.shape[-1] > 1 else soft(answer)


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

    def split(self, size: int) -> list["Tokens"]:
        """In chunks of `size`, the last of which may be shorter."""
        return [Tokens(*parts) for parts in zip(*(x.split(size, 2) for x in self))]

    def none(self) -> "Tokens":
        return Tokens(*(x[:, :, :0] for x in self))

    def then(self, more: "Tokens") -> "Tokens":
        return Tokens(*(torch.cat(pair, dim=2) for pair in zip(self, more)))


class MemoryGroup(nn.Module):
    """M memories a head, of one architecture, with learnt starts `w1`, `w2`, ..., the layer at the output first.

    The starts belong to the slow level and receive gradient through every write; the
    states, (B, M, H, out, in) a layer, belong to the in-context level. `OpenChunk` writes them.

    Args:
        names: one name a memory.
        heads: H.
        architecture: what each of them computes of inputs of length one.
        share: the part of eta and of the budget with which they are written.
    """

    def __init__(
        self, names: tuple[str, ...], heads: int, architecture: Architecture, share: float = 1.0
    ) -> None:
        super().__init__()
        self.names, self.architecture, self.share = names, architecture, share
        self.eta_scale = 1.0  # steers this group from outside; 0 and its memories stay at their starts
        # For inputs of length one: the deepest layer gives pre-activations of order one, and the one at the output
        # makes of them a vector about as long as the input, so k, v and q start apart; a narrow answer is small.
        shapes = architecture.shapes()
        width, deepest = shapes[-1][1], len(shapes) - 1
        for layer, (out, inputs) in enumerate(shapes):
            gain, fan = (1.0, 1) if layer == deepest else (1.5, inputs)  # 1.5 since silu takes of what passes it
            std = gain / math.sqrt(fan * (width if layer == 0 else 1))
            start = nn.init.normal_(torch.empty(len(names), heads, out, inputs), std=std)
            self.register_parameter(f"w{layer + 1}", nn.Parameter(start))

    @property
    def weights(self) -> Weights:
        """The starts, (M, H, out, in) a layer."""
        return tuple(self.parameters())

    def start(self, batch: int, dtype: torch.dtype, momentum: bool) -> State:
        """The state before the first token, of `batch` sequences."""
        weights = tuple(w.to(dtype).expand(batch, *w.shape) for w in self.weights)
        return State(weights, weights, tuple(torch.zeros_like(w) for w in weights) if momentum else ())

    def detach(self, state: State, tied: bool) -> State:
        """What was learnt in context, without gradient: if `tied`, `memory` holds how far memories are from their starts.

        Where retention does not tie them to their starts (`Decay`), it holds the memories themselves.
        """
        memory = tuple(w - s for w, s in zip(state.memory, state.start)) if tied else state.memory
        return State((), tuple(w.detach().clone() for w in memory), tuple(m.detach().clone() for m in state.momentum))

    def attach(self, detached: State, tied: bool) -> State:
        """The state that `detach` made, at the starts as they are now: they get gradient as in a fresh state.

        An outer step moves a memory along with its start, so that it stays as far from it as its writes took it.
        """
        start = self.start(len(detached.memory[0]), detached.memory[0].dtype, momentum=False).start
        memory = tuple(s + w for s, w in zip(start, detached.memory)) if tied else detached.memory
        return State(start, memory, detached.momentum)

    def read(self, weights: Weights, x: Tensor) -> Tensor:
        """Answers of all memories to the same inputs (B, H, T, d): (B, M, H, T, d), or 1 for d if narrow."""
        return self.architecture.read(weights, x[:, None])
