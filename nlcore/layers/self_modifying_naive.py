"""Self-modifying Titans as a loop over tokens and memories. Slow, and plainly right."""

from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from nlcore.layers.convolution import WIDTH
from nlcore.layers.learning import given, own_answer, soft_answer
from nlcore.layers.memory_group import unit
from nlcore.layers.self_modifying import SelfModifyingTitans
from nlcore.memory import L2, AssociativeMemory, DeltaGradientDescent, DotProduct, KeepAll, Linear, Rates, State


class _Token(NamedTuple):
    """What one memory learns from one token, each (B, H, d) or (B, H)."""

    k: Tensor
    v: Tensor
    rates: Rates
    budget: Tensor
    given: bool


def self_modifying_naive(layer: SelfModifyingTitans, x: Tensor) -> tuple[Tensor, dict[str, State]]:
    """What `layer(x)` computes, by one `AssociativeMemory.write` per token and memory (eq. 83-90).

    `x` (B, T, dim), the first tokens of a sequence. Returns the outputs (B, T, dim) and
    every memory's final state by name, (B, H, out, in) a matrix. With both chunk sizes
    1 this is the token-by-token form, eq. 83-88; otherwise gradients are taken at the
    state that the chunk began with, eq. 90, and the main memory is read as `layer.reads` says.
    """
    memories, states, shares, how = {}, {}, {}, layer.learning
    for group in filter(None, (layer.projections, layer.rate_memories, layer.memory)):
        for index, name in enumerate(group.names):
            shares[name] = group.share
            memories[name] = AssociativeMemory(group.architecture, how.objective, how.rule, how.retention)
            starts = tuple(w[index] for w in group.parameters())
            states[name] = memories[name].start((len(x), layer.heads), starts)
    opened = dict(states)  # each memory's state when its present chunk began
    waiting: dict[str, list[_Token]] = {name: [] for name in states}
    outputs = []
    for t in range(x.shape[1]):
        u, made = _inputs(layer, x, t)
        made |= {name: memories[name].read(opened[name], u) for name in states if name != "memory"}
        k, v, q = unit(made["k"]), unit(made["v"]), unit(made["q"])
        rates, budget = _rates(layer, made, u)
        for name, chunk in waiting.items():
            own = partial(memories[name].read, opened[name])
            value = LEARNS[how.learns](own(v)) if how.learns in LEARNS else how.learns(own, v)
            chunk.append(_Token(k, value, rates, budget, how.learns is given and not how.adapts))
        seen = {"boundary": [], "before": waiting["memory"][:-1], "after": waiting["memory"]}[layer.reads]
        found = _read_state(memories["memory"], opened["memory"], seen)
        outputs.append(_output(layer, memories["memory"].read(found, q)))
        for name, chunk in waiting.items():
            if len(chunk) == layer.chunks[0 if name == "memory" else 1]:
                states[name] = opened[name] = _write_chunk(memories[name], opened[name], chunk, shares[name])
                chunk.clear()
    return torch.stack(outputs, 1), states


def _inputs(layer: SelfModifyingTitans, x: Tensor, t: int) -> tuple[Tensor, dict[str, Tensor]]:
    """The memories' input at token t, (B, H, d), and what plain matrices make: (B, H, d), rates (B, H, 1)."""
    convolved = 0
    for lag in range(min(WIDTH, t + 1)):
        convolved = convolved + layer.convolution[:, 0, -1 - lag] * (x[:, t - lag] @ layer.w_in.weight.mT)
    plain = {name: getattr(layer, f"w_{name}") for name in ("k", "v", "eta", "alpha", "q") if hasattr(layer, f"w_{name}")}
    made = {name: (convolved @ w.weight.mT).unflatten(-1, (layer.heads, -1)) for name, w in plain.items()}
    return unit(convolved.unflatten(-1, (layer.heads, -1))), made


def _value(answer: Tensor) -> Tensor:
    return unit(answer) if answer.shape[-1] > 1 else _soft(answer)


def _soft(answer: Tensor) -> Tensor:
    return answer / (1 + (answer**2).sum(-1, keepdim=True)).sqrt()


LEARNS = {own_answer: _value, soft_answer: _soft}
"""What of its own answer a memory learns."""


def _rates(layer: SelfModifyingTitans, made: dict[str, Tensor], u: Tensor) -> tuple[Rates, Tensor]:
    """Rates of one token, and the most that it may write."""
    numbers = {"eta": layer.bias_eta, "alpha": layer.bias_alpha}
    for name in ("eta", "alpha"):
        if name not in made:
            continue
        read = getattr(layer, f"read_{name}", None)
        if read is None:
            number = made[name][..., 0]
        elif layer.rate_memories is None:
            number = (made[name] * read).sum(-1)
        else:
            number = made[name][..., 0] + (u * read).sum(-1)
        numbers[name] = number + numbers[name]
    eta = torch.sigmoid(numbers["eta"]) * layer.eta_scale
    alpha = torch.ones_like(eta) if isinstance(layer.learning.retention, KeepAll) else torch.sigmoid(numbers["alpha"])
    budget = torch.full_like(alpha, layer.eta_max)
    if layer.theta is None:
        return Rates(budget * eta, alpha), budget
    theta = torch.sigmoid(layer.theta).expand_as(eta)
    budget = (1 - theta) * budget
    return Rates(budget * eta, alpha, theta), budget


