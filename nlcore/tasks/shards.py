"""A folder of shards: text that was tokenised ahead, in files that are mapped into memory and not read whole.

    manifest.json           what all of it is: sources, tokenizer, counts, and size and SHA-256 of every file
    tokenizer.json          as `tokenizers.save` writes it
    train-00000.bin         tokens, uint8 (bytes) or uint16, little-endian; whole documents, each with its end after it
    train-00000.idx         where its documents begin, uint64, little-endian
    validation-00000.bin, validation-00000.idx

The end of a document is the token of the zero byte, which stands in no document.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from nlcore.tasks import cache, tokenizers
from nlcore.tasks.corpus import DataError
from nlcore.tasks.text import readable
from nlcore.tasks.tokenizers import Tokenizer

FORMAT = "nlcore shards 1"
MANIFEST, TOKENIZER, JOURNAL = "manifest.json", "tokenizer.json", "progress.json"
SPLITS = ("train", "validation")
END = "\0"
MAPPED = 256
ANEW = "prepare the folder anew, or copy it again"


class Stream:
    """The tokens of several shards as one: it has a length, and a slice of it is an array (N,) of the shards' own type.

    At most `MAPPED` files are mapped at a time, since a process may hold only so many open.
    """

    def __init__(self, folder: Path, shards: list[dict[str, Any]], dtype: np.dtype) -> None:
        self.folder, self.shards, self.dtype = folder, shards, dtype.newbyteorder("<")
        self.ends = np.cumsum([0, *(shard["tokens"] for shard in shards)])[1:]
        self.part = lru_cache(MAPPED)(self._part)
        """The tokens of a shard, by its number."""

    def __len__(self) -> int:
        return int(self.ends[-1])

    def __getitem__(self, wanted: slice) -> np.ndarray:
        start, stop, _ = wanted.indices(len(self))
        number, found = int(np.searchsorted(self.ends, start, "right")), [np.empty(0, self.dtype)]
        while start < stop:
            part, end = self.part(number), int(self.ends[number])
            found.append(part[start - end + len(part) : stop - end + len(part)])
            start, number = end, number + 1
        return found[-1] if len(found) == 2 else np.concatenate(found)

    def begins(self) -> Iterator[np.ndarray]:
        """Where the documents begin, shard by shard: (N,) uint64 each."""
        for shard, end in zip(self.shards, self.ends):
            yield _mapped(self.folder / f"{shard['name']}.idx", np.dtype("<u8")) + np.uint64(end - shard["tokens"])

    def documents(self) -> Iterator[np.ndarray]:
        """The tokens of each document, its end with them."""
        for number, shard in enumerate(self.shards):
            begins = _mapped(self.folder / f"{shard['name']}.idx", np.dtype("<u8")).tolist()
            yield from (self.part(number)[a:b] for a, b in zip(begins, [*begins[1:], shard["tokens"]]))

    def _part(self, number: int) -> np.ndarray:
        tokens = _mapped(self.folder / f"{self.shards[number]['name']}.bin", self.dtype)
        if len(tokens) != self.shards[number]["tokens"]:
            raise DataError(f"{readable(tokens.filename)} has changed since it was checked: {ANEW}.")
        return tokens


def _mapped(path: Path, dtype: np.dtype) -> np.memmap:
    try:
        return np.memmap(path, dtype, "r")
    except (OSError, ValueError) as error:  # it is gone, or empty
        raise DataError(f"{readable(path)} cannot be read any more ({error}): {ANEW}.") from error


@dataclass(frozen=True)
class Shards:
    """What a folder holds, its files checked."""

    path: Path
    manifest: dict[str, Any] = field(repr=False)

    @property
    def name(self) -> str:
        return self.manifest["name"]

    @property
    def hash(self) -> str:
        """SHA-256 over the tokenizer and all shards: runs on different ones do not compare."""
        return self.manifest["hash"]

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of both splits."""
        return {f"{split}_bytes": self.manifest[split]["bytes"] for split in SPLITS}

    @property
    def held_out(self) -> tuple[int, float]:
        """Bytes of the validation text, and its order-1 entropy, as counted when the shards were made."""
        return self.manifest["validation"]["bytes"], self.manifest["validation"]["order1_entropy"]

    @property
    def bytes_per_token(self) -> float:
        """Of the validation text."""
        return self.manifest["validation"]["bytes"] / self.manifest["validation"]["tokens"]

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return tokenizers.load(self.path / TOKENIZER)

    def stream(self, split: str) -> Stream:
        """The tokens of a split; nothing is read yet."""
        return Stream(self.path, self.manifest[split]["shards"], np.dtype(self.manifest["dtype"]))


