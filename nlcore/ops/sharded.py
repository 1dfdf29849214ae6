"""Tensors of which every process holds a part (DTensors, as FSDP2 leaves them): the few places where the whole counts.

An ordinary tensor is whole. What is elementwise needs none of this. All processes have to call these functions together.
"""

from collections.abc import Callable

import torch
from torch import Tensor


def is_sharded(tensor: object) -> bool:
    """Whether it is a DTensor. torch takes seconds to import that class, so it is known by what it can do."""
    return hasattr(tensor, "full_tensor")


def whole(tensor: Tensor) -> Tensor:
    """The tensor, gathered if it is sharded."""
    return tensor.full_tensor() if is_sharded(tensor) else tensor


def own_part(tensor: Tensor) -> Tensor:
    """What this process holds of it: all, unless it is sharded. This alone needs nobody else."""
    return tensor.to_local() if is_sharded(tensor) else tensor


def total_norm(tensors: list[Tensor]) -> Tensor:
    """Norm over all the tensors together, a single number on their device; 0 for none."""
    return whole(torch.nn.utils.get_total_norm(tensors))


def as_a_whole(function: Callable[[Tensor], Tensor], tensor: Tensor) -> Tensor:
    """`function` of the whole tensor, in shards again if it was sharded: each process computes all of it."""
    if not is_sharded(tensor):
        return function(tensor)
    from torch.distributed.tensor import distribute_tensor

    made = function(tensor.full_tensor())
    return distribute_tensor(made, tensor.device_mesh, tensor.placements, src_data_rank=None)