def _write_chunk(memory: AssociativeMemory, opened: State, chunk: list[_Token], share: float) -> State:
    """Write a whole chunk, token after token, with gradients and the budget of the chunk's start."""
    etas = [_shared_rates(memory, opened, chunk, token) for token in chunk]
    state = opened
    for (k, v, rates, *_), eta in zip(chunk, etas):
        eta = tuple(share * rate for rate in eta)
        state, _ = memory.write(state, k, v, rates._replace(eta=eta), at=opened)
    return state


def _alone(memory: AssociativeMemory, token: _Token) -> bool:
    """Whether a token's rate looks at no other token."""
    erases = isinstance(memory.rule, DeltaGradientDescent)
    return isinstance(memory.objective, DotProduct) and (erases or _sums(memory, token))


def _sums(memory: AssociativeMemory, token: _Token) -> bool:
    """Whether what is held is no more than a sum of what was given."""
    asks = isinstance(memory.objective, L2) or isinstance(memory.rule, DeltaGradientDescent)
    return token.given and not asks and isinstance(memory.architecture, Linear)


def _read_state(memory: AssociativeMemory, opened: State, seen: list[_Token]) -> State:
    """The main memory as a read inside the chunk finds it: where rates are shared, erasure too is that of the start."""
    if seen and _alone(memory, seen[0]):
        return _write_chunk(memory, opened, seen, share=1)
    weights, momentum = list(opened.memory), list(opened.momentum)
    for token in seen:
        etas = _shared_rates(memory, opened, seen, token)
        layers = memory.architecture.gradients(
            opened.memory, token.k[..., None, :], lambda answer: memory.objective.gradient(answer, token.v[..., None, :])
        )
        for index, (layer, eta, old) in enumerate(zip(layers, etas, opened.memory)):
            x, delta = layer.x.squeeze(-2), layer.delta.squeeze(-2)
            step = -(eta[..., None] * delta)[..., None] * x[..., None, :]
            if token.rates.theta is not None:
                step = momentum[index] = token.rates.theta[..., None, None] * momentum[index] + step
            kept = memory.retention.keep(weights[index], opened.start[index], token.rates.alpha)
            weights[index] = kept - memory.rule.erase(old, x, delta, eta) + step
    return State(opened.start, tuple(weights), tuple(momentum))


def _shared_rates(memory: AssociativeMemory, opened: State, chunk: list[_Token], token: _Token) -> tuple[Tensor, ...]:
    """Each layer's rate for one token: its own, divided by how much the chunk's keys overlap with its key.

    With the dot product and DGD nothing is stale by the chunk's end, and the token's own key alone counts; a sum of
    given values is amplified by nothing, and has no limit.
    """

    def keys(k: Tensor) -> list[Tensor]:
        layers = memory.architecture.gradients(opened.memory, k[..., None, :], torch.zeros_like)
        return [layer.x.squeeze(-2) for layer in layers]

    own = keys(token.k)
    if _sums(memory, token):
        return (token.rates.eta,)
    if _alone(memory, token):
        limit = (1 + token.rates.alpha) * (1 if token.rates.theta is None else 1 - token.rates.theta)
        excess = [token.rates.eta * (x**2).sum(-1) / limit for x in own]
        return tuple(token.rates.eta / each.clamp(min=1) for each in excess)
    load, budgets = [torch.zeros_like(token.budget) for _ in own], _budgets(memory, opened, token)
    for other in chunk:
        for layer, (a, b) in enumerate(zip(own, keys(other.k))):
            load[layer] = load[layer] + (a * b).sum(-1).abs() * other.rates.eta / budgets[layer]
    return tuple(token.rates.eta / total.clamp(min=1) for total in load)


def _budgets(memory: AssociativeMemory, opened: State, token: _Token) -> list[Tensor]:
    """What each layer may write: behind long weights a layer's answer counts for more, and so does what it writes."""
    if isinstance(memory.objective, DotProduct):
        return [token.budget] * len(opened.memory)
    found, curvature = [], torch.ones_like(token.budget)
    for w in opened.memory:
        stable = 1 / (curvature + isinstance(memory.rule, DeltaGradientDescent))
        stable = stable if token.rates.theta is None else stable * (1 - token.rates.theta)
        found.append(torch.minimum(token.budget, stable))
        curvature = curvature * 1.21 * torch.linalg.svdvals(w).pow(8).sum(-1) ** 0.25
    return found


def _output(layer: SelfModifyingTitans, answer: Tensor) -> Tensor:
    return layer.norm(answer).flatten(1) @ layer.w_out.weight.mT
