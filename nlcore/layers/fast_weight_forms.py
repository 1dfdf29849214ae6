"""How fast weights run over tokens: one write after the other, or a chunk in closed form. Both compute the same."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from nlcore import probe
from nlcore.memory import (
    L2,
    AssociativeMemory,
    Decay,
    DotProduct,
    GradientDescent,
    LayerGradient,
    Linear,
    Oja,
    Omega,
    Rates,
    State,
    Weights,
)
from nlcore.ops.fast_weight import Chunk, Decays, OjaChunk

AT = ("token", "retained", "chunk")
"""Where a token's gradient is taken: at the memory it finds, at what retention leaves of that, or at the memory that
its chunk began with, which makes the chunk's length a part of the model."""


class FastTokens(NamedTuple):
    """What a memory is given at some tokens."""

    k: Tensor
    """Keys (B, H, T, d_k)."""
    v: Tensor
    """Values (B, H, T, d_v)."""
    q: Tensor
    """Queries (B, H, T, d_k)."""
    eta: Tensor
    """(B, H, T)."""
    log_alpha: Tensor
    """(B, H, T), at most 0 and finite."""
    log_theta: Tensor | None
    """(B, H, T), below 0; None for no momentum."""

    def part(self, begin: int, end: int) -> "FastTokens":
        return FastTokens(*(None if x is None else x[:, :, begin:end] for x in self))


class FastState(NamedTuple):
    """What a memory carries from one call to the next, each tensor's first dimensions (B, H)."""

    memory: Weights
    """The weights now, (B, H, out, in) a layer."""
    momentum: Weights
    """Running sum of gradient steps, as large; () without."""
    anchor: Weights
    """The weights that the present chunk began with, as large, where gradients are taken there; else ()."""
    window: tuple[Tensor, ...]
    """Keys and values of the c - 1 tokens before, (B, H, c - 1, d), that a rule of window c still asks for, zeros where
    none came; () for rules that ask for the newest alone."""
    position: int
    """Tokens seen so far."""


class Trace(NamedTuple):
    """What each token's write did, each (B, H, T), detached."""

    surprise: Tensor
    """Norm of the objective's gradient at the memory's output."""
    update: Tensor
    """Norm of the change over all weights."""
    norm: Tensor
    """Norm of all weights after it."""


Form = Callable[[AssociativeMemory, str, int, FastTokens, FastState, Weights], tuple[Tensor, FastState, Trace | None]]
"""Takes the memory, one of AT, the chunk's length, the tokens, the state before them and the memory's start. Returns
the answers `M_t(q_t)` (B, H, T, d_v), each read after its own write (eq. 16), the state, and a trace while `probe` listens."""


def closed_form(memory: AssociativeMemory, at: str, momentum: bool) -> Form:
    """`chunked` where these choices have a closed form, else `token_by_token`: see `ops/fast_weight`."""
    linear, rule = isinstance(memory.architecture, Linear), memory.rule
    if isinstance(rule, Oja):
        solved = linear and isinstance(memory.objective, DotProduct) and not momentum
    else:
        solved = isinstance(rule, GradientDescent | Omega) and (
            at == "chunk" or linear and isinstance(memory.objective, DotProduct | L2)
        )
    return chunked if solved and isinstance(memory.retention, Decay) else token_by_token


def token_by_token(
    memory: AssociativeMemory, at: str, size: int, tokens: FastTokens, state: FastState, start: Weights
) -> tuple[Tensor, FastState, Trace | None]:
    """`AssociativeMemory.write` and `.read` for each token in turn. For any memory; slow, and plainly right."""
    inner = State(start, state.memory, state.momentum or state.memory, state.window)  # no theta, no momentum touched
    anchor, answers, traces = state.anchor, [], []
    for t in range(tokens.q.shape[2]):
        k, v, q, eta, log_alpha, log_theta = (None if x is None else x[:, :, t] for x in tokens)
        if at == "chunk" and (state.position + t) % size == 0:
            anchor = inner.memory
        rates = Rates(eta, log_alpha.exp(), None if log_theta is None else log_theta.exp())
        kept = [memory.retention.keep(w, w0, rates.alpha) for w, w0 in zip(inner.memory, start)]
        found = {"token": inner.memory, "retained": tuple(kept), "chunk": anchor}[at]
        inner, report = memory.write(inner, k, v, rates, at=inner._replace(memory=found))
        inner = inner._replace(window=tuple(pairs[..., 1:, :] for pairs in inner.window))
        answers.append(memory.read(inner, q))
        if probe.listening():
            traces.append((report.surprise, report.update, _norm(inner.memory)))
    momentum = inner.momentum if state.momentum else ()
    state = FastState(inner.memory, momentum, anchor, inner.window, state.position + len(answers))
    trace = Trace(*(torch.stack(x, -1).detach() for x in zip(*traces))) if traces else None
    return torch.stack(answers, 2), state, trace


