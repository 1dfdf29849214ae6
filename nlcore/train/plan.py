"""What a training run would cost, before it starts: steps, memory, time, money, and what failures take.

Nothing here is computed on a GPU. Sizes are counted; speed is predicted from the operations a token (`nlcore.flops`) and a
utilisation that is assumed, or measured by a run that has been; prices and failure rates are the reader's.
"""

import math
import statistics
from argparse import ArgumentParser
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch

from nlcore import flops, sizing
from nlcore.models import Preset, build, parameter_count, preset_of
from nlcore.train.at_once import MARGIN
from nlcore.train.choices import one_of
from nlcore.train.config import TrainError, configure
from nlcore.train.config_file import read_config
from nlcore.train.folder import RunFolder
from nlcore.train.records import latest, records
from nlcore.train.words import shown

PARALLEL = ("ddp", "fsdp")
DESCRIPTION = "Prints what a run would cost, before it starts; nothing is trained."
HOUR, DAY = 3600, 86400
NODE = 8
"""GPUs of a machine."""


class Row(NamedTuple):
    """One line of a plan's table."""

    what: str
    said: str
    source: str
    """"counted" from sizes, "predicted", "measured" by a run, or "given" by the reader or by a default."""


@dataclass(frozen=True)
class Plan:
    """A run's cost. Times are in seconds, memory and checkpoints in bytes, unless a name says otherwise."""

    preset: Preset
    model: str
    gpus: int
    gpu: str
    parallel: str
    tokens: float
    parameters: int
    steps: int
    flops_per_token: float
    at_once: int
    """Sequences that each GPU computes at once; 0 if not even one fits."""
    memory: dict[str, dict[str, float]]
    """By "ddp" and "fsdp", what each GPU holds, at `at_once` of each (one, where none fits)."""
    memory_measured: int | None
    """Most that a process of the run in `like` held."""
    tokens_per_second: float
    """Of all GPUs together."""
    device: str
    """What that speed is of: `gpu`, or the kind of device that the run in `like` had."""
    speed_source: str
    utilisation: float
    """Of the GPUs' peak, that this speed is."""
    compute_seconds: float
    """All steps, without checkpoints and failures."""
    checkpoint_bytes: float
    checkpoint_seconds: float
    checkpoint_every: float
    """Seconds of training between two checkpoints."""
    failures: float
    """Expected."""
    lost_seconds: float
    """To failures: what was not saved is computed again, and the job starts anew."""
    writing_seconds: float
    """Of checkpoints, for which training waits."""
    price: float
    mtbf_hours: float
    restart_seconds: float

    @property
    def wall_seconds(self) -> float:
        return self.compute_seconds + self.lost_seconds + self.writing_seconds

    @property
    def gpu_hours(self) -> float:
        return self.wall_seconds / HOUR * self.gpus

    @property
    def node_hours(self) -> float:
        return self.wall_seconds / HOUR * math.ceil(self.gpus / NODE)

    @property
    def cost(self) -> float:
        """In the currency of `price`."""
        return self.gpu_hours * self.price

    @property
    def tokens_per_parameter(self) -> float:
        return self.tokens / self.parameters

    def rows(self) -> list[Row]:
        """The plan in words."""
        step, room = self.preset.batch * self.preset.context, flops.GPUS[self.gpu].memory
        every = max(1, round(self.checkpoint_every / (self.compute_seconds / self.steps)))
        peak = f"{self.utilisation:.1%} of the peak of {flops.GPUS[self.gpu].peak / 1e12:,.0f} Tflop/s each"
        utilised = (", assumed to be " if self.speed_source == "predicted" else ", ") + peak if self.device == self.gpu else ""
        fits = f"{self.at_once} sequences at once" if self.at_once else "not even one sequence at once: choose fsdp, or a larger GPU"
        each = ", each as fast as a process of that run" if self.speed_source == "measured" else ""
        return [
            Row("model", f"{self.model} {self.preset.name}, {self.parameters:,} parameters", "counted"),
            Row("text", f"{self.tokens:.4g} tokens, {self.tokens_per_parameter:.1f} a parameter", "given"),
            Row("steps", f"{self.steps:,} of {step:,} tokens ({self.preset.batch} windows of {self.preset.context:,})", "counted"),
            Row("operations", f"{self.flops_per_token / 1e9:.3g} Gflop a token, {self.flops_per_token * self.tokens:.3g} flop in all",
                "counted"),
            *(Row(f"memory, {way}", f"{_gib(sum(held.values()))} of {_gib(room)} a GPU: "
                  + ", ".join(f"{name} {_gib(size)}" for name, size in held.items()), "predicted")
              for way, held in self.memory.items()),
            Row("micro-batch", f"{fits}, a GPU under {self.parallel}", "predicted"),
            *([Row("memory, seen", f"{_gib(self.memory_measured)} a process", "measured")] if self.memory_measured else []),
            Row("speed", f"{self.tokens_per_second:,.0f} tokens/s on {self.gpus} {self.device}{each}{utilised}", self.speed_source),
            Row("training", f"{_time(self.compute_seconds)} without checkpoints and failures", "predicted"),
            Row("checkpoint", f"{_gib(self.checkpoint_bytes)}, {self.checkpoint_seconds:.0f} s to write", "predicted"),
            Row("cadence", f"every {_time(self.checkpoint_every)}, {every:,} steps: sqrt(2 x seconds to write x "
                f"mean time between the job's failures)", "predicted"),
            Row("failures", f"{self.failures:.2g} expected, {_time(self.lost_seconds)} lost: failures x (half a cadence "
                f"+ restart)", "predicted"),
            Row("writing", f"{_time(self.writing_seconds)} of checkpoints", "predicted"),
            Row("wall-clock", _time(self.wall_seconds), "predicted"),
            Row("hours", f"{self.gpu_hours:,.1f} GPU-hours, {self.node_hours:,.1f} node-hours of {NODE} GPUs", "predicted"),
            Row("cost", f"{self.cost:,.0f}, at {self.price:g} a GPU-hour", "predicted"),
            Row("assumed", f"price {self.price:g} a GPU-hour; {self.mtbf_hours:,.0f} GPU-hours between failures, so "
                f"{self.mtbf_hours / self.gpus:,.1f} hours of the job; {self.restart_seconds:g} s to restart; "
                f"checkpoints at {self.checkpoint_bytes / self.checkpoint_seconds / 1e9:.2g} GB/s", "given"),
        ]

    def table(self) -> str:
        """The rows as text."""
        return "\n".join(f"{row.what:<14}{row.source:<11}{row.said}" for row in self.rows())