def is_shards(path: Path) -> bool:
    """Whether a folder is one of shards, finished or not."""
    return any(read(path / name).get("format") == FORMAT for name in (MANIFEST, JOURNAL))


def load(path: str | Path) -> Shards:
    """The shards of a folder. All files are read once and compared with their checksums; after that, as long as their sizes
    and times stay, they count as checked on this machine.

    Raises:
        DataError: if the folder is not finished, or a file is missing, short, damaged or another.
    """
    path = Path(path).expanduser()
    if not (path / MANIFEST).exists():
        raise DataError(f"{readable(path)} is not finished: give the command that began it again, and it goes on.")
    manifest = read(path / MANIFEST)
    try:
        files = listed(manifest)
        whole = manifest["hash"] == total(manifest) and manifest["format"] == FORMAT
        whole &= all(type(manifest[split][fact]) is int for split in SPLITS for fact in ("tokens", "documents", "bytes"))
        whole &= isinstance(manifest["name"], str) and isinstance(manifest["validation"]["order1_entropy"], float)
    except (KeyError, TypeError, AttributeError, ValueError):
        whole = False
    if not whole:
        raise DataError(f"{readable(path / MANIFEST)} is damaged: {ANEW}.")
    stamps = [f"{name} {_stamp(path / name, size)}" for name, (size, _) in files.items()]
    seen = f"shards-{cache.key(str(path.resolve()), manifest['hash'], *stamps)}"
    if cache.load(seen) is None:
        for name, (_, expected) in files.items():
            if digest(path / name) != expected:
                raise DataError(f"{readable(path / name)} is not what was written (its checksum differs): {ANEW}.")
        cache.save(seen, b"whole")
    return Shards(path, manifest)


def listed(manifest: dict[str, Any]) -> dict[str, tuple[int, str]]:
    """Size in bytes and SHA-256 of every file."""
    width, found = np.dtype(manifest["dtype"]).itemsize, {TOKENIZER: tuple(manifest["tokenizer"]["file"])}
    for shard in (shard for split in SPLITS for shard in manifest[split]["shards"]):
        found[f"{shard['name']}.bin"] = (width * shard["tokens"], shard["sha256"])
        found[f"{shard['name']}.idx"] = (8 * shard["documents"], shard["index_sha256"])
    return found


def total(manifest: dict[str, Any]) -> str:
    """One SHA-256 for all files."""
    return hashlib.sha256(json.dumps(sorted(listed(manifest).items())).encode()).hexdigest()


def digest(path: Path) -> str:
    """SHA-256 of a file. Raises DataError if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{readable(path)} cannot be read: {error.strerror}; check its permissions.") from error


def _stamp(path: Path, size: int) -> str:
    """What tells a file from a later one. Raises DataError if it is missing, or not of this size."""
    try:
        facts = path.stat()
    except OSError as error:
        raise DataError(f"{readable(path)} is missing ({error.strerror}): {ANEW}.") from error
    if facts.st_size != size:
        raise DataError(f"{readable(path)} has {facts.st_size:,} bytes and was written with {size:,}: {ANEW}.")
    return f"{size} {facts.st_mtime_ns} {facts.st_ino}"


def read(path: Path) -> dict[str, Any]:
    """The object in a file of JSON; empty if there is none, or another."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
