"""The one type of the course: an associative memory, made by four choices."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from nlcore.memory.architectures import Architecture, Weights
from nlcore.memory.objectives import Objective
from nlcore.memory.rules import Retention, Rule


class State(NamedTuple):
    """What a memory owns: a pytree of tensors, each (*batch, out, in)."""

    start: Weights
    """Where the memory began, and where `PullToStart` pulls it. Meta-learned or given."""
    memory: Weights
    """The weights now. They belong to the in-context level: each write changes them."""
    momentum: Weights
    """Running sum of past gradient steps; the level inside the memory's own."""
    window: tuple[Tensor, ...] = ()
    """Keys (*batch, c, d_k) and values (*batch, c, d_v) that a window rule still looks at, the
    newest last. Empty for rules that look at the newest alone."""


class Rates(NamedTuple):
    """The three rates of one write, each a tensor (*batch,)."""

    eta: Tensor | tuple[Tensor, ...]
    """Inner learning rate; a tuple gives each layer its own."""
    alpha: Tensor
    """Retention, 1 keeps everything."""
    theta: Tensor | None = None
    """Momentum decay; None is no momentum, and leaves the stored one untouched."""


class Report(NamedTuple):
    """What one write did, each (*batch,). Differentiable, like everything here."""

    surprise: Tensor
    """Norm of the objective's gradient at the memory's output, for the newest token."""
    update: Tensor
    """Norm of the change over all of the memory's weights."""


@dataclass(frozen=True)
class AssociativeMemory:
    """A memory `M` that maps keys to values (Def. 1), learning one token at a time.

    Four choices make it (eq. 64-68): the function it computes, the objective it is
    asked to lower, the rule it learns by, and what it retains. It has no parameters of
    its own: all tensors are in the state, so gradients flow through any number of
    writes to the start, to keys, values and rates.
    """

    architecture: Architecture
    objective: Objective
    rule: Rule
    retention: Retention

    def start(self, batch: tuple[int, ...] = (), weights: Weights | None = None) -> State:
        """A fresh state for `batch` independent memories.

        `weights` is one tensor per layer, (out, in) or broadcastable to
        (*batch, out, in): a given or meta-learned start, which receives gradient.
        Without it the memory starts at zero in PyTorch's default dtype.

        Raises ValueError when the weights' sizes are not the architecture's.
        """
        shapes = self.architecture.shapes()
        if weights is None:
            weights = tuple(torch.zeros(shape) for shape in shapes)
        given = tuple(tuple(w.shape[-2:]) for w in weights)
        if given != shapes:
            raise ValueError(
                f"this memory's weights have sizes {list(shapes)}, but the start has {list(given)}: "
                "give one (out, in) matrix per layer, in that order"
            )
        weights = tuple(w.expand(*batch, *w.shape[-2:]) for w in weights)
        return State(weights, weights, tuple(torch.zeros_like(w) for w in weights))

    def write(
        self, state: State, k: Tensor, v: Tensor, rates: Rates, at: State | None = None
    ) -> tuple[State, Report]:
        """One inner step: store the value `v` (*batch, d_v) under the key `k` (*batch, d_k).

        Per layer, with `x` its input and `delta` the gradient at its output:
        `m <- theta m - eta delta x^T`, then `W <- retain(W) - erase(W) + m`. A window rule
        sums `delta x^T` over the tokens of its window, each with its weight (eq. 68).

        `at` is the state at which inputs and gradients are taken: the present one if
        None, the chunk's start for chunked semantics (eq. 90). The value counts as
        given: its own dependence on the memory is not part of the inner gradient.
        """
        read_at = (state if at is None else at).memory
        k, v, window = self._in_view(state, k[..., None, :], v[..., None, :])
        gammas = k.new_tensor(self.rule.window[-k.shape[-2] :])[:, None]
        layers = self.architecture.gradients(read_at, k, lambda answer: self.objective.gradient(answer, v))
        etas = rates.eta if isinstance(rates.eta, tuple) else (rates.eta,) * len(layers)

        memory, momentum, squares = [], [], []
        for w, w0, m, layer, eta in zip(state.memory, state.start, state.momentum, layers, etas):
            step = -(eta[..., None, None] * gammas * layer.delta).mT @ layer.x
            if rates.theta is not None:
                step = m = rates.theta[..., None, None] * m + step
            erased = self.rule.erase(w, layer.x[..., -1, :], layer.delta[..., -1, :], eta)
            new = self.retention.keep(w, w0, rates.alpha) - erased + step
            memory.append(new)
            momentum.append(m)
            squares.append((new - w).detach().square().sum((-1, -2)))
        report = Report(layers[0].delta[..., -1, :].norm(dim=-1), torch.stack(squares).sum(0).sqrt())
        return State(state.start, tuple(memory), tuple(momentum), window), report

    def _in_view(self, state: State, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Keys and values, (*batch, T, d), that this step looks at, and the window to carry on."""
        length = len(self.rule.window)
        if length == 1:
            return k, v, ()
        if state.window:
            k, v = (torch.cat([old, new], dim=-2)[..., -length:, :] for old, new in zip(state.window, (k, v)))
        return k, v, (k, v)

    def read(self, state: State, q: Tensor) -> Tensor:
        """The memory's answer to the query `q` (*batch, d_k): (*batch, d_v)."""
        return self.architecture.read(state.memory, q[..., None, :]).squeeze(-2)
