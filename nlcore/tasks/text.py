"""The reader's own text: a file, or a folder of files."""

import os
from pathlib import Path

from nlcore.tasks.corpus import Corpus, DataError, Document, split

DOMAIN = "text"


def from_path(path: str | Path) -> Corpus:
    """The text of a file, or of all files below a folder, as it is.

    Several files are split by file, one by its last tenth. Files must be UTF-8. In a folder,
    hidden, empty and binary files are left out, and the manifest names the binary ones.

    Raises:
        DataError: if there is no such path, it cannot be read, is empty or binary, or is not UTF-8.
    """
    path = Path(path).expanduser()
    try:
        contents, binary = _folder(path) if path.is_dir() else ({path.name: _file(path)}, [])
    except OSError as error:
        raise DataError(f"{error.filename or path} cannot be read: {error.strerror}; check its permissions.") from error
    documents = [Document(DOMAIN, name, content) for name, content in contents.items()]
    if not documents:
        hint = " (only binary files)" if binary else ""
        raise DataError(f"{path} holds no text{hint}: put UTF-8 text files into it, or name another folder.")
    train, validation = (tuple(sorted(part, key=lambda document: document.name)) for part in split(documents))
    note = {"what": f"text of {path.name}", "left_out": binary}
    return Corpus(path.name, train, validation, {DOMAIN: note})


def _folder(root: Path) -> tuple[dict[str, bytes], list[str]]:
    """Contents of the text files by name, in order of names, and the names of the binary files."""
    contents, binary = {}, []
    for path in _paths(root):
        name = path.relative_to(root).as_posix()
        data = path.read_bytes()
        if _is_binary(data):
            binary.append(name)
        elif data.strip():
            contents[name] = _utf8(path, data)
    return contents, binary


def _paths(root: Path) -> list[Path]:
    def refuse(error: OSError) -> None:
        raise error

    paths = []
    for folder, folders, names in os.walk(root, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths += [Path(folder, name) for name in names if not name.startswith(".")]
    return sorted(path for path in paths if path.is_file())


def _file(path: Path) -> bytes:
    if not path.exists():
        raise DataError(f"{path} does not exist: name a file or a folder of text, or 'builtin'.")
    if not path.is_file():
        raise DataError(f"{path} is neither a file nor a folder: name a file or a folder of text.")
    data = path.read_bytes()
    if not data.strip():
        raise DataError(f"{path} is empty: name a file with text in it.")
    if _is_binary(data):
        raise DataError(f"{path} is a binary file, not text: name a file of plain UTF-8 text.")
    return _utf8(path, data)


def _is_binary(data: bytes) -> bool:
    """Text has no zero byte, but for UTF-16 and UTF-32, which say so in their first bytes."""
    return b"\0" in data and not data.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff"))


def _utf8(path: Path, data: bytes) -> bytes:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path} is not UTF-8 (byte {data[error.start]:#04x} at offset {error.start}): "
            "save it as UTF-8, for example with iconv -t utf-8."
        ) from error
    return data.removeprefix(b"\xef\xbb\xbf")
