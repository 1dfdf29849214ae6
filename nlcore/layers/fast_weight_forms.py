"""How fast weights run over tokens: one write after the other, or a chunk in closed form. Both compute the same."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from nlcore import probe, regions
from nlcore.memory import L2, AssociativeMemory, Decay, DotProduct, GradientDescent, Linear, Oja, Omega, Rates, State
from nlcore.memory.architectures import Weights
from nlcore.ops.fast_weight import Chunk, Decays, OjaChunk
from nlcore.ops.pieces import pieces
from nlcore.regions import region

AT = ("token", "retained", "chunk")
"""Where a token's gradient is taken: at the memory it finds, at what retention leaves of that, or at the memory that
its chunk began with, which makes the chunk's length a part of the model."""


class FastTokens(NamedTuple):
    """What a memory is given at some tokens: (B, H, T, d) each, the rates (B, H, T), their logs at most 0 and finite."""

    k: Tensor
    v: Tensor
    q: Tensor
    eta: Tensor
    log_alpha: Tensor
    log_theta: Tensor | None
    """None for no momentum."""


class FastState(NamedTuple):
    """What a memory carries from one call to the next."""

    memory: Weights
    """The weights now, (B, H, out, in) a layer."""
    momentum: Weights
    """Running sum of gradient steps, as large; () without."""
    anchor: Weights
    """The weights that the present chunk began with, as large, where gradients are taken there; else ()."""
    window: tuple[Tensor, ...]
    """Keys and values of the c - 1 tokens before, (B, H, c - 1, d), zeros where none came, for a rule of window c > 1."""
    position: int
    """Tokens since the last chunk began: not all so far, so that the same call comes again, and is compiled once."""


class Trace(NamedTuple):
    """What each token's write did, (B, H, T) each: norms of the gradient at the memory's output, of the change over all
    weights, and of the weights after it. Detached."""

    surprise: Tensor
    update: Tensor
    norm: Tensor


Ran = tuple[Tensor, FastState, Trace | None]
"""Answers `M_t(q_t)` (B, H, T, d_v), each read after its own write (eq. 16), the state, a trace while `probe` listens."""
Form = Callable[[AssociativeMemory, str, int, FastTokens, FastState, Weights], Ran]
"""Takes the memory, one of AT, the chunk's length, the tokens, the state before them, and the memory's start."""


def closed_form(memory: AssociativeMemory, at: str, momentum: bool) -> Form:
    """`chunked` where these choices have a closed form, else `token_by_token`: see `ops/fast_weight`."""
    matrix, dot = isinstance(memory.architecture, Linear), isinstance(memory.objective, DotProduct)
    if isinstance(memory.rule, Oja):
        solved = matrix and dot and not momentum
    else:
        affine = at == "chunk" or matrix and (dot or isinstance(memory.objective, L2))
        solved = isinstance(memory.rule, GradientDescent | Omega) and affine
    return chunked if solved and isinstance(memory.retention, Decay) else token_by_token


def token_by_token(
    memory: AssociativeMemory, at: str, size: int, tokens: FastTokens, state: FastState, start: Weights
) -> Ran:
    """`AssociativeMemory.write` and `.read` for each token in turn. For any memory; slow, and plainly right."""
    inner = State(start, state.memory, state.momentum or state.memory, state.window)  # no theta, no momentum touched
    anchor, answers, traces = state.anchor, [], []
    for t in range(tokens.q.shape[2]):
        k, v, q, eta, log_alpha, log_theta = (None if x is None else x[:, :, t] for x in tokens)
        if at == "chunk" and (state.position + t) % size == 0:
            anchor = inner.memory
        rates = Rates(eta, log_alpha.exp(), None if log_theta is None else log_theta.exp())
        kept = tuple(memory.retention.keep(w, w0, rates.alpha) for w, w0 in zip(inner.memory, start))
        found = {"token": inner.memory, "retained": kept, "chunk": anchor}[at]
        inner, report = memory.write(inner, k, v, rates, at=inner._replace(memory=found))
        inner = inner._replace(window=tuple(pairs[..., 1:, :] for pairs in inner.window))
        answers.append(memory.read(inner, q))
        if probe.listening():
            traces.append((report.surprise.detach(), report.update.detach(), _norm(inner.memory).detach()))
    momentum = inner.momentum if state.momentum else ()
    state = FastState(inner.memory, momentum, anchor, inner.window, (state.position + len(answers)) % size)
    trace = Trace(*(torch.stack(x, -1) for x in zip(*traces))) if traces else None
    return torch.stack(answers, 2), state, trace


