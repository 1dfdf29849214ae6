"""What a layer carries from token to token, as far as its class is known: it lives in a call, not in a buffer."""

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from nlcore.layers import SelfModifyingTitans
from nlcore.models import InContext
from nlcore.xray.known import attends


class Carried(NamedTuple):
    """One such state, over one call."""

    name: str
    writes: int | float
    """Along one sequence; infinite for attention, which is solved anew at every read (section 7.1)."""
    size: float
    """Norm of the change: of a recurrent state from the first token to the last, of our memories the mean write."""
    norm: float
    held: dict[int, int]
    """Bytes, by address, since a cache is met in every layer."""
    weights: list[nn.Parameter]
    """Those that it begins with, or is made and read by."""


def carried(layer: nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> list[Carried]:
    """What this call of `layer` carried; of a class that is not known, nothing."""
    own = list(layer.parameters())
    if isinstance(layer, nn.RNNBase | nn.RNNCellBase):
        return [_recurrent(layer, args, kwargs, output)]
    if isinstance(layer, SelfModifyingTitans):
        state, report = output[1], output[2]
        some = [key.removeprefix("update/") for key in report if key.startswith("update/")]
        groups = {"memory": (state.memory,), "projections": (state.projections, state.rate_memories)}
        return [
            _memories(name, [n for n in some if (n == "memory") is (name == "memory")], report, held, own)
            for name, held in groups.items()
            if name in layer.periods
        ]
    if isinstance(layer, InContext):
        state, report = output.state, output.reports["continuum"]
        return [
            _memories(name, [name], report, (state.moved[i], state.gathered[i]), list(starts))
            for i, (name, starts) in enumerate(zip(layer.periods, layer.starts()))
        ]
    if attends(layer):
        held = {t.data_ptr(): t.nbytes for t in _tensors([*args, *kwargs.values(), output], in_cache=False)}
        if isinstance(layer, nn.MultiheadAttention):  # its keys and values leave nothing behind, but for their size
            keys = args[1] if len(args) > 1 else kwargs["key"]
            held = {id(layer): 2 * keys.numel() // keys.shape[-1] * layer.embed_dim * keys.element_size()}
        return [Carried("attention", math.inf, math.nan, math.nan, held, own)]
    return []


def _recurrent(layer: nn.RNNBase | nn.RNNCellBase, args: tuple, kwargs: dict[str, Any], output: Any) -> Carried:
    cell = isinstance(layer, nn.RNNCellBase)
    x, before = (args[i] if len(args) > i else kwargs.get(name) for i, name in enumerate(("input", "hx")))
    after = list(_tensors(output if cell else output[1]))
    changes = [now - then for now, then in zip(after, _tensors(before))] or after  # it begins at zero
    if cell:
        tokens = 1
    elif isinstance(x, PackedSequence):
        tokens = len(x.batch_sizes)
    else:
        tokens = x.shape[1 if layer.batch_first and x.dim() == 3 else 0]
    held = {t.data_ptr(): t.nbytes for t in after}
    return Carried("state", tokens, _norm(changes), _norm(after), held, list(layer.parameters()))


def _memories(name: str, some: list[str], report: dict[str, Tensor], states: tuple, own: list[nn.Parameter]) -> Carried:
    """Of these names in the report; one that was not written in this call has no size."""
    means = {f: [float(x.mean()) if (x := report[f"{f}/{n}"]).numel() else 0.0 for n in some] for f in ("update", "norm")}
    held = {t.data_ptr(): t.nbytes for state in states for t in _tensors(state)}
    return Carried(name, len(report[f"update/{some[0]}"]), math.hypot(*means["update"]), math.hypot(*means["norm"]), held, own)


def _tensors(value: Any, in_cache: bool = True) -> Iterator[Tensor]:
    """All tensors in it; not `in_cache`, those alone that lie in what is called a state or a cache."""
    in_cache = in_cache or type(value).__name__.endswith(("State", "Cache"))
    if isinstance(value, Tensor):
        yield from [value] * in_cache
    elif isinstance(value, tuple | list):
        for part in value:
            yield from _tensors(part, in_cache)
    elif in_cache and hasattr(value, "__dict__") and not isinstance(value, nn.Module | type):
        for part in vars(value).values():
            yield from _tensors(part)


def _norm(tensors: list[Tensor]) -> float:
    return float(nn.utils.get_total_norm([t.detach() for t in tensors], error_if_nonfinite=False))
