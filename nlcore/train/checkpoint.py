"""Checkpoints that are whole or not there: weights in safetensors, everything else in one state file.

Where several processes share a model (`nlcore.train.sharded`), the tensors that they share are in files of parts instead,
one a process, and their names stand for them in the state file. Everybody reads either form.
"""

import errno
import functools
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from nlcore.train import distributed_checkpoint
from nlcore.train.folder import ROOM, WINDOWS, write_json
from nlcore.train.parallel import ALONE, Team

T = TypeVar("T")
WEIGHTS, STATE, DIGESTS = "model.safetensors", "state.pt", "digests.json"
NAME = re.compile(r"step-([0-9]{8,})")
HALF, ASIDE = re.compile(r"\.step-[0-9]{8,}"), re.compile(r"\.(step-[0-9]{8,})\.old")
"""One that is being written, and one that a newer one of the same step is about to replace."""


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint, loaded to the CPU; what is in parts is on the device of the processes that share it."""

    path: Path
    weights: dict[str, Tensor]
    state: dict[str, Any]


def save(
    folder: Path, step: int, weights: dict[str, Tensor], state: dict[str, Any], keep: int, team: Team = ALONE
) -> Path:
    """Writes `folder`/step-NNNNNNNN under a temporary name and renames it; keeps the newest `keep` whole ones.

    All processes of a team call it: each writes its parts of what is sharded, and the lead the rest. `state` holds
    tensors, numbers, strings, lists and dicts only: it is read with `weights_only`. A checkpoint of this step that is there
    already stays on the disk until the new one is. Raises OSError, and leaves nothing half-written, if it cannot be written.
    """
    final, temporary = folder / f"step-{step:08d}", folder / f".step-{step:08d}"
    try:
        team.once(partial(_make, temporary))
        content = partial(_write, temporary, weights, state)
        rest, parts = distributed_checkpoint.apart({"weights": weights, "state": state})
        if parts:
            written = distributed_checkpoint.write(temporary, parts, team)
            content = partial(_write_beside, temporary, rest, team.gather({name: digest(temporary / name) for name in written}))
        team.once(content)
        team.once(partial(_put, temporary, final))
    except BaseException as error:
        full = shutil.disk_usage(folder).free < ROOM if folder.exists() else False
        if team.lead:
            shutil.rmtree(temporary, ignore_errors=True)
        if full and isinstance(error, Exception):  # torch and safetensors have words of their own for it
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(final)) from error
        raise
    team.once(partial(_rotate, folder, step, keep))
    return final


def _make(temporary: Path) -> None:
    temporary.parent.mkdir(exist_ok=True)
    tidy(temporary.parent)
    temporary.mkdir()


def _write(folder: Path, weights: dict[str, Tensor], state: dict[str, Any]) -> None:
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, folder / WEIGHTS)
    torch.save(state, folder / STATE)
    _seal(folder, {name: digest(folder / name) for name in (WEIGHTS, STATE)})


def _write_beside(folder: Path, rest: dict[str, Any], digests: list[dict[str, str]]) -> None:
    """What no process holds a part of, beside the files of parts with these digests."""
    torch.save(rest, folder / STATE)
    known = {name: value for some in digests for name, value in some.items()}
    _seal(folder, known | {name: digest(folder / name) for name in (distributed_checkpoint.INDEX, STATE)})


def _seal(folder: Path, digests: dict[str, str]) -> None:
    """Writes down what the files are, and waits until all are on the disk."""
    write_json(folder / DIGESTS, digests)
    for name in (*digests, DIGESTS):
        with open(folder / name, "rb+") as file:
            os.fsync(file.fileno())


def _put(temporary: Path, final: Path) -> None:
    """Renames; what `final` was before goes once the new one is there. A kill in between is mended by `tidy`."""
    aside = final.with_name(f".{final.name}.old")
    if final.exists():
        os.rename(final, aside)
    try:
        os.rename(temporary, final)
    except OSError:
        if aside.exists():
            os.rename(aside, final)
        raise
    _sync(final.parent)
    shutil.rmtree(aside, ignore_errors=True)


def _rotate(folder: Path, step: int, keep: int) -> None:
    """Removes what is older than the newest `keep` whole ones, of which the one just written is the newest.

    Those of later steps are not counted and stay: the run that writes now has passed them over.
    """
    until = [path for path in steps(folder) if _step(path) <= step]
    kept = 0
    for path in reversed(until):
        if kept == keep:
            shutil.rmtree(path, ignore_errors=True)
        elif _was_whole(path, _stamps(path)):
            kept += 1


def tidy(folder: Path) -> None:
    """Clears up after a writer that was killed; for whoever holds the run's lock. Other names are left alone."""
    for path in folder.glob(".step-*"):
        aside = ASIDE.fullmatch(path.name)
        if aside and not (folder / aside[1]).exists():
            os.rename(path, folder / aside[1])
        elif aside or HALF.fullmatch(path.name):
            shutil.rmtree(path, ignore_errors=True)