def chunked(
    memory: AssociativeMemory, at: str, size: int, tokens: FastTokens, state: FastState, start: Weights
) -> Ran:
    """The same in closed form, `size` tokens at a time, for what `closed_form` finds one for."""
    answers, traces = [], []
    sizes = pieces(state.position, tokens.q.shape[2], size)
    given = [[None] * len(sizes) if x is None else x.split(sizes, 2) for x in tokens]
    for part in map(FastTokens, *given):
        if at == "chunk" and state.position % size == 0:
            state = state._replace(anchor=state.memory)
        answer, state, trace = _as_region(memory, at, part, state) if regions.active() else _run_chunk(memory, at, part, state)
        state = state._replace(position=(state.position + part.q.shape[2]) % size)
        answers.append(answer)
        traces.append(trace)
    return torch.cat(answers, 2), state, Trace(*(torch.cat(x, -1) for x in zip(*traces))) if probe.listening() else None


def _run_chunk(
    memory: AssociativeMemory, at: str, tokens: FastTokens, state: FastState
) -> tuple[Tensor, FastState, Trace | None]:
    """Tokens of one chunk."""
    layers, window = _chunk(memory, at, tokens, state)
    answers = memory.architecture.through([layer.answers for layer in layers], tokens.q)
    trace = _trace(state.memory, layers) if probe.listening() else None
    weights, *momentum = zip(*(layer.final() for layer in layers))
    return answers, FastState(weights, *(momentum or [()]), state.anchor, window, state.position), trace


_run_whole = region(_run_chunk)


def _as_region(
    memory: AssociativeMemory, at: str, tokens: FastTokens, state: FastState
) -> tuple[Tensor, FastState, Trace | None]:
    """`_run_chunk` as a region: what goes in looks the same for all chunks, so it is compiled once."""
    own, momentum, anchor, window = (tuple(w.contiguous() for w in part) for part in state[:-1])
    anchor = own if state.anchor is state.memory else anchor
    return _run_whole(memory, at, tokens, FastState(own, momentum, anchor, window, 0))


def _chunk(
    memory: AssociativeMemory, at: str, tokens: FastTokens, state: FastState
) -> tuple[list[Chunk], tuple[Tensor, ...]]:
    """Each layer's matrix over some tokens of one chunk, and the window to carry on."""
    (k, v), window = _pairs(len(memory.rule.window), tokens, state.window)
    eta = tokens.eta[..., None] * tokens.eta.new_tensor(memory.rule.window)
    decays = Decays(tokens.log_alpha, tokens.log_theta)
    if isinstance(memory.rule, Oja):
        return [OjaChunk(k, v, eta, decays, *state.memory)], window
    if at != "chunk" and isinstance(memory.objective, L2):
        scale = torch.ones_like(tokens.log_alpha) if at == "token" else tokens.log_alpha.exp()
        return [Chunk(k, -v, eta, scale, decays, *state.memory, *state.momentum)], window
    # The gradient is that of the chunk's start, or, with the dot product, the same at any memory.
    found = memory.architecture.gradients(
        state.anchor or state.memory, k.flatten(2, 3), lambda answer: memory.objective.gradient(answer, v.flatten(2, 3))
    )
    pairs = [(layer.x.unflatten(2, k.shape[2:4]), layer.delta.unflatten(2, k.shape[2:4])) for layer in found]
    matrices = zip(*filter(None, (state.memory, state.momentum)))
    return [Chunk(*pair, eta, None, decays, *own) for pair, own in zip(pairs, matrices)], window


def _pairs(
    length: int, tokens: FastTokens, window: tuple[Tensor, ...]
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Keys and values that each token writes, the oldest first, (B, H, T, c, d), and the window to carry on."""
    if length == 1:
        return (tokens.k[..., None, :], tokens.v[..., None, :]), ()
    joined = [torch.cat(pair, dim=2) for pair in zip(window, tokens)]
    return tuple(x.unfold(2, length, 1).mT for x in joined), tuple(x[:, :, 1 - length :] for x in joined)


@torch.no_grad()
def _trace(before: Weights, layers: list[Chunk]) -> Trace:
    after = [layer.states() for layer in layers]
    change = [torch.cat([w[:, :, None], states], dim=2).diff(dim=2) for w, states in zip(before, after)]
    return Trace(layers[0].gradients().norm(dim=-1), _norm(change), _norm(after))


def _norm(weights: list[Tensor] | Weights) -> Tensor:
    return sum(w.square().sum((-1, -2)) for w in weights).sqrt()
