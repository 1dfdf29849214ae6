"""Documents in the formats that large texts come in: text, lines of JSON (plain, gzip, Zstandard), Parquet, and data sets
of the Hugging Face hub, which are read as they arrive.
"""

import gzip
import importlib
import io
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from nlcore.tasks.corpus import DataError
from nlcore.tasks.text import LARGEST, readable, utf8

ENDINGS = (".txt", ".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet")
HUB = "hf:"
ROWS, CHUNK = 1024, 1 << 18
"""Rows of Parquet, and bytes of Zstandard, that are decoded at once."""
Found = Iterator[tuple[str | None, float]]
"""Documents, None for one without text, and the share of their source that has been read with each."""


@dataclass(frozen=True)
class Source:
    """A file, or a data set of the hub, and its bytes on the disk: None where only the hub knows."""

    name: str
    size: int | None


def sources(names: Sequence[str]) -> tuple[list[Source], list[str]]:
    """The sources that these names mean, in order: files, all files of `ENDINGS` below a folder, `hf:NAME:CONFIG:SPLIT`.

    Also gives the other files of the folders; hidden ones are passed over.

    Raises:
        DataError: for what is not there, is of no known format, or is the same file twice.
    """
    found, others = [], []
    for name in names:
        if name.startswith(HUB):
            found.append(Source(name, None))
            continue
        path = Path(name).expanduser().resolve()
        if not path.exists():
            raise DataError(f"{readable(name)} does not exist: name a file, a folder, or a data set as {HUB}NAME:CONFIG.")
        known = _below(path) if path.is_dir() else [path]
        fitting = [file for file in known if file.name.endswith(ENDINGS)]
        if not fitting:
            raise DataError(f"{readable(name)} is of no format that is read: give {', '.join(ENDINGS)}, or a folder of such.")
        found += [Source(str(file), file.stat().st_size) for file in fitting]
        others += [readable(file) for file in known if file not in fitting]
    twice = next((source.name for i, source in enumerate(found) if source in found[:i]), None)
    if twice is not None:
        raise DataError(f"{readable(twice)} was named twice: name each source once.")
    return found, others


def _below(folder: Path) -> list[Path]:
    files = []
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        files += [Path(place) / name for name in sorted(names) if not name.startswith(".")]
    return files


def documents(source: Source, column: str, skip: int = 0) -> Found:
    """The documents of a source, from number `skip` on: a file of text is one, of other formats each line or row.

    Raises:
        DataError: one sentence that names the file, when it comes to what cannot be read.
    """
    name = source.name
    if name.startswith(HUB):
        return _hub(name, column, skip)
    if name.endswith(".parquet"):
        return _parquet(Path(name), column, skip)
    return _text(Path(name), skip) if name.endswith(".txt") else _lines(Path(name), column, skip)


def _text(path: Path, skip: int) -> Found:
    size = _opened(path).seek(0, os.SEEK_END)
    if size > LARGEST:
        raise DataError(
            f"{readable(path)} holds {size:,} bytes, and a file of text is one document of {LARGEST:,} at most: "
            "cut it into files, or into lines of JSON."
        )
    if not skip:
        yield utf8(path, path.read_bytes()).decode(), 1.0


def _lines(path: Path, column: str, skip: int) -> Found:
    size = max(path.stat().st_size, 1) if path.exists() else 1
    with _opened(path) as raw:
        file, number, passed = _unpacked(path, raw), 0, 0
        while line := _line(path, file, number + 1):
            number += 1
            if not line.strip():
                continue
            passed += 1
            if passed > skip:
                yield _field(path, number, line, column), min(raw.tell() / size, 1.0)


def _opened(path: Path) -> BinaryIO:
    try:
        return open(path, "rb")
    except OSError as error:
        raise DataError(f"{readable(path)} cannot be read: {error.strerror}; put it back, or check its permissions.") from error


def _unpacked(path: Path, raw: BinaryIO) -> BinaryIO:
    if path.name.endswith(".gz"):
        return gzip.GzipFile(fileobj=raw)
    return io.BufferedReader(_Zstandard(raw), CHUNK) if path.name.endswith(".zst") else raw


def _line(path: Path, file: BinaryIO, number: int) -> bytes:
    try:
        line = file.readline(LARGEST)
    except (EOFError, OSError, zlib.error, ValueError) as error:
        raise DataError(f"{readable(path)} is cut or damaged after line {number - 1:,} ({error}): get it anew.") from error
    if len(line) == LARGEST:
        raise DataError(f"Line {number:,} of {readable(path)} is longer than {LARGEST:,} bytes: it is no file of lines of JSON.")
    return line