def chunked(
    memory: AssociativeMemory, at: str, size: int, tokens: FastTokens, state: FastState, start: Weights
) -> tuple[Tensor, FastState, Trace | None]:
    """The same in closed form, `size` tokens at a time, for what `closed_form` finds one for."""
    answers, traces, done = [], [], 0
    while done < tokens.q.shape[2]:
        since = state.position % size
        count = min(tokens.q.shape[2] - done, size - since)
        if at == "chunk" and since == 0:
            state = state._replace(anchor=state.memory)
        answer, state, trace = _chunk(memory, at, tokens.part(done, done + count), state)
        answers.append(answer)
        traces.append(trace)
        done += count
    trace = Trace(*(torch.cat(x, -1) for x in zip(*traces))) if probe.listening() else None
    return torch.cat(answers, 2), state, trace


def _chunk(
    memory: AssociativeMemory, at: str, tokens: FastTokens, state: FastState
) -> tuple[Tensor, FastState, Trace | None]:
    """Some tokens of one chunk."""
    k, v, window = _pairs(len(memory.rule.window), tokens, state.window)
    eta = tokens.eta[..., None] * tokens.eta.new_tensor(memory.rule.window)
    decays = Decays(tokens.log_alpha, tokens.log_theta)
    momenta = state.momentum or (None,) * len(state.memory)
    if isinstance(memory.rule, Oja):
        layers = [OjaChunk(k, v, eta, decays, *state.memory)]
    elif at != "chunk" and isinstance(memory.objective, L2):
        scale = torch.ones_like(tokens.log_alpha) if at == "token" else tokens.log_alpha.exp()
        layers = [Chunk(k, -v, eta, scale, decays, *state.memory, *momenta)]
    else:  # the gradient is that of the chunk's start, or, with the dot product, the same at any memory
        found = _gradients(memory, state.anchor or state.memory, k, v)
        layers = [Chunk(g.x, g.delta, eta, None, decays, w, m) for g, w, m in zip(found, state.memory, momenta)]
    answers = memory.architecture.through([layer.answers for layer in layers], tokens.q)
    weights, momentum = zip(*(layer.final() for layer in layers))
    after = FastState(
        weights, momentum if state.momentum else (), state.anchor, window, state.position + tokens.q.shape[2]
    )
    return answers, after, _trace(state.memory, layers) if probe.listening() else None


def _pairs(length: int, tokens: FastTokens, window: tuple[Tensor, ...]) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
    """Keys and values that each token writes, the oldest first, (B, H, T, c, d), and the window to carry on."""
    if length == 1:
        return tokens.k[..., None, :], tokens.v[..., None, :], ()
    joined = [torch.cat(pair, dim=2) for pair in zip(window, tokens[:2])]
    k, v = (x.unfold(2, length, 1).mT for x in joined)
    return k, v, tuple(x[:, :, 1 - length :] for x in joined)


def _gradients(memory: AssociativeMemory, weights: Weights, k: Tensor, v: Tensor) -> list[LayerGradient]:
    """Each layer's gradient for pairs (B, H, T, c, d), at weights that are the same for all of them."""
    found = memory.architecture.gradients(
        weights, k.flatten(2, 3), lambda answer: memory.objective.gradient(answer, v.flatten(2, 3))
    )
    return [LayerGradient(*(x.unflatten(2, k.shape[2:4]) for x in layer)) for layer in found]


@torch.no_grad()
def _trace(before: Weights, layers: list[Chunk | OjaChunk]) -> Trace:
    after = tuple(layer.states() for layer in layers)
    whole = [torch.cat([w[:, :, None], states], dim=2) for w, states in zip(before, after)]
    change = tuple(w.diff(dim=2) for w in whole)
    return Trace(layers[0].newest_gradients().norm(dim=-1), _norm(change), _norm(after))


def _norm(weights: Weights) -> Tensor:
    return sum(w.square().sum((-1, -2)) for w in weights).sqrt()
