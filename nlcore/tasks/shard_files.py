"""The files of a shard, written whole or not at all."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

HALF = ".part"
"""How the name of a file ends that is not whole yet."""


def put(path: Path, data: bytes) -> str:
    """Writes a file in one step, onto the disk; its SHA-256."""
    half = path.with_name(f".{path.name}{HALF}")
    with open(half, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    os.replace(half, path)
    return hashlib.sha256(data).hexdigest()


class Growing:
    """A shard that is being filled, in memory."""

    def __init__(self) -> None:
        self.parts: list[np.ndarray] = []
        self.begins: list[int] = []
        self.tokens = self.bytes = 0

    def add(self, document: np.ndarray, size: int) -> None:
        """A document's tokens (N,), its end with them, and its size in bytes with one for the end."""
        self.parts.append(document)
        self.begins.append(self.tokens)
        self.tokens += len(document)
        self.bytes += size

    def put(self, folder: Path, name: str) -> dict[str, Any]:
        """Writes both files, unless they would be empty; the shard's entry in the manifest."""
        facts = {"name": name, "tokens": self.tokens, "documents": len(self.begins), "bytes": self.bytes}
        if not self.tokens:
            return facts
        tokens, begins = np.concatenate(self.parts), np.array(self.begins, "<u8")
        return facts | {
            "sha256": put(folder / f"{name}.bin", tokens.astype(tokens.dtype.newbyteorder("<")).tobytes()),
            "index_sha256": put(folder / f"{name}.idx", begins.tobytes()),
        }


def filled(documents: Iterable[tuple[np.ndarray, int]], tokens: int) -> Iterator[Growing]:
    """Shards of these documents and their sizes, each closed once it has so many tokens."""
    shard = Growing()
    for document, size in documents:
        shard.add(document, size)
        if shard.tokens >= tokens:
            yield shard
            shard = Growing()
    if shard.tokens:
        yield shard