def _field(path: Path, number: int, line: bytes, column: str) -> str | None:
    where = f"Line {number:,} of {readable(path)}"
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise DataError(f"{where} is no JSON ({readable(str(error))}): give one object a line.") from error
    if not isinstance(row, dict):
        raise DataError(f"{where} is no object of JSON: give one object a line, as {{\"text\": \"...\"}}.")
    return _checked(where, row, column)


def _checked(where: str, row: dict[str, Any], column: str) -> str | None:
    if column not in row:
        raise _no_column(where, list(row), column)
    if not isinstance(row[column], str | None):
        kind = type(row[column]).__name__
        raise DataError(f"{where} has {kind} where {column!r} is to be text: name the column of the text with --column.")
    return row[column]


def _no_column(where: str, names: Sequence[str], column: str) -> DataError:
    there = ", ".join(readable(name) for name in names) or "none"
    return DataError(f"{where} has no column {column!r} (it has {there}): name the column of the text with --column.")


class _Zstandard(io.RawIOBase):
    """What a Zstandard file holds, all its frames. A file that ends within a frame is an error here."""

    def __init__(self, raw: BinaryIO) -> None:
        self.raw, self.left, self.whole = raw, b"", True
        self.decompressor = _library("zstandard").ZstdDecompressor()
        self.error = _library("zstandard").ZstdError

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:
        while not self.left:
            data = self.raw.read(CHUNK)
            if not data:
                if not self.whole:
                    raise EOFError("it ends too early")
                return 0
            self.left = b"".join(self._frames(data))
        count = min(len(buffer), len(self.left))
        buffer[:count], self.left = self.left[:count], self.left[count:]
        return count

    def _frames(self, data: bytes) -> Iterator[bytes]:
        while data:
            if self.whole:
                self.frame, self.whole = self.decompressor.decompressobj(), False
            try:
                yield self.frame.decompress(data)
            except self.error as error:
                raise OSError(str(error)) from error
            self.whole, data = self.frame.eof, self.frame.unused_data


def _parquet(path: Path, column: str, skip: int) -> Found:
    arrow, _opened_first = _library("pyarrow"), _opened(path).close()
    parquet = importlib.import_module("pyarrow.parquet")
    try:
        with parquet.ParquetFile(path) as file:
            yield from _rows(path, file, arrow, column, skip)
    except (arrow.ArrowException, OSError) as error:
        said = readable(str(error).splitlines()[0])
        raise DataError(f"{readable(path)} is no whole Parquet file ({said}): get it anew.") from error


def _rows(path: Path, file: Any, arrow: ModuleType, column: str, skip: int) -> Found:
    if column not in file.schema_arrow.names:
        raise _no_column(readable(path), file.schema_arrow.names, column)
    kind = file.schema_arrow.field(column).type
    if kind not in (arrow.string(), arrow.large_string(), arrow.string_view()):
        raise DataError(f"The column {column!r} of {readable(path)} is {kind}, not text: name another with --column.")
    at, total = 0, max(file.metadata.num_rows, 1)
    for group in range(file.num_row_groups):
        rows = file.metadata.row_group(group).num_rows
        if at + rows <= skip:
            at += rows
            continue
        for batch in file.iter_batches(ROWS, [group], [column]):
            for value in batch.column(0).to_pylist():
                at += 1
                if at > skip:
                    yield value, at / total


def _hub(name: str, column: str, skip: int) -> Found:
    """The share read is 0 throughout, since a stream does not know its end."""
    library = _library("datasets")
    title, config, split = (name.removeprefix(HUB).split(":") + ["", ""])[:3]
    try:
        for row in library.load_dataset(title, config or None, split=split or "train", streaming=True).skip(skip):
            yield _checked(name, row, column), 0.0
    except DataError:
        raise
    except Exception as error:  # of the library, the network and the hub, which raise many kinds
        said = " ".join(readable(str(error)).split())[:300]
        raise DataError(
            f"{name} could not be read ({type(error).__name__}: {said}): check the name, as {HUB}NAME:CONFIG:SPLIT, and "
            "the network; the same command goes on where this one ended."
        ) from error


def _library(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise DataError(f"This source needs the package {name}: pip install -r requirements-extras.txt.") from error
