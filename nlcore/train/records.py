"""What a run's files hold, read with doubt: a record is of its file's shape, or it is left out and counted.

A file may be cut, edited, or replaced by a folder; a reader gets what is whole in it and never an exception for the
rest. Shapes are few and flat, so they are checked here in plain Python: a validation library would be larger than all
that it is asked.
"""

import gc
import json
import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from nlcore.train.config import TrainError

Record = dict[str, Any]
Check = Callable[[Any], bool]


def whole(value: Any) -> bool:
    return type(value) is int and abs(value) < 1 << 63


def number(value: Any) -> bool:
    return (type(value) is float or type(value) is int) and abs(value) < 1e308


def text(value: Any) -> bool:
    """Text that can be written down again: a lone half of a character cannot."""
    return isinstance(value, str) and (value.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in value))


def figure(value: Any) -> bool:
    """A number, or None where there was none."""
    return value is None or (type(value) is float or type(value) is int) and abs(value) < 1e308


def list_of(check: Check) -> Check:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _one_of(*values: Any) -> Check:
    return lambda value: value in values


def or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def truth(value: Any) -> bool:
    return isinstance(value, bool)


STAMP: dict[str, Check] = {"step": whole, "attempt": whole}
"""Every line of a run's own files says when it was written."""
METRICS = STAMP | dict.fromkeys(
    "loss elapsed tokens lr tokens_per_second data_seconds gradient_norm memory validation_bits_per_byte".split(), figure
) | {"merged": or_none(whole)}
LEVELS = STAMP | {
    "level": text,
    "memory": or_none(text),
    "unit": _one_of("steps", "tokens"),
    "period": whole,
    "fired": truth,
    "writes": whole,
    **dict.fromkeys(
        "update_norm weight_norm surprise eta alpha lr gradient_norm second_moment_norm".split(), figure
    ),
    "blocks": or_none(lambda value: isinstance(value, dict)),
}
SURPRISE = STAMP | {"tokens": list_of(text), **dict.fromkeys(("surprise", "eta", "alpha"), list_of(figure))}
SAMPLES = STAMP | {"prompt": text, "text": text}
APPLIED = STAMP | {
    "number": whole,
    "command": text,
    "level": or_none(text),
    "value": figure,
    "applied": truth,
    "sentence": text,
    "sender": or_none(text),
    "sent": or_none(whole),
}
CONTROL = {"number": whole, "command": text, "sender": or_none(text), "sent": or_none(whole)}
SHAPES = {
    "metrics.jsonl": METRICS,
    "levels.jsonl": LEVELS,
    "surprise.jsonl": SURPRISE,
    "samples.jsonl": SAMPLES,
    "applied.jsonl": APPLIED,
    "control.jsonl": CONTROL,
}
"""What a record of each file has to hold; it may hold more. A field that may be None may be missing."""


RESULT = {"bits_per_byte": number, "steps": whole}
STATUS = {
    **dict.fromkeys(("state", "sentence", "line", "checkpoint", "host"), or_none(text)),
    **dict.fromkeys(("step", "steps", "attempt", "command", "pid", "lock"), or_none(whole)),
    **dict.fromkeys(("done", "seconds_left", "loss", "tokens_per_second"), figure),
    "result": or_none(lambda value: has_shape(value, RESULT)),
}
LEVEL = {"name": text, "period": whole, "unit": _one_of("steps", "tokens")}
CORPUS = {"name": text, "hash": text, "train_bytes": whole, "validation_bytes": whole}
FACTS = {
    **dict.fromkeys(("parameters", "threads"), whole),
    **dict.fromkeys(("processes", "micro_batch"), or_none(whole)),
    "order1_entropy": figure,
    **dict.fromkeys(("device", "dtype"), text),
    "levels": list_of(lambda value: has_shape(value, LEVEL)),
    "corpus": lambda value: has_shape(value, CORPUS),
}
"""What a run has found out about itself at its first step."""


BOOKMARK, PART, TOGETHER = 512, 1 << 22, 1000
"""Bytes by which a file is known again, and of a large file at once; lines parsed at once."""


def parse(line: str | bytes) -> Any:
    """The value of a line of JSON; None if it is none."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def has_shape(found: Any, shape: dict[str, Check]) -> bool:
    """Whether a value is an object of this shape."""
    if not isinstance(found, dict):
        return False
    for name, check in shape.items():
        if not check(found.get(name)):
            return False
    return True


def parsed(lines: list[str], shape: dict[str, Check]) -> list[Record | None]:
    """The records that lines hold, with every field of their shape; None for a line that is not of this shape."""
    blank, found = dict.fromkeys(shape), []
    with _uncollected():
        for begin in range(0, len(lines), TOGETHER):
            found += _values(lines[begin : begin + TOGETHER])
        return [blank | value if has_shape(value, shape) else None for value in found]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without looking for garbage, which takes a third of the time here and finds none: JSON has no cycles."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _values(lines: list[str]) -> list[Any]:
    """The value of each line. Whole objects are parsed as one list, in half the time that they take one by one."""
    if all(line[0] == "{" and line[-1] == "}" for line in lines):
        together = parse(f"[{','.join(lines)}]")
        if together is not None and len(together) == len(lines):
            return together
    return [parse(line) for line in lines]


def opened(path: Path) -> BinaryIO | None:
    """The file, for reading; None if it is not there or is no plain file: a pipe would never end."""
    try:
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError:
        return None
    if stat.S_ISREG(os.fstat(handle).st_mode):
        return open(handle, "rb")
    os.close(handle)
    return None


def last(path: Path) -> list[Record]:
    """The records at the end of one of `SHAPES`' files: all of a small one."""
    return [found for found in parsed(Tail(path, PART, end=True).lines(), SHAPES[path.name]) if found is not None]


