"""What a training run would cost here, from a moment of it: a few real steps in a process of its own.

`sizing` estimates every size from one block; this measures one config. `measure` starts
`python -m nlcore.trial`, so that neither memory nor a GPU stays taken in the caller's process.
"""

import json
import subprocess
import sys
import time
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F

from nlcore import machine, sizing
from nlcore.models import build, parameter_count
from nlcore.train import TrainConfig, TrainError
from nlcore.train.device import Choice, choose, settled, threads
from nlcore.train.parts import optimizer
from nlcore.train.words import visible

SECONDS = 90.0
"""A trial that has not ended by then is given up."""
STEPS = 3


@dataclass(frozen=True)
class Trial:
    """What was measured."""

    config: TrainConfig
    """The config, with the `micro_batch` that fits this machine."""
    device: str
    parameters: int
    step_seconds: float
    """Of one step on the whole batch."""
    peak_bytes: int
    """Memory at its highest: on the GPU, or of the whole process on a CPU; and the states that training carries."""

    @property
    def hours(self) -> float:
        """For all steps of the run, or its `seconds`."""
        return (self.config.seconds or self.step_seconds * self.config.preset.steps) / 3600

    def __str__(self) -> str:
        preset = self.config.preset
        at_once = self.config.micro_batch or preset.batch
        length = f"{self.config.seconds:g} seconds" if self.config.seconds else f"{preset.steps:,} steps"
        return "\n".join((
            f"{self.config.model} {preset.name}, {self.parameters:,} parameters, on {self.device}",
            f"memory   {self.peak_bytes / sizing.GIB:.2f} GiB, {at_once} of {preset.batch} sequences at once",
            f"speed    {self.step_seconds:.3g} s a step, {preset.batch * preset.context / self.step_seconds:,.0f} tokens/s",
            f"time     {sizing.duration(self.hours)} for {length}, validations not counted",
        ))  # fmt: skip


def measure(config: TrainConfig) -> Trial:
    """Trains `config` on random tokens for a few steps, in a process of its own.

    Raises TrainError if it does not fit this machine's memory, or takes over `SECONDS` to try.
    """
    choice = choose(config.device, config.dtype)
    free, preset = sizing.free_memory(choice.device), config.preset
    at_once = config.micro_batch or sizing.most_at_once(preset, free, config.model)
    if not at_once or sizing.bytes_needed(preset, at_once, config.model) > free:
        needs = sizing.bytes_needed(preset, at_once or 1, config.model) / sizing.GIB
        raise TrainError(f"{preset.name} needs about {needs:.1f} GiB and {free / sizing.GIB:.1f} are free on this "
                         f"{choice.device.type}: choose a smaller size, or a smaller micro_batch.")
    config = replace(config, micro_batch=None if at_once == preset.batch else at_once)
    command = [sys.executable, "-m", "nlcore.trial"]
    try:
        done = subprocess.run(command, input=json.dumps(config.as_json()), capture_output=True, encoding="utf-8",
                              errors="replace", timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise TrainError(f"A few steps of {preset.name} take over {SECONDS:.0f} s here: choose a smaller size.") from None
    if done.returncode:
        # A process that the system ended, for want of memory for example, says nothing itself.
        said = done.stderr.strip().splitlines() or [f"its process ended with code {done.returncode}"]
        raise TrainError(f"The trial of {preset.name} failed: {visible(said[-1])}")
    return Trial(config, str(choice), **json.loads(done.stdout))


def run(config: TrainConfig, choice: Choice) -> dict[str, float]:
    """The trial itself, in this process: parameters, step_seconds and peak_bytes."""
    preset = config.preset
    size = config.micro_batch or preset.batch
    model = build(config.model, preset, preset.vocabulary).to(choice.device)
    outer = optimizer(model, preset.lr, config)
    tokens = torch.randint(preset.vocabulary, (size, preset.context + 1), device=choice.device)
    taken: list[tuple[float, float]] = []
    began = time.perf_counter()
    for step in range(1, STEPS + 1):
        start = time.perf_counter()
        with choice.autocast():
            logits = model(tokens[:, :-1]).logits
        F.cross_entropy(logits.float().flatten(0, 1), tokens[:, 1:].flatten()).backward()
        middle = _now(choice)
        outer.step(step)
        taken.append((middle - start, _now(choice) - middle))
        if time.perf_counter() - began > SECONDS / 4:
            break
    # The first step also warms up; it counts only if there was no time for another.
    passes, steps = (min(part[1:] or part) for part in zip(*taken))
    seconds = passes * (preset.batch // size) + steps
    peak = _peak(choice) + sizing.carried_bytes(preset, config.model)
    return {"parameters": parameter_count(model), "step_seconds": seconds, "peak_bytes": peak}


def _now(choice: Choice) -> float:
    if choice.device.type == "cuda":
        torch.cuda.synchronize(choice.device)
    return time.perf_counter()


def _peak(choice: Choice) -> int:
    if choice.device.type == "cuda":
        return torch.cuda.max_memory_reserved(choice.device)
    return machine.peak_memory()


def main() -> None:
    """Reads a config as JSON, and prints what was measured as JSON."""
    config = TrainConfig.from_json(json.load(sys.stdin))
    choice = choose(config.device, config.dtype)
    with settled(choice, config.threads or threads(config.preset.dim)):
        print(json.dumps(run(config, choice)))


if __name__ == "__main__":
    main()
