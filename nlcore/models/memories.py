"""A model's levels from outside: their in-context rate, a model without one of them, and what its state weighs."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

Leaf = Tensor | int | None
"""Of a state: nested tuples of these."""


def _in_context(model: nn.Module) -> list[nn.Module]:
    """The layers that write in context: see `Block`."""
    return [module for module in model.modules() if getattr(module, "periods", None)]


def set_memory_rate(model: nn.Module, scale: float) -> None:
    """Multiply eta of every in-context memory by `scale`, in [0, 1]; 0 stops all writing.

    Raises ValueError outside that range: above 1 the stability bound is lost.
    """
    if not 0 <= scale <= 1:
        raise ValueError(f"the in-context learning rate scale is {scale}: choose it between 0 and 1")
    for module in _in_context(model):
        module.eta_scale = scale


@contextmanager
def frozen_memories(model: nn.Module) -> Iterator[None]:
    """Inside the block no in-context memory writes (eta = 0); afterwards all is as before.

    Memories that are pulled to their starts stay there, and so do those that forget nothing. Others nothing holds:
    retention alone shrinks them towards zero, from their starts too (`SelfModifyingTitans` with `Decay`, `FastWeight`).

    Run `backward` inside it too: checkpointed blocks compute their forward pass again.
    """
    before = {module: module.eta_scale for module in _in_context(model)}
    set_memory_rate(model, 0.0)
    try:
        yield
    finally:
        for module, scale in before.items():
            module.eta_scale = scale


@contextmanager
def without(model: nn.Module, level: str) -> Iterator[None]:
    """Inside the block the model does without one level; afterwards all is as before.

    An in-context level ("memory", "projections") writes nothing: see `frozen_memories`. A
    level of the continuum memory ("cms-k") hands its input on.

    Raises ValueError for a level that the model lacks, or "weights", without which nothing is left.
    """
    groups = [part for mixer in _in_context(model) if level in mixer.periods for part in mixer.writers(level)]
    links = [part for name, part in model.named_modules() if level.startswith("cms-") and name.endswith(f".{level}")]
    if not groups and not links:
        raise ValueError(f"there is no level {level!r} that this model can do without: see model.levels()")
    with ExitStack() as stack:
        for group in groups:
            stack.callback(setattr, group, "eta_scale", group.eta_scale)
            group.eta_scale = 0.0
        for link in links:
            stack.callback(link.register_forward_hook(lambda module, inputs, output: inputs[0]).remove)
        yield


def leaves(state: Any) -> list[Leaf]:
    """What a state's nested tuples hold, in order."""
    return [leaf for part in state for leaf in leaves(part)] if isinstance(state, tuple) else [state]


def rebuilt(like: Any, given: Iterator[Leaf]) -> Any:
    """Nested tuples of the kinds of `like`, with the leaves given, in order."""
    if not isinstance(like, tuple):
        return next(given)
    parts = [rebuilt(part, given) for part in like]
    return type(like)(*parts) if hasattr(like, "_fields") else tuple(parts)


def state_bytes(model: nn.Module, state: Any) -> int:
    """Bytes that a model carries on from each of the state's rows: what `detach` keeps of it, learnt starts not counted."""
    kept = [leaf for leaf in leaves(model.detach(state)) if isinstance(leaf, Tensor)]
    return sum(x.nbytes for x in kept) // len(kept[0])