def steps(folder: Path) -> list[Path]:
    """Checkpoints that are there, by their steps, whole or not. Folders of any other name are not ours."""
    return sorted((path for path in folder.glob("step-*") if _is_ours(path)), key=_step)


def _is_ours(path: Path) -> bool:
    named = NAME.fullmatch(path.name)
    return named is not None and path.name == f"step-{int(named[1]):08d}" and path.is_dir()


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def newest(
    folder: Path,
    say: Callable[[str], None],
    fits: Callable[[Checkpoint], None] = lambda _: None,
    team: Team = ALONE,
) -> Checkpoint | None:
    """The newest checkpoint that is whole and fits; None if there is none.

    say: gets a sentence for each one passed over.
    fits: raises ValueError for a checkpoint that is not of this run, whatever its digests say.
    team: all its processes call this, and read the same one: of what is in parts, each its own.
    Raises PermissionError and MemoryError: what cannot be read now is not damaged.
    """
    for path in reversed(team.once(partial(steps, folder))):
        try:
            if why := team.once(partial(damage, path)):
                raise ValueError(why)
            found = _agreed(partial(_read, path, team), team)
            _agreed(partial(fits, found), team)
            return found
        except ValueError as error:
            say(f"The checkpoint {path} is damaged and is passed over: {error}.")
    return None


def _agreed(call: Callable[[], T], team: Team) -> T:
    """What each process gets of its call. Raises ValueError in all if one's raises it."""
    try:
        found, why = call(), None
    except ValueError as error:
        found, why = None, str(error)
    if refused := next(filter(None, team.gather(why)), None):
        raise ValueError(refused)
    return found


def _read(path: Path, team: Team) -> Checkpoint:
    """Raises ValueError if the files are not what a checkpoint holds."""
    try:
        # Several processes share the pages of one file that is whole, and each uses its part of them.
        state = torch.load(path / STATE, map_location="cpu", weights_only=True, mmap=team.size > 1)
        if (path / distributed_checkpoint.INDEX).exists():
            parts = distributed_checkpoint.read(path, team)
            weights, state = (distributed_checkpoint.mapped(state[part], str, lambda x: parts.get(x, x)) for part in ("weights", "state"))
        else:
            weights = load_file(path / WEIGHTS)
        found = Checkpoint(path, weights, state)
    except (PermissionError, MemoryError):
        raise
    except Exception as error:  # unpickling raises nearly anything
        raise ValueError(f"its content cannot be read ({type(error).__name__})") from error
    if not isinstance(state, dict) or type(state.get("step")) is not int or state["step"] != _step(path):
        raise ValueError("its content is not that of its step")
    return found


def damage(path: Path) -> str | None:
    """What is wrong with a checkpoint's files; None if they are what was written. Raises PermissionError."""
    try:
        digests = json.loads((path / DIGESTS).read_text(encoding="utf-8"))
        if not isinstance(digests, dict) or STATE not in digests or not {WEIGHTS, distributed_checkpoint.INDEX} & digests.keys():
            return f"{DIGESTS} names too few files"
        changed = [name for name in digests if digest(path / name) != digests[name]]
        return f"{changed[0]} is not what was written" if changed else None
    except PermissionError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        return str(error)


@functools.lru_cache(maxsize=64)
def _was_whole(path: Path, stamps: tuple[tuple[int, int], ...]) -> bool:
    """Whether a checkpoint is whole, by one reading as long as sizes and times stay: large ones take seconds."""
    try:
        return damage(path) is None
    except PermissionError:
        return False


def _stamps(path: Path) -> tuple[tuple[int, int], ...]:
    return tuple((file.stat().st_size, file.stat().st_mtime_ns) for file in sorted(path.iterdir()))


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    """Onto the disk, so that a name is never there before its content. Windows has no such call for folders."""
    if WINDOWS:
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