def plan(
    size: str | None = None,
    model: str | None = None,
    tokens: float | None = None,
    gpus: int = 1,
    gpu: str = "h100",
    mfu: float | None = None,
    tokens_per_second: float | None = None,
    price: float = 2.5,
    mtbf_hours: float = 50_000,
    checkpoint_seconds: float | None = None,
    restart_seconds: float = 600,
    parallel: str = "ddp",
    like: str | Path | None = None,
    **sizes: Any,
) -> Plan:
    """The plan of a run of `tokens` tokens, by default the preset's steps.

    Args:
        size, model: as in `configure`, by default "tiny" and "hope"; and `sizes`, as `batch` or `context`.
        gpus: how many; they share every batch equally.
        gpu: one of `flops.GPUS`.
        mfu: the part of their peak that is assumed to serve the model, 0.35 by default: what large Transformers reach.
        tokens_per_second: of one GPU, instead of that.
        price: of a GPU-hour, in any currency.
        mtbf_hours: hours of one GPU between failures, hosts and network included; 50,000 is what the training of
            Llama 3 reports (419 unexpected interruptions in 54 days of 16,384 GPUs).
        checkpoint_seconds: to write one; by default at 1 GB/s.
        restart_seconds: from a failure until training goes on.
        parallel: "ddp", each GPU holds the whole model, or "fsdp", each holds its share.
        like: a run's folder, whose size and model are planned, and whose speed a process and memory are taken as measured.

    Raises TrainError, in one sentence, for what makes no sense.
    """
    preset, model, seen = _asked(size, model, sizes) if like is None else _like(like, size, model, sizes)
    one_of(lambda: flops.GPUS)("gpu", gpu)
    one_of(lambda: PARALLEL)("parallel", parallel)
    if type(gpus) is not int or gpus < 1:
        raise TrainError(f"gpus is {shown(gpus)}: give a whole number, 1 or more.")
    if not sizing.parts_of(preset.batch, gpus):
        raise TrainError(f"{gpus} GPUs cannot share a batch of {preset.batch} windows equally: choose a number that divides it, "
                         "or another batch.")
    if sum(given is not None for given in (mfu, tokens_per_second, like)) > 1:
        raise TrainError("The speed is given twice: choose one of mfu, tokens_per_second and like.")
    mfu = 0.35 if mfu is None else mfu
    step = preset.batch * preset.context
    tokens = preset.steps * step if tokens is None else tokens
    given = dict(tokens=tokens, mfu=mfu, price=price, mtbf_hours=mtbf_hours, restart_seconds=restart_seconds)
    given |= dict(tokens_per_second=tokens_per_second, checkpoint_seconds=checkpoint_seconds)
    for name, value in given.items():
        if value is not None:
            _positive(name, value, 1 if name == "mfu" else 1e30)
    operations, peak = _operations(model, preset), flops.GPUS[gpu].peak
    each, source, device = peak * mfu / operations, "predicted", gpu
    if seen is not None:
        each, source, device = seen.tokens_per_second, "measured", gpu if seen.device == "cuda" else seen.device
    elif tokens_per_second is not None:
        each, source = tokens_per_second, "given"
    steps, speed = math.ceil(tokens / step), gpus * each
    compute = tokens / speed
    stored = _stored(preset, model)
    write = stored / 1e9 if checkpoint_seconds is None else checkpoint_seconds
    between = mtbf_hours * HOUR / gpus
    every = min(math.sqrt(2 * write * between), compute)
    failures = compute / between
    at_once = {way: _most(preset, model, gpus, way, flops.GPUS[gpu].memory) for way in PARALLEL}
    return Plan(
        preset, model, gpus, gpu, parallel, tokens, _parameters(preset, model)["all"], steps, operations, at_once[parallel],
        {way: held(preset, model, gpus, way, max(at_once[way], 1)) for way in PARALLEL},
        seen and seen.memory, speed, device, source, each * operations / peak, compute, stored, write, every,
        failures, failures * (every / 2 + restart_seconds), compute / every * write, price, mtbf_hours, restart_seconds,
    )


