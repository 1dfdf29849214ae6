"""The reader's own text: a file, or a folder of files."""

import os
from pathlib import Path

from nlcore.tasks.corpus import Corpus, DataError, Document, split

DOMAIN = "text"
LARGEST = 1 << 30  # bytes in all; text, tokens and copies of both are in memory at once
RUN = {"config.json", "lock"}
"""Files by which a folder below is known as that of a training run: what a run wrote is no text to learn from."""


def from_path(path: str | Path) -> Corpus:
    """The text of a file, or of all files below a folder, as it is; linked files and folders too, each folder once.

    About a tenth is held out: whole files, or the end of the largest. Files must be UTF-8. In a
    folder, hidden and empty files are left out, and so are binary files, folders of training runs
    and what is no file, which the manifest names.

    Raises:
        DataError: if there is no such path, it cannot be read, is empty or binary, is not UTF-8, or is
            larger than 1 GiB.
    """
    shown = readable(path)
    try:
        path = Path(path).expanduser()
        found, left_out = _folder(path) if path.is_dir() else (_file(path), [])
    except OSError as error:
        raise DataError(
            f"{readable(error.filename or path)} cannot be read: {error.strerror}; check its permissions."
        ) from error
    except RuntimeError as error:  # no such user's home, or links in a circle
        raise DataError(f"{shown} leads nowhere ({error}): name a file or a folder of text.") from error
    except MemoryError as error:
        raise DataError(f"{shown} does not fit into this machine's memory: name less text.") from error
    if not found:
        hint = f" (left out: {', '.join(left_out)})" if left_out else ""
        raise DataError(f"{shown} holds no text{hint}: put UTF-8 text files into it, or name another folder.")
    train, validation = (tuple(sorted(part, key=lambda document: document.name)) for part in split(found))
    name = readable(path.name or path.resolve().name)
    return Corpus(name, train, validation, {DOMAIN: {"what": f"text of {name}", "left_out": left_out}})


def readable(path: str | Path) -> str:
    """A path as text that any terminal and file can hold: bytes that are no UTF-8, and control characters, escaped."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in str(path))


def _folder(root: Path) -> tuple[list[Document], list[str]]:
    """The text files, in order of names, and the names of what else is there."""
    paths, left_out = _paths(root)
    _bound(root, paths)
    found = []
    for path in paths:
        data = path.read_bytes()
        if _is_binary(data):
            left_out.append(path)
        elif data.strip():
            found.append(Document(DOMAIN, _name(path, root), utf8(path, data)))
    return found, sorted(_name(path, root) for path in left_out)


def _name(path: Path, root: Path) -> str:
    return readable(path.relative_to(root).as_posix())


def _paths(root: Path) -> tuple[list[Path], list[Path]]:
    """All files below, sorted, and what is not to be read: run folders, and what is no file."""

    def refuse(error: OSError) -> None:
        raise error

    files, others, seen = [], [], set()
    for place, folders, names in os.walk(root, onerror=refuse, followlinks=True):
        folder = Path(place)
        if folder != root and RUN <= set(names):
            others.append(folder)
            folders.clear()
            continue
        facts = folder.stat()
        again = (facts.st_dev, facts.st_ino) in seen  # by a link, which may lead in a circle
        seen.add((facts.st_dev, facts.st_ino))
        folders[:] = [] if again else sorted(name for name in folders if not name.startswith("."))
        for path in (folder / name for name in names if not again and not name.startswith(".")):
            (files if path.is_file() else others).append(path)
    return sorted(files), others


def _bound(path: Path, files: list[Path]) -> None:
    size = sum(file.stat().st_size for file in files)
    if size > LARGEST:
        raise DataError(f"{readable(path)} holds {size:,} bytes, and {LARGEST:,} is the most that is read: name less text.")


def _file(path: Path) -> list[Document]:
    shown = readable(path)
    if not path.exists():
        raise DataError(f"{shown} does not exist: name a file or a folder of text, or 'builtin'.")
    if not path.is_file():
        raise DataError(f"{shown} is neither a file nor a folder: name a file or a folder of text.")
    _bound(path, [path])
    data = path.read_bytes()
    if not data.strip():
        raise DataError(f"{shown} is empty: name a file with text in it.")
    if _is_binary(data):
        raise DataError(f"{shown} is a binary file, not text: name a file of plain UTF-8 text.")
    return [Document(DOMAIN, readable(path.name), utf8(path, data))]


def _is_binary(data: bytes) -> bool:
    """Text has no zero byte, but for UTF-16 and UTF-32, which say so in their first bytes."""
    return b"\0" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff"))


def utf8(path: Path, data: bytes) -> bytes:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{readable(path)} is not UTF-8 (byte {data[error.start]:#04x} at offset {error.start}): "
            "save it as UTF-8, for example with iconv -t utf-8."
        ) from error
    return data.removeprefix(b"\xef\xbb\xbf")
