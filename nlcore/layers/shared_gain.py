"""One gain for all memories: what a layer of linear memories computes, with one state in place of six (eq. 93)."""

from collections.abc import Callable

import torch
from torch import Tensor

from nlcore.layers.memory_group import unit
from nlcore.layers.self_modifying import SelfModifyingTitans
from nlcore.memory import Linear
from nlcore.ops.delta_rule import Chunk, Decays, Opened


def raw_answer(read: Callable[[Tensor], Tensor], v: Tensor) -> Tensor:
    """What the memory itself makes of the value, at the length it has: as eq. 93 takes it.

    `SelfModifyingTitans` does not take it, since nothing bounds it: the transition of a write is then
    `alpha I - eta (2 k - v) k^T`. Where nothing is forgotten and v is orthogonal to k, its norm exceeds 1 at every eta.
    """
    return read(v)


def shared_gain(layer: SelfModifyingTitans, x: Tensor) -> tuple[Tensor, Tensor]:
    """What `layer(x)` answers when it learns `raw_answer`, and the gain G (B, H, d, d) after the last whole chunk.

    Every write multiplies a memory from the right by what keys, values and rates make, which all memories share. So each
    is `M_0 G`, its start times the one gain, with retention to the start or without; and G is a memory itself, that
    starts at the identity and learns its own `G v` under k. One solve a chunk and head does for all.

    `x` (B, T, dim), the first tokens of a sequence. Starts, and all other parameters, receive gradient through G.
    Raises ValueError for a layer whose memories do not share all of that.
    """
    _check(layer)
    tail = layer.start(len(x), x.dtype).tail
    inputs, static, _ = layer.inputs(x, tail)
    u, size = unit(inputs), layer.chunks[0]
    gain = identity = torch.eye(layer.width, dtype=x.dtype, device=x.device).expand(len(x), layer.heads, -1, -1)
    answers = []
    for part, *plain in zip(u.split(size, 2), *(made.split(size, 2) for made in static.values())):
        made = dict(zip(static, plain))
        opened, q, eta, decays = _open(layer, part, made, gain, identity if layer.learning.tied else None)
        answers.append(_read(layer, opened, q, eta, decays))
        if q.shape[2] == size:
            rates = layer.learning.bound(1).rates(opened, eta, layer.budget(x.dtype), decays)
            gain = Chunk(opened, rates, decays, layer.learning.erases).final()[0]
    found = torch.cat(answers, 2) @ layer.memory.weights[0][0].mT
    return layer.w_out(layer.norm(found).transpose(1, 2).flatten(2)), gain


def _open(
    layer: SelfModifyingTitans, u: Tensor, static: dict[str, Tensor], gain: Tensor, start: Tensor | None
) -> tuple[Opened, Tensor, Tensor, Decays]:
    """A chunk as the gain learns it, the queries (B, H, C, d), eta (B, H, C), and the decays."""
    made = dict(static)
    if layer.projections is not None:
        passed = (u @ gain.mT)[:, None] @ layer.projections.weights[0].mT
        made |= dict(zip(layer.projections.names, passed.unbind(1)))
    k, v, q = (unit(made[name]) for name in ("k", "v", "q"))
    eta, log_alpha = layer.rates(made, u)
    answers = k @ gain.mT
    delta = layer.learning.objective.gradient(answers, v @ gain.mT)
    return Opened(k, delta, gain, None, start, answers, k @ k.mT), q, eta, Decays(log_alpha)


def _read(layer: SelfModifyingTitans, opened: Opened, q: Tensor, eta: Tensor, decays: Decays) -> Tensor:
    """What the gain answers the queries, where the layer reads: (B, H, C, d)."""
    if layer.reads == "boundary":
        return q @ opened.weight.mT
    how = layer.learning
    inside = how.bound(1).inside(opened, eta, layer.budget(q.dtype), decays, how.erases)
    return (inside.before() if layer.reads == "before" else inside).answers(q)


def _check(layer: SelfModifyingTitans) -> None:
    makers = layer.projections
    linear = isinstance(layer.memory.architecture, Linear) and layer.rate_memories is None and layer.theta is None
    if not linear or layer.chunks[0] != layer.chunks[1] or makers is not None and makers.share != 1:
        raise ValueError(
            "these memories share no gain: build the layer with architecture=matrix, one chunk size, "
            "projections_share=1, and neither momentum nor narrow_rates"
        )
