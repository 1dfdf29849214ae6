"""Memories of one layer that share keys, rates and a chunk size, written a chunk at a time."""

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from nlcore.memory import L2, ResidualMLP, State, Weights
from nlcore.ops.delta_rule import Chunk, Decays, share_budget


def unit(x: Tensor) -> Tensor:
    """`x` scaled to length one along its last dimension; shorter than 1e-3 it stays short."""
    return x * torch.rsqrt(x.square().sum(-1, keepdim=True) + 1e-6)


class Tokens(NamedTuple):
    """What a memory is given to learn from: keys, values and rates of some tokens."""

    k: Tensor
    """(B, H, T, d), each of length one."""
    v: Tensor
    """(B, H, T, d), each of length one."""
    eta: Tensor
    """(B, H, T)."""
    log_alpha: Tensor
    """(B, H, T), below 0."""

    def part(self, begin: int, end: int) -> "Tokens":
        return Tokens(*(x[:, :, begin:end] for x in self))

    def then(self, more: "Tokens") -> "Tokens":
        return Tokens(*(torch.cat(pair, dim=2) for pair in zip(self, more)))


class Written(NamedTuple):
    """Report on one chunk's write, detached."""

    surprise: Tensor
    """Norm of each memory's error at each token: (B, M, C), mean over heads."""
    update: Tensor
    """Norm of each memory's change: (M,), mean over batch and heads."""
    norm: Tensor
    """Norm of each memory's weights after the write: (M,), mean over batch and heads."""


class MemoryGroup(nn.Module):
    """M memories a head, each `M(x) = x + W_1 silu(W_2 x)` (eq. 89), with learnt starts.

    The starts belong to the slow level and receive gradient through every write; the
    states, (B, M, H, out, in) a layer, belong to the in-context level.

    Args:
        names: one name a memory.
        heads, width, hidden: H, d, and the hidden width of the MLPs.
        budget: see `share_budget`.
        pull_to_start: retention towards the start (default), or plain decay as printed.
    """

    def __init__(
        self, names: tuple[str, ...], heads: int, width: int, hidden: int, budget: float, pull_to_start: bool
    ) -> None:
        super().__init__()
        self.names, self.budget, self.pull_to_start = names, budget, pull_to_start
        self.eta_scale = 1.0  # steers this group from outside; 0 and its memories stay at their starts
        self.architecture, self.objective = ResidualMLP(width, hidden), L2()
        # For inputs of length one: W_2 gives pre-activations of order one, and W_1 makes
        # of them a vector about as long as the residual, so k, v and q start apart.
        w1, w2 = (torch.empty(len(names), heads, *shape) for shape in self.architecture.shapes())
        self.w1 = nn.Parameter(nn.init.normal_(w1, std=1.5 / math.sqrt(width * hidden)))
        self.w2 = nn.Parameter(nn.init.normal_(w2))

    def start(self, batch: int, dtype: torch.dtype, momentum: bool) -> State:
        """The state before the first token, of `batch` sequences."""
        weights = tuple(w.to(dtype).expand(batch, *w.shape) for w in (self.w1, self.w2))
        return State(weights, weights, tuple(torch.zeros_like(w) for w in weights) if momentum else ())

    def detach(self, state: State) -> State:
        """What was learnt in context, without gradient: `memory` holds how far the memories are from their starts.

        Without a pull to the start nothing ties them to it, and `memory` holds the memories themselves.
        """
        memory = tuple(w - s for w, s in zip(state.memory, state.start)) if self.pull_to_start else state.memory
        return State((), tuple(w.detach() for w in memory), tuple(m.detach() for m in state.momentum))

    def attach(self, detached: State) -> State:
        """The state that `detach` made, at the starts as they are now: they get gradient as in a fresh state.

        An outer step moves a memory along with its start, so that it stays as far from it as its writes took it.
        """
        start = self.start(len(detached.memory[0]), detached.memory[0].dtype, momentum=False).start
        memory = tuple(s + w for s, w in zip(start, detached.memory)) if self.pull_to_start else detached.memory
        return State(start, memory, detached.momentum)

    def read(self, weights: Weights, x: Tensor) -> Tensor:
        """Answers of all memories to the same inputs (B, H, T, d): (B, M, H, T, d)."""
        return self.architecture.read(weights, x[:, None])

    def write(self, state: State, tokens: Tokens, theta: Tensor | None, report: bool) -> tuple[State, Written | None]:
        """Store one chunk (eq. 86-88 with 90): all gradients are taken at `state`.

        Each memory makes its own value, `unit(M(v))` (eq. 83-85), then learns it under
        the shared key, layer by layer. `theta` (H,) is the momentum's decay, or None.
        """
        weights, key = state.memory, tokens.k[:, None]
        value = unit(self.read(weights, tokens.v))
        layers = self.architecture.gradients(weights, key, lambda answer: self.objective.gradient(answer, value))
        eta, decays = tokens.eta[:, None] * self.eta_scale, Decays(tokens.log_alpha[:, None], theta)
        written = []
        for index, layer in enumerate(layers):
            chunk = Chunk(
                layer.x,
                layer.delta,
                share_budget(layer.x, eta, self.budget),
                decays,
                weights[index],
                state.momentum[index] if theta is not None else None,
                state.start[index] if self.pull_to_start else None,
                layer.output,
            )
            written.append(chunk.final())
        memory, momentum = zip(*written)
        new = State(state.start, memory, momentum if theta is not None else ())
        return new, self._report(state, new, layers[0].delta) if report else None

    @torch.no_grad()
    def _report(self, old: State, new: State, error: Tensor) -> Written:
        def norm(weights: list[Tensor]) -> Tensor:
            squares = sum(w.square().sum((-1, -2)) for w in weights)
            return squares.sqrt().mean((0, 2))

        change = [b - a for a, b in zip(old.memory, new.memory)]
        return Written(error.norm(dim=-1).mean(2), norm(change), norm(list(new.memory)))
