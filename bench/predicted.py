"""What is predicted of a training step, beside what it takes here: speed and memory, at the sizes that a CPU can train.

    python -m bench.predicted        # some minutes; writes build/bench_predicted.json too

Two windows at once, one thread, float32, each model in a process of its own; times are of the CPU, so that a machine that
does other work too counts for less. Speed is predicted from the operations a token
(`nlcore.flops`) and a float32 matrix product timed beside it, as if all of the step were such products; memory by
`nlcore.sizing`.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import replace

import torch
import torch.nn.functional as F

from nlcore import flops, machine, sizing
from nlcore.models import Preset, build, preset_of
from nlcore.train.parts import optimizer

from bench.speed import keep, matmul_peak

SIZES, MODELS, WINDOWS, STEPS = ("tiny", "laptop"), ("hope", "transformer"), 2, 3
EXACT = {"MALLOC_MMAP_THRESHOLD_": "16384", "MALLOC_TRIM_THRESHOLD_": "0", "OMP_NUM_THREADS": "1"}
"""What is freed goes back at once, so that a process holds what its tensors do."""


def learn(model: str, preset: Preset, steps: int) -> list[float]:
    """Seconds of CPU of each training step."""
    net, times = build(model, preset, preset.vocabulary), []
    outer = optimizer(net, preset.lr)
    tokens = torch.randint(preset.vocabulary, (WINDOWS, preset.context + 1))
    for index in range(1, steps + 1):
        began = time.process_time()
        F.cross_entropy(net(tokens[:, :-1]).logits.flatten(0, 1), tokens[:, 1:].flatten()).backward()
        outer.step(index)
        times.append(time.process_time() - began)
    return times


def step(size: str, model: str) -> dict[str, float]:
    """Predicted and measured, in this process."""
    torch.manual_seed(0)
    preset = replace(preset_of(size, model), batch=WINDOWS, carry=0)
    learn(model, replace(preset, dim=32, depth=1, context=preset.chunks[1] + 1), 1)  # what is loaded once
    peaks, before = [matmul_peak()], machine.held_memory()
    times = learn(model, preset, STEPS)
    peaks.append(matmul_peak())
    a_token = flops.per_token(model, preset)
    return {
        "tokens_per_second": WINDOWS * preset.context / min(times), "at_the_peak": max(peaks) / a_token,
        "bytes": machine.peak_memory() - before, "bytes_predicted": sizing.bytes_needed(preset, WINDOWS, model),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--one", nargs=2, metavar=("SIZE", "MODEL"), help="in this process, printed as JSON")
    one = parser.parse_args().one
    torch.set_num_threads(1)
    if one:
        print(json.dumps(step(*one)))
        return
    results = {}
    print(f"  {'':20}{'tokens/s':>10}{'at the peak':>13}{'ratio':>8}{'memory, MB':>12}{'predicted':>11}{'ratio':>8}")
    for size in SIZES:
        for model in MODELS:
            command = [sys.executable, "-m", "bench.predicted", "--one", size, model]
            said = subprocess.run(command, env=os.environ | EXACT, capture_output=True, text=True, check=True).stdout
            found = results[f"{size} {model}"] = json.loads(said)
            speed, most, held, predicted = found.values()
            print(f"  {f'{model} {size}':20}{speed:>10,.0f}{most:>13,.0f}{speed / most:>8.3f}"
                  f"{held / 1e6:>12,.0f}{predicted / 1e6:>11,.0f}{held / predicted:>8.2f}")
    keep("bench_predicted", results)


if __name__ == "__main__":
    main()
