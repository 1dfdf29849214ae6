"""Steering a model's levels from outside: their in-context rate, and a model without one of them."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from torch import nn

from nlcore.layers import SelfModifyingTitans
from nlcore.layers.memory_group import MemoryGroup


def set_memory_rate(model: nn.Module, scale: float) -> None:
    """Multiply eta of every in-context memory by `scale`, in [0, 1]; 0 stops all writing.

    Raises ValueError outside that range: above 1 the stability bound is lost.
    """
    if not 0 <= scale <= 1:
        raise ValueError(f"the in-context learning rate scale is {scale}: choose it between 0 and 1")
    for module in model.modules():
        if isinstance(module, SelfModifyingTitans):
            module.eta_scale = scale


@contextmanager
def frozen_memories(model: nn.Module) -> Iterator[None]:
    """Inside the block no in-context memory writes (eta = 0); afterwards all is as before.

    Memories that are pulled to their starts stay there. With `pull_to_start=False` nothing holds them:
    retention alone shrinks them towards zero, from their starts too.

    Run `backward` inside it too: checkpointed blocks compute their forward pass again.
    """
    before = {m: m.eta_scale for m in model.modules() if isinstance(m, SelfModifyingTitans)}
    set_memory_rate(model, 0.0)
    try:
        yield
    finally:
        for module, scale in before.items():
            module.eta_scale = scale


@contextmanager
def without(model: nn.Module, level: str) -> Iterator[None]:
    """Inside the block the model does without one level; afterwards all is as before.

    An in-context level ("memory", "projections") writes nothing and stays at its learnt starts. A
    level of the continuum memory ("cms-k") hands its input on.

    Raises ValueError for a level that the model lacks, or "weights", without which nothing is left.
    """
    names = {"memory": ("memory",), "projections": ("projections", "rate_memories")}.get(level, ())
    groups = [part for name, part in model.named_modules() if isinstance(part, MemoryGroup) and name.endswith(names)]
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