class Tail:
    """Reads the whole lines appended to a file since it last looked, and no others; a file not there yet has none.

    A file that no longer holds, where the last look ended, what that look saw there is another file under the same
    name, cut short or put in its place: it is read from its beginning. One that was copied anew, and grew, is not.

    Args:
        part: bytes that a look takes at most; all by default.
        end: begin with the last `part` bytes of the file.

    Attributes:
        more: whether the file held more than the last look took.
        anew: whether the last look met another file under the name.
    """

    def __init__(self, path: Path, part: int = -1, end: bool = False) -> None:
        self.path, self.part, self.end = path, part, end
        self.more = self.anew = False
        self.rewind()

    def rewind(self) -> None:
        """Begins again, as if it had never looked."""
        self.offset, self.seen = 0, b""

    def lines(self) -> list[str]:
        self.more = self.anew = False
        file = opened(self.path)
        if file is None:
            return []
        with file:
            size = file.seek(0, os.SEEK_END)
            file.seek(self.offset - len(self.seen))
            if file.read(len(self.seen)) != self.seen:
                self.rewind()
                self.anew = True
            skip = self.end and not self.offset and size > self.part
            file.seek(size - self.part if skip else self.offset)
            self.offset = file.tell()
            data = file.read(self.part)
        begin, end = data.find(b"\n") + 1 if skip else 0, data.rfind(b"\n") + 1
        if not end and len(data) == self.part:  # no line of ours is that long
            begin = end = self.part
        self.offset, self.seen = self.offset + end, (self.seen + data[:end])[-BOOKMARK:]
        self.more = self.offset < size and end > 0
        return [line for line in data[begin:end].decode(errors="replace").split("\n") if line.strip()]


def records(path: Path) -> list[Record]:
    """All records of one of `SHAPES`' files, in order; lines that are cut or of another shape are left out."""
    return [found for found in parsed(Tail(path).lines(), SHAPES[path.name]) if found is not None]


class Latest:
    """The lines that count: of one step (and the same `keys`) the last one written.

    An attempt that resumes goes over steps that the one before it had done already; what the
    older attempt wrote from there on is left out.
    """

    def __init__(self, *keys: str) -> None:
        self.keys, self.attempt, self.kept = ("step", *keys), 0, {}

    def add(self, lines: Iterable[Record]) -> None:
        for line in lines:
            if line["attempt"] > self.attempt:
                self.attempt = line["attempt"]
                self.kept = {key: old for key, old in self.kept.items() if old["step"] < line["step"]}
            self.kept[tuple([line[key] for key in self.keys])] = line

    def lines(self) -> list[Record]:
        return list(self.kept.values())


class Every:
    """All lines, where each one counts."""

    def __init__(self) -> None:
        self.kept: list[Record] = []

    def add(self, lines: Iterable[Record]) -> None:
        self.kept += lines

    def lines(self) -> list[Record]:
        return self.kept


def latest(lines: Iterable[Record], *keys: str) -> list[Record]:
    """Those of `lines` that count; see `Latest`."""
    found = Latest(*keys)
    found.add(lines)
    return found.lines()


class Followed:
    """The records of one of `SHAPES`' files that count, at any time: what was read once is not read again.

    counts: begins what holds the lines that count, by default `Latest`.
    """

    def __init__(self, path: Path, counts: Callable[[], Latest | Every] = Latest) -> None:
        self.tail, self.shape, self.counts, self.found = Tail(path, PART), SHAPES[path.name], counts, counts()
        self.lock = threading.Lock()

    def records(self) -> list[Record]:
        """Copies, since what a caller does to them is to stay the caller's."""
        with self.lock:
            more = True
            while more:
                lines, more = parsed(self.tail.lines(), self.shape), self.tail.more
                if self.tail.anew:
                    self.found = self.counts()
                self.found.add(line for line in lines if line is not None)
            return [dict(line) for line in self.found.lines()]


def append(path: Path, *lines: Record) -> None:
    """Appends whole lines; a line that a killed writer left cut is closed first."""
    with open(path, "a+b", buffering=0) as file:
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        data = text.encode(errors="backslashreplace")
        size = file.seek(0, os.SEEK_END)
        if size:
            file.seek(size - 1)
            data = data if file.read(1) == b"\n" else b"\n" + data
        file.write(data)  # one write, so that lines never mix


def read_json(path: Path) -> Record:
    """Reads a JSON file that holds one object; empty if it is not there.

    Raises TrainError if it holds anything else.
    """
    file = opened(path)
    if file is None:
        if path.exists():
            raise TrainError(f"{path} is no file that can be read: put back the one that the run wrote.")
        return {}
    with file:
        found = parse(file.read())
    if not isinstance(found, dict):
        raise TrainError(f"{path} is damaged: put back a copy of it, or start a new run in another folder.")
    return found
