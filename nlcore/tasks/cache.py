"""A cache between runs. It may be missing, damaged or read-only: then it costs time, never correctness."""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path

_DIGEST = hashlib.sha256().digest_size


def folder() -> Path:
    """`$XDG_CACHE_HOME/nlcore`, or `~/.cache/nlcore`; for a user without a home, the same in the temporary folder."""
    caches = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(tempfile.gettempdir() if caches.startswith("~") else caches) / "nlcore"


def key(*parts: str | bytes) -> str:
    """A short name for all that a cached thing depends on: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        raw = part.encode() if isinstance(part, str) else part
        digest.update(hashlib.sha256(raw).digest())
    return digest.hexdigest()[:16]


def load(name: str) -> bytes | None:
    """What was saved under this name; None if it is not there or not whole."""
    try:
        raw = (folder() / name).read_bytes()
    except OSError:
        return None
    digest, data = raw[:_DIGEST], raw[_DIGEST:]
    return data if hashlib.sha256(data).digest() == digest else None


def save(name: str, data: bytes) -> None:
    """Keeps the data under this name, with its digest, in one step; silent where it cannot."""
    with contextlib.suppress(OSError):
        folder().mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=folder())
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(data).digest() + data)
            os.replace(temporary, folder() / name)
        except OSError:
            os.unlink(temporary)
