"""A checkpoint's tensors in parts, each written by the process that holds it: `torch.distributed.checkpoint`.

Whoever reads them need not be as many: each process reads its own part anew, and one alone reads the whole.
"""

import pickle
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from nlcore.ops.sharded import is_sharded
from nlcore.train.parallel import Team

INDEX = ".metadata"
"""torch's name for the file that says where each part is."""
_ENTRIES = "Metadata TensorStorageMetadata BytesStorageMetadata ChunkStorageMetadata TensorProperties MetadataIndex StorageMeta"
INDEXED = {
    "torch.distributed.checkpoint.metadata": {*_ENTRIES.split(), "_MEM_FORMAT_ENCODING"},
    "torch.distributed.checkpoint.filesystem": {"_StorageInfo"},
    "torch": {"Size"},
    "torch.serialization": {"_get_layout"},
    "pathlib": {"PosixPath", "WindowsPath"},
}
"""What an index is pickled of, by module; and dtypes."""


def apart(tree: Any, name: str = "") -> tuple[Any, dict[str, Tensor]]:
    """The tree of dicts and lists with a name in the place of each sharded tensor, and these tensors by name."""
    found: dict[str, Tensor] = {}

    def take(part: Any, name: str) -> Any:
        if is_sharded(part):
            found[name] = part
            return name
        if isinstance(part, dict):
            return {key: take(value, f"{name}/{key}") for key, value in part.items()}
        if isinstance(part, list):
            return [take(value, f"{name}/{index}") for index, value in enumerate(part)]
        return part

    return take(tree, name), found


def mapped(tree: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """The tree of dicts and lists with all leaves of a kind changed."""
    if isinstance(tree, dict):
        return {key: mapped(value, kind, change) for key, value in tree.items()}
    if isinstance(tree, list):
        return [mapped(value, kind, change) for value in tree]
    return change(tree) if isinstance(tree, kind) else tree


def write(folder: Path, tensors: dict[str, Tensor], team: Team) -> list[str]:
    """Every process writes its parts of the tensors into the folder, onto the disk; the names of its files.

    Raises what any of them met.
    """
    import torch.distributed.checkpoint as dcp  # seconds

    with team.together():
        _call(dcp.save, tensors, storage_writer=dcp.FileSystemWriter(folder))
    return [path.name for path in sorted(folder.glob(f"__{team.rank}_*"))]


def read(folder: Path, team: Team) -> dict[str, Tensor]:
    """What the folder holds of tensors, as `team.empty` makes them. Raises ValueError and OSError."""
    with open(folder / INDEX, "rb") as file:
        entries = _Index(file).load().state_dict_metadata
    import torch.distributed.checkpoint as dcp

    tensors = {name: team.empty(entry.size, entry.properties.dtype) for name, entry in entries.items()}
    with warnings.catch_warnings(action="ignore"):  # that one process reads alone
        _call(dcp.load, tensors, storage_reader=dcp.FileSystemReader(folder), no_dist=True)
    return tensors


class _Index(pickle.Unpickler):
    """Reads an index and nothing else: torch would run whatever a stranger has pickled there."""

    def find_class(self, module: str, name: str) -> Any:
        if name in INDEXED.get(module, ()) or module == "torch" and isinstance(getattr(torch, name, None), torch.dtype):
            return super().find_class(module, name)
        raise ValueError(f"{INDEX} asks for {module}.{name}, which is no part of an index")


def _call(function: Callable[..., Any], *given: Any, **named: Any) -> None:
    """What went wrong in one process is raised in all, as it is: torch wraps it in an error that is no Exception."""
    from torch.distributed.checkpoint.api import CheckpointException

    try:
        function(*given, **named)
    except CheckpointException as error:
        raise next(iter(error.failures.values()))[0] from error