def held(preset: Preset, model: str, gpus: int, parallel: str, at_once: int) -> dict[str, float]:
    """What each GPU holds, in bytes: weights, gradients and AdamW's moments in float32, and a batch's `at_once` windows."""
    counts, share = _parameters(preset, model), gpus if parallel == "fsdp" else 1
    whole = sizing.FLOAT * counts["all"]
    found = {"weights": whole / share, "gradients": whole / share, "optimizer": 2 * whole / share}
    if gpus > 1 and parallel == "ddp":
        found["gradients on their way"] = whole
    if gpus > 1 and parallel == "fsdp":
        # Two blocks' weights and one's gradients are whole at a time, and those of the embedding.
        found["whole for a moment"] = sizing.FLOAT * (3 * counts["block"] + 2 * counts["outside"])
    found["activations"] = sizing.activation_bytes(preset, at_once, model)
    carried = sizing.carried_bytes(preset, model) / gpus
    return found | ({"carried states": carried} if carried else {})


class Seen(NamedTuple):
    """What a run has measured."""

    tokens_per_second: float
    """Of one process."""
    memory: int
    device: str


def _asked(size: str | None, model: str | None, sizes: dict[str, Any]) -> tuple[Preset, str, None]:
    config = configure(size or "tiny", model=model, **sizes)
    return config.preset, config.model, None


