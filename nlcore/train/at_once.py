"""How many sequences are computed at once: as asked, or as many as the device holds."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from nlcore import sizing
from nlcore.models import parameter_count
from nlcore.train.config import TrainConfig
from nlcore.train.device import Choice
from nlcore.train.parallel import Team

MARGIN = 0.05
"""Of a GPU's memory, the part that a trial leaves free: for what is cut up, and for what others take."""
LATER_FLOATS = 3
"""Floats a parameter that a GPU needs and that a trial does not take: AdamW's two moments, and DDP's copy of gradients."""


@dataclass(frozen=True)
class AtOnce:
    """So many sequences of a batch, over all processes, and the reason in words."""

    rows: int
    reason: str


def find(config: TrainConfig, model: nn.Module, choice: Choice, team: Team, before: int | None = None) -> AtOnce:
    """The config's `micro_batch`; where that is None, the largest part of the batch that fits, the same on all processes.

    On the CPU, and where processes share the model, that fits by `nlcore.sizing`'s estimate, and what this run computed at
    once `before` is kept if it fits: so a run that is resumed while other programs hold more memory stays the same to the
    bit. Else, on a GPU, it fits if a forward and a backward pass of it went well beside all that comes later, and each
    attempt finds it anew. Where nothing fits, it is the smallest part, since estimates err: a run that is out of memory says so.
    """
    batch = config.preset.batch
    if config.micro_batch is not None:
        return AtOnce(config.micro_batch, "as was asked")
    cuda = choice.device.type == "cuda"
    if cuda and not (config.parallel == "fsdp" and team.size > 1):  # there a trial that fails on one leaves the others waiting
        return _by_trial(config, model, choice, team)
    here = 1 if cuda else int(os.environ.get("LOCAL_WORLD_SIZE", team.size))  # they share this machine's memory
    free = min(team.gather(sizing.free_memory(choice.device))) // here
    most = sizing.most_at_once(config.preset, free, config.model, team.size)
    smallest = sizing.parts_of(batch, team.size)[-1]
    kept = before is not None and before <= most and before in sizing.parts_of(batch, team.size)
    rows = before if kept else most or smallest
    needs = sizing.bytes_needed(config.preset, rows // team.size, config.model)
    return AtOnce(rows, f"by the estimate of {needs / sizing.GIB:.2f} GiB a process, and {free / sizing.GIB:.2f} free")


def _by_trial(config: TrainConfig, model: nn.Module, choice: Choice, team: Team) -> AtOnce:
    preset, free = config.preset, min(team.gather(sizing.free_memory(choice.device)))
    most = sizing.most_at_once(preset, free, config.model, team.size)
    total = torch.cuda.get_device_properties(choice.device).total_memory
    carried = sizing.carried_bytes(preset, config.model) // team.size
    later = int(MARGIN * total) + sizing.FLOAT * LATER_FLOATS * parameter_count(model) + carried
    parts = [rows for rows in sizing.parts_of(preset.batch, team.size) if rows <= most]
    return AtOnce(*halved(
        parts or sizing.parts_of(preset.batch, team.size)[-1:],
        lambda rows: all(team.gather(holds(model, choice, rows // team.size, preset.context, later))),
    ))


def halved(parts: list[int], fits: Callable[[int], bool]) -> tuple[int, str]:
    """The first of `parts`, largest first, that fits, each tried at most half of the one before; else the last.

    With the reason in words.
    """
    rows = parts[0]
    while not fits(rows):
        smaller = [n for n in parts if 2 * n <= rows]
        if not smaller:
            return rows, "the fewest there can be, though a trial ran out of memory"
        rows = smaller[0]
    return rows, "since a trial of it fits" if rows == parts[0] else "since a trial of more ran out of memory"


def holds(model: nn.Module, choice: Choice, rows: int, context: int, later: int) -> bool:
    """Whether the device holds a forward and a backward pass of so many sequences, and beside it `later` bytes.

    The pass is not compiled, which takes no less memory. It leaves no gradient, and no number is drawn for it.
    """
    try:
        # All of it lives in a function of its own, so that nothing of it is left when memory is given back.
        _pass(model, choice, rows, context, later)
        return True
    except torch.OutOfMemoryError:
        return False
    finally:
        model.zero_grad(set_to_none=True)
        if choice.device.type == "cuda":
            torch.cuda.empty_cache()


def _pass(model: nn.Module, choice: Choice, rows: int, context: int, later: int) -> None:
    held = torch.empty(later, dtype=torch.uint8, device=choice.device)
    tokens = torch.zeros(rows, context, dtype=torch.int64, device=choice.device)
    with choice.autocast():
        logits = model(tokens).logits
    F.cross_entropy(logits.float().flatten(0, 1), tokens.flatten()).backward()
    del held
