"""Training steps at the sizes that need a GPU: Hope beside Transformer++, at the same parameters, tokens and precision.

`python -m bench.speed` prints them where there is CUDA, and says elsewhere what it skips.
"""

import statistics
import time
from dataclasses import replace

import torch

from nlcore import flops, regions
from nlcore.models import build, parameter_count, preset_of
from nlcore.train.device import choose
from nlcore.train.loop import Objective
from nlcore.train.parts import optimizer

SIZES, CONTEXTS, MODELS = ("160m", "760m"), (4096, 32_768), ("transformer", "hope")
TOKENS = 32_768
"""Of one step, in windows of either length."""
ROUNDS, WARM_UP = 5, 2
HALF, LONGER = 0.5, 1.15
"""Goals: Hope's speed as a part of Transformer++'s, at least; time a token in the longest windows to that in the shortest, at most."""
Rows = dict[str, dict[str, float]]


def measured() -> Rows:
    """Tokens a second, utilisation and peak memory of each, printed with the goals; nothing without CUDA."""
    sizes = f"{' and '.join(SIZES)} in windows of {' and '.join(f'{n:,}' for n in CONTEXTS)} tokens"
    if not torch.cuda.is_available():
        print(f"Hope beside Transformer++ at {sizes}: skipped, since no CUDA GPU was found. Goals not run: {_goals({})}")
        return {}
    device, rows = torch.cuda.get_device_name(), {}
    known = flops.gpu_named(device)
    print(f"Training steps of {TOKENS:,} tokens on {device}, bfloat16, compiled" + ("" if known else "; its peak is not known here"))
    print(f"  {'':32}{'tokens/s':>12}{'utilisation':>13}{'peak memory':>13}")
    for size in SIZES:
        for context in CONTEXTS:
            for model in MODELS:
                name = f"{model} {size}, {context:,}"
                try:
                    found = rows[name] = step(model, size, context, known)
                except torch.OutOfMemoryError:
                    print(f"  {name:32} skipped: out of this GPU's memory")
                    continue
                finally:
                    torch.cuda.empty_cache()
                share = f"{found['utilisation']:.1%}" if known else "unknown"
                print(f"  {name:32}{found['tokens_per_second']:>12,.0f}{share:>13}{found['peak_bytes'] / 2**30:>9.1f} GiB")
    print(f"Goals: {_goals(rows)}")
    return rows


def step(model: str, size: str, context: int, known: flops.GPU | None) -> dict[str, float]:
    """One training step, forward, backward and AdamW, of all levels: the median of five, after two that compile."""
    preset = replace(preset_of(size, model), context=context, batch=TOKENS // context, carry=0)
    choice = choose("cuda", "bfloat16")
    torch.manual_seed(0)
    net = build(model, preset, preset.vocabulary).to(choice.device)
    objective, outer, compiled = Objective(net, choice), optimizer(net, preset.lr), regions.Compiled()
    tokens = torch.randint(preset.vocabulary, (preset.batch, context + 1), device=choice.device)
    times = []
    for index in range(1, WARM_UP + ROUNDS + 1):
        if index == WARM_UP + 1:
            torch.cuda.reset_peak_memory_stats()
        torch.cuda.synchronize()
        began = time.perf_counter()
        with compiled:
            objective(tokens[:, :-1], tokens[:, 1:], None, False)[0].backward()
        outer.step(index)
        torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
    speed = TOKENS / statistics.median(times[WARM_UP:])
    used = speed * flops.per_token(model, preset) / known.peak if known else 0.0
    return {"tokens_per_second": speed, "utilisation": used, "peak_bytes": torch.cuda.max_memory_allocated(),
            "parameters": parameter_count(net)}


def _goals(rows: Rows) -> str:
    def speed(model: str, size: str, context: int) -> float | None:
        return rows.get(f"{model} {size}, {context:,}", {}).get("tokens_per_second")

    def ratio(over: float | None, under: float | None) -> str:
        return f"{over / under:.2f}" if over and under else "not run"

    short, long = CONTEXTS
    said = [f"Hope's speed {HALF} of Transformer++'s or more: " + ", ".join(
        f"{size} at {context:,} {ratio(speed('hope', size, context), speed('transformer', size, context))}"
        for size in SIZES for context in CONTEXTS)]
    said.append(f"Hope's time a token at {long:,} within {LONGER} of that at {short:,}: " + ", ".join(
        f"{size} {ratio(speed('hope', size, short), speed('hope', size, long))}" for size in SIZES))
    return "; ".join(said)
