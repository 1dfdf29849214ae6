"""Which tensor was computed from which: followed through every operation of torch."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode

SHAPE_ONLY = ("zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like", "new_")
"""Operations that take a tensor for its shape, not for its numbers."""
OVERWRITES = ("zero_", "fill_", "copy_", "_foreach_zero_", "_foreach_copy_")
TOGETHER = ("_foreach_", "_fused_")
"""Of lists, they compute each tensor from those at its own place."""


class Flow(TorchDispatchMode):
    """While it is on, notes what each tensor is computed from; forward passes, backward passes and optimizers alike.

    A node is what a tensor's memory held from one write to the next; views share their memory's node. Numbers that
    pass through Python (`.item()`), or are written by a kernel that torch does not know of, are not followed.
    """

    def __init__(self) -> None:
        super().__init__()
        self._resting = False
        self.clear()

    def clear(self) -> None:
        """Forgets all; what is there now was computed from nothing."""
        self.parents: list[tuple[int, ...]] = []
        self.seeds: set[int] = set()
        """Nodes with which a backward pass began."""
        self._nodes: dict[StorageWeakRef, int] = {}  # a weak reference, so no later memory can pass for this one

    @contextmanager
    def rest(self) -> Iterator[None]:
        """Inside it, operations are none of the system's own, and are not followed."""
        before, self._resting = self._resting, True
        try:
            yield
        finally:
            self._resting = before

    def of(self, tensor: Tensor) -> int:
        """The node that the tensor holds now."""
        memory = _memory(tensor)
        if memory not in self._nodes:
            self._new(memory, ())
        return self._nodes[memory]

    def sources(self, nodes: Iterable[int], stop: Iterable[int]) -> set[int]:
        """Those nodes of `stop`, and seeds, that these were computed from; what lies behind one of them is not looked at."""
        seen, found = set(nodes), set()
        ends = self.seeds.union(stop)
        waiting = [parent for node in seen for parent in self.parents[node]]
        while waiting:
            node = waiting.pop()
            if node in seen:
                continue
            seen.add(node)
            if node in ends:
                found.add(node)
            else:
                waiting += self.parents[node]
        return found

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict[str, Any] | None = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if not self._resting and hasattr(func, "_schema"):
            self._note(func, args, kwargs or {}, output)
        return output

    def _note(self, func: Any, args: tuple, kwargs: dict[str, Any], output: Any) -> None:
        name, arguments = func._schema.name.removeprefix("aten::"), func._schema.arguments
        given = {a.name: kwargs[a.name] if a.name in kwargs else args[i] for i, a in enumerate(arguments) if a.name in kwargs or i < len(args)}
        writes = {a.name for a in arguments if a.alias_info and a.alias_info.is_write} - {"grads"}  # fused ones unscale those
        if "batch_norm" in name and given.get("training", given.get("train", True)):
            # In training the running means are written, which no schema says, and read for nothing else.
            writes |= {"running_mean", "running_var"} & given.keys()
            given = {key: value for key, value in given.items() if not (name.endswith("backward") and key in writes)}
        lists = {key: _tensors(value) for key, value in given.items()}
        written, read = ([lists[key] for key in lists if (key in writes) is there] for there in (True, False))
        fresh = _tensors(output)
        if name.startswith(TOGETHER):
            for place in range(max(map(len, lists.values()), default=0)):
                self._write(name, *(_at(place, part) for part in (written, read)), fresh[place : place + 1])
        else:
            self._write(name, *([t for part in parts for t in part] for parts in (written, read)), fresh)

    def _write(self, name: str, written: list[Tensor], read: list[Tensor], fresh: list[Tensor]) -> None:
        """One operation. Each tensor that it writes is computed from what it reads, and from what it held itself."""
        source = () if name.startswith(SHAPE_ONLY) else tuple({self.of(t) for t in read})
        had = {_memory(t) for t in written + read}
        for tensor in reversed(written):  # a fused optimizer's first is the parameter, which takes the others' new states
            own = () if name in OVERWRITES and tensor.nbytes == tensor.untyped_storage().nbytes() else (self.of(tensor),)
            others = tuple(self.of(t) for t in written if t is not tensor) if name.startswith("_fused_") and tensor is written[0] else ()
            self._new(_memory(tensor), source + own + others)
        for tensor in fresh:
            if (memory := _memory(tensor)) not in had:
                self._new(memory, source)
                if name == "ones_like" and tensor.numel() == 1:
                    self.seeds.add(self._nodes[memory])

    def _new(self, memory: StorageWeakRef, parents: tuple[int, ...]) -> None:
        self._nodes[memory] = len(self.parents)
        self.parents.append(parents)


def _memory(tensor: Tensor) -> StorageWeakRef:
    return StorageWeakRef(tensor.untyped_storage())


def _tensors(value: Any) -> list[Tensor]:
    """Those in a tensor, a list or a tuple of tensors, whose memory can be named."""
    values = value if isinstance(value, list | tuple) else [value]
    return [t for t in values if isinstance(t, Tensor) and t.layout is torch.strided]


def _at(place: int, parts: list[list[Tensor]]) -> list[Tensor]:
    """The tensor at a place of each list; one alone counts at every place."""
    return [part[0] if len(part) == 1 else part[place] for part in parts if len(part) == 1 or place < len(part)]
