"""What a run's files hold, read with doubt: a record is of its file's shape, or it is left out and counted.

A file may be cut, edited, or replaced by a folder; a reader gets what is whole in it and never an exception for the
rest. Shapes are few and flat, so they are checked here in plain Python: a validation library would be larger than all
that it is asked.
"""

import json
import os
import stat
from collections.abc import Callable
from numbers import Real
from pathlib import Path
from typing import Any, BinaryIO

from nlcore.train.config import TrainError

Record = dict[str, Any]
Check = Callable[[Any], bool]


def whole(value: Any) -> bool:
    return type(value) is int and abs(value) < 1 << 63


def number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool) and abs(value) < 1e308


def text(value: Any) -> bool:
    """Text that can be written down again: a lone half of a character cannot."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def figure(value: Any) -> bool:
    """A number, or None where there was none."""
    return value is None or number(value)


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
)
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
}
CONTROL = {"number": whole, "command": text}
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
    **dict.fromkeys(("state", "sentence", "line", "checkpoint"), or_none(text)),
    **dict.fromkeys(("step", "steps", "attempt", "command", "pid"), or_none(whole)),
    **dict.fromkeys(("done", "seconds_left", "loss", "tokens_per_second"), figure),
    "result": or_none(lambda value: has_shape(value, RESULT)),
}
LEVEL = {"name": text, "period": whole, "unit": _one_of("steps", "tokens")}
CORPUS = {"name": text, "hash": text, "train_bytes": whole, "validation_bytes": whole}
FACTS = {
    **dict.fromkeys(("parameters", "threads"), whole),
    "processes": or_none(whole),
    "order1_entropy": figure,
    **dict.fromkeys(("device", "dtype"), text),
    "levels": list_of(lambda value: has_shape(value, LEVEL)),
    "corpus": lambda value: has_shape(value, CORPUS),
}
"""What a run has found out about itself at its first step."""


def parse(line: str | bytes) -> Any:
    """The value of a line of JSON; None if it is none."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def has_shape(found: Any, shape: dict[str, Check]) -> bool:
    """Whether a value is an object of this shape."""
    return isinstance(found, dict) and all(check(found.get(name)) for name, check in shape.items())


def record(line: str | bytes, shape: dict[str, Check]) -> Record | None:
    """The record that a line holds, with every field of its shape; None if it is not of this shape."""
    found = parse(line)
    return dict.fromkeys(shape) | found if has_shape(found, shape) else None


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


class Tail:
    """Reads the whole lines appended to a file since it last looked; a file not there yet has none.

    A file that has become shorter is another file under the same name, and is read from its beginning.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.offset = path, 0

    def lines(self) -> list[str]:
        file = opened(self.path)
        if file is None:
            return []
        with file:
            if file.seek(0, os.SEEK_END) < self.offset:
                self.offset = 0
            file.seek(self.offset)
            data = file.read()
        end = data.rfind(b"\n") + 1
        self.offset += end
        return [line for line in data[:end].decode(errors="replace").split("\n") if line.strip()]


def records(path: Path) -> list[Record]:
    """All records of one of `SHAPES`' files, in order; lines that are cut or of another shape are left out."""
    shape = SHAPES[path.name]
    return [found for line in Tail(path).lines() if (found := record(line, shape)) is not None]


def latest(lines: list[Record], *keys: str) -> list[Record]:
    """The lines that count: of one step (and the same `keys`) the last one written.

    An attempt that resumes goes over steps that the one before it had done already; what the
    older attempt wrote from there on is left out.
    """
    kept: dict[tuple, Record] = {}
    attempt = 0
    for line in lines:
        if line["attempt"] > attempt:
            attempt = line["attempt"]
            kept = {key: old for key, old in kept.items() if old["step"] < line["step"]}
        kept[(line["step"], *(line[key] for key in keys))] = line
    return list(kept.values())


def append(path: Path, line: Record) -> None:
    """Appends one whole line; a line that a killed writer left cut is closed first."""
    with open(path, "a+b", buffering=0) as file:
        data = json.dumps(line, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
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
