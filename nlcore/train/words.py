"""Words that are safe to show: foreign text made visible, a path for a shell, the system's refusals."""

import errno
import os
import shlex
import subprocess
import unicodedata
from pathlib import Path

HIDDEN = ("Cc", "Cs", "Zl", "Zp")
"""Unicode categories that steer a terminal, break a line or cannot be encoded."""
TURNS = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")
"""Directions of characters that change the order in which others are shown."""
LONGEST = 60
"""Characters of a value that a sentence shows."""
REFUSALS = {
    errno.ENOSPC: "there is no space left on the disk: make room, and try again",
    errno.EDQUOT: "there is no space left on the disk: make room, and try again",
    errno.EACCES: "permission was denied: change its permissions, or name another",
    errno.EPERM: "permission was denied: change its permissions, or name another",
    errno.EROFS: "it lies on a disk that cannot be written: name another folder",
    errno.ENOENT: "it is not there: check the name",
    errno.EISDIR: "it is a folder, and a file was expected: name another, or move it away",
    errno.ENOTDIR: "a file stands where a folder was expected: name another",
    errno.EEXIST: "it is there already: name another",
    errno.ELOOP: "its links lead in a circle, or are too many: name the file itself",
    errno.ENAMETOOLONG: "the name is too long: choose a shorter one",
    errno.EMFILE: "too many files are open: close other programs, and try again",
    errno.ENFILE: "too many files are open: close other programs, and try again",
}


def visible(text: str) -> str:
    """The text with control characters, surrogates and changes of direction written as escapes; "\\n" and "\\t" stay."""
    return "".join(map(_visible, text))


def shown(value: object) -> str:
    """The value as Python writes it, on one short line that is safe to show."""
    try:
        line = visible(" ".join(repr(value).split()))
    except ValueError:  # Python writes no number of thousands of digits
        return "too long to be shown"
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."


def _visible(character: str) -> str:
    harmless = character in "\n\t" or character.isascii() and character.isprintable()
    if harmless or unicodedata.category(character) not in HIDDEN and unicodedata.bidirectional(character) not in TURNS:
        return character
    return character.encode("unicode_escape").decode("ascii")


def quoted(path: str | Path) -> str:
    """The path as one word of a command line, and never an option: ready to be copied into a shell."""
    word = str(path)
    if word.startswith("-"):
        word = os.path.join(os.curdir, word)
    return subprocess.list2cmdline([word]) if os.name == "nt" else shlex.quote(word)


def refusal(error: OSError, where: str | Path | None = None) -> str:
    """What the system refused and what to do, in one sentence that names the file, or `where` if the system names none.

    Of a renaming, that is the name it was to get: the other one is a temporary file's.
    """
    what = error.strerror or str(error) or type(error).__name__
    advice = REFUSALS.get(error.errno, f"{what}: see to that, and try again")
    name = next((name for name in (error.filename2, error.filename, where) if name is not None), None)
    return f"{os.fsdecode(name)}: {advice}." if name is not None else f"{advice[0].upper()}{advice[1:]}."
