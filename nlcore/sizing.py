"""Which sizes fit this machine, and about how long each takes: estimates, and named so."""

import os
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch.nn.functional import cross_entropy

from nlcore.models import PRESETS, Preset, build, parameter_count

GIB = 2**30
FLOAT = 4
TRAINED_BYTES = 4 * FLOAT
"""Bytes a parameter: itself, its gradient and AdamW's two moments, all float32."""
BLOCK_FLOATS = 290
"""Floats that one block of Hope keeps for the backward pass, per token and unit of width (measured
225 to 286 over the presets)."""
LOGIT_FLOATS = 3
"""Floats per token and vocabulary entry: logits, their softmax, its gradient."""
TRIAL_TOKENS, TRIAL_CONTEXT = 2048, 512
BUDGET_S = 4.0
"""A preset whose trial would take longer is estimated from the largest trial that was run."""


@dataclass(frozen=True)
class Size:
    """What one preset needs here, and what it would take."""

    preset: Preset
    parameters: int
    needs: int
    """Bytes to train it, one sequence at a time."""
    fits: bool
    hours: float
    """For all its steps; an estimate."""


def device() -> torch.device:
    """The device training takes by default."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def free_memory(where: torch.device) -> int:
    """Bytes free on the device, or on the machine for the CPU."""
    if where.type == "cuda":
        return torch.cuda.mem_get_info(where)[0]
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        lines = dict(line.split(":", 1) for line in meminfo.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def parameters(preset: Preset) -> int:
    """Parameters of Hope at this size."""
    with torch.device("meta"):
        return parameter_count(build("hope", preset, preset.vocabulary))


def bytes_needed(preset: Preset) -> int:
    """Bytes to train Hope at this size, one sequence at a time (an estimate)."""
    block = BLOCK_FLOATS * preset.dim
    kept = preset.depth * preset.dim + block if preset.checkpoint_blocks else preset.depth * block
    activations = preset.context * (kept + LOGIT_FLOATS * preset.vocabulary) * FLOAT
    return TRAINED_BYTES * parameters(preset) + activations


def sizes(where: torch.device | None = None) -> list[Size]:
    """Every preset, smallest first, on `where` (the default device); takes about ten seconds."""
    where = where or device()
    free = free_memory(where)
    found, speed = [], None
    for preset in PRESETS.values():
        work = parameters(preset) * preset.context * preset.batch * preset.steps
        needs = bytes_needed(preset)
        trial = _trial(preset)
        if speed is None or 2 * _work(trial) / speed < BUDGET_S and needs < free:
            speed = _work(trial) / _step_seconds(trial, where)
        found.append(Size(preset, parameters(preset), needs, needs < free, work / speed / 3600))
    return found


def table(found: list[Size]) -> str:
    """The sizes as lines of text, under a heading."""
    lines = [f"{'size':<8}{'parameters':>12}{'memory':>11}{'fits':>6}   time here, about"]
    for size in found:
        fits = "yes" if size.fits else "no"
        lines.append(f"{size.preset.name:<8}{_short(size.parameters):>12}{size.needs / GIB:>7.1f} GiB{fits:>6}   "
                     + (duration(size.hours) if size.fits else "needs a larger device"))
    return "\n".join(lines)


def duration(hours: float) -> str:
    """Hours in the unit a person would use."""
    if hours < 1:
        return f"{max(1, round(hours * 60))} min"
    if hours < 48:
        return f"{hours:.0f} h"
    return f"{hours / 24:.0f} days" if hours < 24 * 700 else f"{hours / 24 / 365:,.0f} years"


def _short(count: int) -> str:
    return f"{count / 1e9:.2f}B" if count >= 1e9 else f"{count / 1e6:.1f}M"


def _trial(preset: Preset) -> Preset:
    # One block stands for all: they are alike, and a whole large model would take minutes.
    context = min(preset.context, TRIAL_CONTEXT)
    return replace(preset, depth=1, context=context, batch=min(preset.batch, TRIAL_TOKENS // context))


def _work(trial: Preset) -> float:
    return parameters(trial) * trial.batch * trial.context


def _step_seconds(trial: Preset, where: torch.device) -> float:
    """Seconds of one forward and backward pass, after one that warms up."""
    threads = torch.get_num_threads()
    # Threads that share their cores with another program make small steps many times slower.
    torch.set_num_threads(1)
    model = build("hope", trial, trial.vocabulary).to(where)
    tokens = torch.randint(trial.vocabulary, (trial.batch, trial.context), device=where)
    for _ in range(2):
        start = time.perf_counter()
        with torch.autocast(where.type, torch.bfloat16, enabled=where.type == "cuda"):
            logits = model(tokens).logits
        cross_entropy(logits.float().flatten(0, 1), tokens.flatten()).backward()
        if where.type == "cuda":
            torch.cuda.synchronize(where)
    torch.set_num_threads(threads)
    return time.perf_counter() - start
