"""Steering a model's in-context memories from outside."""

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from nlcore.layers import SelfModifyingTitans


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

    Run `backward` inside it too: checkpointed blocks compute their forward pass again.
    """
    before = {m: m.eta_scale for m in model.modules() if isinstance(m, SelfModifyingTitans)}
    set_memory_rate(model, 0.0)
    try:
        yield
    finally:
        for module, scale in before.items():
            module.eta_scale = scale