def _like(path: str | Path, size: str | None, model: str | None, sizes: dict[str, Any]) -> tuple[Preset, str, Seen]:
    folder = RunFolder(path)
    config, facts = read_config(folder)
    asked = {"size": size or config.preset.name, "model": model or config.model}
    if sizes or asked != {"size": config.preset.name, "model": config.model}:
        raise TrainError(f"{folder.path} trains {config.model} at size {config.preset.name}, which is what a plan like it is of: "
                         "leave out other sizes and models.")
    found = latest(records(folder.metrics))
    if not found:
        raise TrainError(f"{folder.path} has not reported its speed yet: plan like it after its first report.")
    # The first report holds the warm-up, and what was compiled.
    speed = statistics.median(line["tokens_per_second"] for line in found[1:] or found)
    memory = max((line.get("memory") or 0 for line in found), default=0)
    return config.preset, config.model, Seen(speed / (facts.get("processes") or 1), memory, facts["device"])


@cache
def _parameters(preset: Preset, model: str) -> dict[str, int]:
    """Of the model, of one block, outside all blocks, and of levels that gather gradients over several steps."""
    with torch.device("meta"):
        made = build(model, preset, preset.vocabulary)
    slow = {level.name for level in made.levels() if level.unit == "steps" and level.period > 1}
    whole, block = parameter_count(made), parameter_count(made.blocks[0])
    gathered = sum(p.numel() for name, p in made.named_parameters() if made.level_of(name) in slow)
    return {"all": whole, "block": block, "outside": whole - preset.depth * block, "gathered": gathered}


def _stored(preset: Preset, model: str) -> float:
    """Bytes of a checkpoint: weights, both moments, gathered gradients, carried states."""
    counts = _parameters(preset, model)
    return sizing.FLOAT * (3 * counts["all"] + counts["gathered"]) + sizing.carried_bytes(preset, model)


def _operations(model: str, preset: Preset) -> float:
    try:
        return flops.per_token(model, preset)
    except ValueError as error:
        raise TrainError(f"This run cannot be planned, since {error}: plan it without in_context.") from error


def _most(preset: Preset, model: str, gpus: int, parallel: str, memory: int) -> int:
    """Windows that each GPU computes at once; 0 if not even one fits."""
    shares = (rows // gpus for rows in sizing.parts_of(preset.batch, gpus))
    room = (1 - MARGIN) * memory
    return next((rows for rows in shares if sum(held(preset, model, gpus, parallel, rows).values()) < room), 0)


def _positive(name: str, value: Any, most: float) -> None:
    if type(value) not in (int, float) or not 0 < value <= most:
        raise TrainError(f"{name} is {shown(value)}: give a number above 0{' and at most 1' if most == 1 else ''}.")


def _time(seconds: float) -> str:
    for unit, length in (("days", DAY), ("hours", HOUR), ("minutes", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:,.1f} {unit}"
    return f"{seconds:.0f} seconds"


def _gib(size: float) -> str:
    return f"{size / sizing.GIB:.3g} GiB"


def options(parser: ArgumentParser) -> ArgumentParser:
    """The parser, with `plan`'s arguments as options."""
    add = parser.add_argument
    add("--size", help="as in training; tiny by default")
    add("--model", help="as in training; hope by default")
    add("--tokens", type=float, help="to train on, as 100e9; by default as the size's steps take")
    add("--batch", type=int, help="windows a step, over all GPUs")
    add("--context", type=int, help="tokens of a window")
    add("--gpus", type=int, default=1, help="how many (1)")
    add("--gpu", default="h100", help=f"one of {', '.join(flops.GPUS)} (h100)")
    add("--mfu", type=float, help="part of their peak that serves the model (0.35, assumed)")
    add("--tokens-per-second", type=float, help="of one GPU, instead of --mfu")
    add("--like", metavar="RUN", help="plan the run in this folder, at the speed a process and with the memory it measured")
    add("--parallel", default="ddp", help=f"one of {', '.join(PARALLEL)} (ddp)")
    add("--price", type=float, default=2.5, help="of a GPU-hour (2.5)")
    add("--mtbf-hours", type=float, default=50_000.0, help="of one GPU between failures (50000)")
    add("--checkpoint-seconds", type=float, help="to write one (at 1 GB/s)")
    add("--restart-seconds", type=float, default=600.0, help="from a failure until training goes on (600)")
    return parser
