"""Which sizes fit this machine, and about how long each takes: estimates, and named so."""

import math
import time
from dataclasses import dataclass, replace
from functools import cache

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.functional import cross_entropy

from nlcore import machine
from nlcore.models import KEEP_ALL, PRESETS, Preset, build, parameter_count, state_bytes
from nlcore.tasks.batches import lanes

GIB = 2**30
FLOAT = 4
TRAINED_BYTES = 4 * FLOAT
"""Bytes a parameter: itself, its gradient and AdamW's two moments, all float32."""
BLOCK_FLOATS = {"hope": 290, "omega": 140, "titans": 62}
"""Floats that one block keeps for the backward pass, per token and unit of width (measured over the presets: 131 to 286 in
Hope, 92 to 130 in omega, 44 to 58 in Titans)."""
OTHER_FLOATS = 45
"""The same in every other model (measured 24 to 43)."""
CHECKPOINT_FLOATS = 10
"""The same of a block that is computed again in the backward pass: its input, and the states that it leaves (measured 9)."""
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
    at_once: int
    """Sequences of a batch that can be computed at once (`micro_batch`); 0 if not even one fits."""
    needs: int
    """Bytes to train it so; of one sequence at a time where none fits."""
    hours: float
    """For all its steps; an estimate."""

    @property
    def fits(self) -> bool:
        """Whether it can be trained here at all."""
        return self.at_once > 0


def free_memory(where: torch.device) -> int:
    """Bytes free on the device, or on the machine for the CPU."""
    if where.type == "cuda":
        return torch.cuda.mem_get_info(where)[0]
    return machine.free_memory()


@cache
def parameters(preset: Preset) -> int:
    """Parameters of Hope at this size; other models have about as many."""
    with torch.device("meta"):
        return parameter_count(build("hope", preset, preset.vocabulary))


def bytes_needed(preset: Preset, at_once: int = 1, model: str = "hope") -> int:
    """Bytes to train a model at this size, `at_once` sequences at a time (an estimate)."""
    activations = activation_bytes(preset, at_once, model)
    return TRAINED_BYTES * parameters(preset) + activations + carried_bytes(preset, model)


def activation_bytes(preset: Preset, at_once: int, model: str = "hope") -> int:
    """Bytes that a forward pass of so many sequences keeps for the backward pass, in float32 (an estimate)."""
    block = BLOCK_FLOATS.get(model, OTHER_FLOATS)
    kept = CHECKPOINT_FLOATS * preset.depth + block if preset.checkpoint_blocks else block * preset.depth
    return at_once * preset.context * (kept * preset.dim + LOGIT_FLOATS * preset.vocabulary) * FLOAT


@cache
def carried_bytes(preset: Preset, model: str = "hope") -> int:
    """Bytes of the states that training carries from window to window; 0 without `carry`."""
    if not preset.carry:
        return 0
    with FakeTensorMode(), torch.no_grad():  # shapes without numbers
        made = build(model, replace(preset, depth=1), 2)  # blocks are alike
        row = preset.depth * state_bytes(made, made(torch.zeros(1, 1, dtype=torch.int64)).state)
    if model in KEEP_ALL:
        row *= preset.carry * preset.context
    return row * preset.batch * lanes(preset.batch, preset.carry)


def parts_of(batch: int, processes: int = 1) -> list[int]:
    """In which numbers of sequences a batch can be computed, largest first: its divisors that `processes` divides."""
    small = [n for n in range(1, math.isqrt(batch) + 1) if batch % n == 0]
    return sorted({n for k in small for n in (k, batch // k) if n % processes == 0}, reverse=True)


def most_at_once(preset: Preset, free: int, model: str = "hope", processes: int = 1) -> int:
    """The largest part of the batch of which each process's share fits in `free` bytes; 0 if not even the smallest does."""
    fits = (n for n in parts_of(preset.batch, processes) if bytes_needed(preset, n // processes, model) < free)
    return next(fits, 0)


def sizes(where: torch.device | None = None) -> list[Size]:
    """Every preset, smallest first, on `where`, by default the GPU if there is one; takes about ten seconds."""
    where = where or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    free = free_memory(where)
    found, speed = [], None
    for preset in PRESETS.values():
        work = parameters(preset) * preset.context * preset.batch * preset.steps
        at_once = most_at_once(preset, free)
        needs = bytes_needed(preset, max(at_once, 1))
        trial = _trial(preset)
        if speed is None or 2 * _work(trial) / speed < BUDGET_S and at_once:
            speed = _work(trial) / _step_seconds(trial, where)
        found.append(Size(preset, parameters(preset), at_once, needs, work / speed / 3600))
    return found


def table(found: list[Size]) -> str:
    """The sizes as lines of text, under a heading."""
    lines = [f"{'size':<8}{'parameters':>12}{'memory':>11}   {'fits':<13}time here, about"]
    for size in found:
        whole = size.at_once == size.preset.batch
        fits = "no" if not size.fits else "yes" if whole else f"{size.at_once} of {size.preset.batch}"
        lines.append(f"{size.preset.name:<8}{_short(size.parameters):>12}{size.needs / GIB:>7.1f} GiB   {fits:<13}"
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
    """Seconds of one forward and backward pass: the second, unless the first was long already."""
    threads = torch.get_num_threads()
    # Threads that wait for a core which another program holds would time that program, not this.
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
        taken = time.perf_counter() - start
        if taken > BUDGET_S / 2:
            break
    torch.set_num_threads(threads)
    return taken
