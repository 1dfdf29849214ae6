"""Training on several processes of which none holds the whole model: PyTorch's FSDP2.

Each process holds a part of every parameter, of its gradient and of what the optimizer remembers of it, in float32. A
block is whole only while it computes, forward and backward; embedding and last norm are whole for the length of a pass.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import Shard, distribute_tensor, empty

from nlcore.models import LanguageModel
from nlcore.ops.sharded import is_sharded
from nlcore.train.device import Choice
from nlcore.train.parallel import Processes

ROWS = [Shard(0)]
"""How FSDP2 cuts a tensor: along its first dimension, in as many parts as there are processes; some may be empty."""


@dataclass(frozen=True)
class Sharded(Processes):
    """Processes that share the model too."""

    kind: str = "cpu"
    """Of the devices."""
    mesh: DeviceMesh = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "mesh", init_device_mesh(self.kind, (self.size,)))

    def hold(self, model: nn.Module, choice: Choice) -> nn.Module:
        """Levels that learn in context are read outside their blocks, so with them the model is one piece."""
        half = choice.dtype != torch.float32
        # States keep their own precision: memories are written in float32.
        policy = MixedPrecisionPolicy(choice.dtype, torch.float32, cast_forward_inputs=False) if half else MixedPrecisionPolicy()
        parts = [*(model.blocks if isinstance(model, LanguageModel) else ()), model]
        for part in parts:
            fully_shard(part, mesh=self.mesh, mp_policy=policy, reshard_after_forward=part is not model)
        # The backward pass gathers the next block ahead. Which that is, is said here: by itself it would be guessed from
        # the last forward passes, and the lead has some of its own (`whole`).
        for part, after in zip(parts, [model, *parts]):
            part.set_modules_to_backward_prefetch([after])
        return model

    def wrap(self, module: nn.Module, all_used: bool) -> nn.Module:
        return module

    def apart(self, module: nn.Module) -> AbstractContextManager:
        """Each pass adds its mean to the parts: to wait would need room for whole gradients."""
        return nullcontext()

    @contextmanager
    def whole(self, model: nn.Module) -> Iterator[None]:
        parts = [part for part in model.modules() if isinstance(part, FSDPModule)]
        for part in parts:
            part.set_reshard_after_forward(False, recurse=False)
            part.unshard()
        try:
            yield
        finally:
            for part in parts:
                part.reshard()
                part.set_reshard_after_forward(part is not model, recurse=False)

    def empty(self, size: torch.Size, dtype: torch.dtype) -> Tensor:
        return empty(*size, dtype=dtype, device_mesh=self.mesh, placements=ROWS)

    def spread(self, tensor: Tensor) -> Tensor:
        """One that is in parts already, or a single number, stays as it is."""
        if is_sharded(tensor) or not tensor.dim():
            return tensor
        return distribute_tensor(tensor, self.mesh, ROWS, src_data_rank=None).clone()  # else a view, which keeps the whole
