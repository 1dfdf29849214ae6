"""Checkpoints that are whole or not there: weights in safetensors, everything else in one state file."""

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from nlcore.train.folder import read_json, write_json

WEIGHTS, STATE, DIGESTS = "model.safetensors", "state.pt", "digests.json"


@dataclass(frozen=True)
class Checkpoint:
    """One checkpoint, loaded to the CPU."""

    path: Path
    weights: dict[str, Tensor]
    state: dict[str, Any]


def save(folder: Path, step: int, weights: dict[str, Tensor], state: dict[str, Any], keep: int) -> Path:
    """Writes `folder`/step-NNNNNNNN under a temporary name and renames it; keeps the last `keep`.

    `state` holds tensors, numbers, strings, lists and dicts only: it is read with `weights_only`.
    """
    final, temporary = folder / f"step-{step:08d}", folder / f".step-{step:08d}"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    save_file({name: tensor.contiguous() for name, tensor in weights.items()}, temporary / WEIGHTS)
    torch.save(state, temporary / STATE)
    write_json(temporary / DIGESTS, {name: _digest(temporary / name) for name in (WEIGHTS, STATE)})
    for name in (WEIGHTS, STATE, DIGESTS):
        _sync(temporary / name)
    shutil.rmtree(final, ignore_errors=True)
    os.rename(temporary, final)
    _sync(folder)
    for old in [*steps(folder)[:-keep], *folder.glob(".step-*")]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def steps(folder: Path) -> list[Path]:
    """Checkpoints that are there, oldest first, whole or not."""
    return sorted(folder.glob("step-*"))


def newest(folder: Path, say: Callable[[str], None]) -> Checkpoint | None:
    """The newest whole checkpoint; None if there is none. `say` gets a sentence for each damaged one."""
    for path in reversed(steps(folder)):
        try:
            damaged = [name for name, digest in _digests(path).items() if _digest(path / name) != digest]
            if not damaged:
                state = torch.load(path / STATE, map_location="cpu", weights_only=True)
                return Checkpoint(path, load_file(path / WEIGHTS), state)
            why = f"{damaged[0]} is not what was written"
        except (OSError, ValueError) as error:
            why = str(error)
        say(f"The checkpoint {path} is damaged and is passed over: {why}.")
    return None


def _digests(path: Path) -> dict[str, str]:
    digests = read_json(path / DIGESTS)
    if not {WEIGHTS, STATE} <= digests.keys():
        raise ValueError(f"{DIGESTS} is missing or names too few files")
    return digests


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Onto the disk, so that a name is never there before its content."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
