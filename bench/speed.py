"""How fast are the recurrence and the models here? Medians, side by side in one run.

    python -m bench.speed           # under two minutes; writes build/bench.json too
    python -m bench.speed --compile # models also as torch.compile makes them: some minutes more, and a C++ compiler

With a CUDA GPU come training steps of Hope beside Transformer++ at larger sizes (`bench/large.py`).

Candidates take turns, so that a machine that slows down slows them all. `ratio` is
against the first line of each table.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
import torch.nn.functional as F

from nlcore import flops, regions
from nlcore.layers.family import matrix
from nlcore.layers.self_modifying import MAKES, SelfModifyingTitans
from nlcore.layers.self_modifying_naive import self_modifying_naive
from nlcore.layers.shared_gain import raw_answer, shared_gain
from nlcore.models import MODELS, PRESETS, build, preset_of, state_bytes
from nlcore.ops.delta_rule import delta_rule_chunked, delta_rule_naive

from bench import large

BUILD = Path(__file__).resolve().parent.parent / "build"
Candidates = dict[str, Callable[[], torch.Tensor]]


def recurrence(length: int = 256) -> Candidates:
    """Outputs and gradients of the delta recurrence: the loop, and chunks of several sizes."""
    torch.manual_seed(0)
    x = F.normalize(torch.randn(8, 4, length, 32), dim=-1).requires_grad_()
    delta, q = torch.randn_like(x), torch.randn_like(x)
    eta, log_alpha = torch.rand(8, 4, length), F.logsigmoid(torch.randn(8, 4, length) + 4)
    given = dict(x=x, delta=delta, eta=eta, log_alpha=log_alpha, weight=torch.randn(8, 4, 32, 32), q=q)
    found: Candidates = {"naive loop": lambda: delta_rule_naive(**given)[0]}
    for chunk in (16, 32, 64):
        found[f"chunks of {chunk}"] = lambda chunk=chunk: delta_rule_chunked(**given, chunk=chunk)[0]
    return found


def layer(length: int = 32) -> Candidates:
    """One layer of self-modifying Titans: the token loop, and the chunk-parallel form."""
    torch.manual_seed(0)
    titans, x = SelfModifyingTitans(64, 2, 32, chunks=(8, 16)), torch.randn(2, length, 64)
    return {"token loop": lambda: self_modifying_naive(titans, x)[0], "chunk-parallel": lambda: titans(x)[0]}


def linear_memories(length: int = 256) -> Candidates:
    """One layer of six linear memories, from values as they are made (eq. 93): a state for each, and one gain for all."""
    torch.manual_seed(0)
    sizes = dict(chunks=(32, 32), architecture=matrix, adaptive=MAKES, projections_share=1.0, eta_max=0.1)
    titans, x = SelfModifyingTitans(128, 4, 32, **sizes), torch.randn(4, length, 128)
    titans.learning = replace(titans.learning, learns=raw_answer)
    return {"six states": lambda: titans(x)[0], "one gain": lambda: shared_gain(titans, x)[0]}


def models() -> Candidates:
    """One training step's forward and backward pass of each model at size tiny."""
    preset, found = PRESETS["tiny"], {}
    tokens = torch.randint(0, preset.vocabulary, (preset.batch, preset.context))
    for name in reversed(MODELS):
        torch.manual_seed(0)
        found[name] = lambda net=build(name, preset, preset.vocabulary): net(tokens).logits
    return found


IN_CONTEXT = {
    "off": (),
    "64": (("cms-3", 64, 1.0),),
    "16 and 64": (("cms-3", 16, 1.0), ("cms-2", 64, 1.0)),
    "16 and 64, twice": (("cms-3", 16, 1.0), ("cms-2", 64, 1.0)),
}
"""Levels of Hope-Attention at size tiny that learn in context, by their periods in tokens; the last to second order."""


def in_context() -> Candidates:
    """One training step's forward and backward pass; the bytes that a sequence leaves behind are printed."""
    found = {}
    for name, levels in IN_CONTEXT.items():
        preset = replace(preset_of("tiny", "hope-attention"), in_context=levels, second_order="twice" in name)
        torch.manual_seed(0)
        net, tokens = build("hope-attention", preset, 256), torch.randint(0, 256, (preset.batch, preset.context))
        found[name] = lambda net=net, tokens=tokens: net(tokens).logits
        print(f"levels in context {name}: {state_bytes(net, net(tokens).state):,} bytes of state a sequence")
    return found


def compiled(candidates: Candidates) -> Candidates:
    """The same, each with its regions compiled (`nlcore.regions`), in the round that does not count."""

    def within(made: regions.Compiled, run: Callable[[], torch.Tensor]) -> torch.Tensor:
        with made:
            return run()

    return {f"{name}, compiled": partial(within, regions.Compiled(), run) for name, run in candidates.items()}


def measure(candidates: Candidates, rounds: int) -> dict[str, float]:
    """Median seconds of forward and backward, after one round that does not count."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    for index in range(rounds + 1):
        for name, run in candidates.items():
            began = time.perf_counter()
            run().square().mean().backward()
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            if index:
                times[name].append(time.perf_counter() - began)
    return {name: statistics.median(values) for name, values in times.items()}


def table(title: str, tokens: int, seconds: dict[str, float]) -> str:
    first = next(iter(seconds.values()))
    wide = max(map(len, seconds))
    lines = [f"{title} ({tokens:,} tokens, forward and backward)", f"  {'':{wide}}{'ms':>9}{'tokens/s':>11}{'ratio':>8}"]
    lines += [f"  {name:{wide}}{s * 1e3:>9.1f}{tokens / s:>11,.0f}{s / first:>8.3f}" for name, s in seconds.items()]
    return "\n".join(lines)


def keep(name: str, figures: dict[str, object]) -> None:
    """Writes the figures of a bench to build/NAME.json, and says so."""
    BUILD.mkdir(exist_ok=True)
    (BUILD / f"{name}.json").write_text(json.dumps(figures, indent=1))
    print(f"Figures as JSON: {BUILD / f'{name}.json'}")


def matmul_peak(size: int = 512, rounds: int = 20) -> float:
    """Operations a second of this machine's best float32 matrix product, on the threads that torch has."""
    a, b, times = torch.randn(size, size), torch.randn(size, size), []
    for _ in range(rounds):
        began = time.perf_counter()
        a @ b
        times.append(time.perf_counter() - began)
    return 2 * size**3 / min(times)


def utilised(seconds: dict[str, float], tokens: int, peak: float) -> dict[str, float]:
    """Of each model at size tiny, the part of the peak that serves it (`nlcore.flops`); printed."""
    print(f"  model-flop utilisation, of {peak / 1e9:,.1f} Gflop/s: this machine's own float32 product of 512 x 512, just measured")
    found = {}
    for name in MODELS:
        a_token = flops.per_token(name, PRESETS["tiny"])
        found[name] = a_token * tokens / seconds[name] / peak
        print(f"  {name:26}{a_token / 1e6:>8.2f} Mflop a token{found[name]:>9.1%}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=1, help="CPU threads (1)")
    parser.add_argument("--rounds", type=int, default=7, help="counted rounds (7)")
    parser.add_argument("--compile", action="store_true", help="models compiled as well: needs a C++ compiler")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    preset, results = PRESETS["tiny"], {}
    for title, tokens, candidates in (
        ("Delta recurrence", 8 * 256, recurrence()),
        ("Self-modifying Titans, one layer", 2 * 32, layer()),
        ("Six linear memories, one layer", 4 * 256, linear_memories()),
        ("Models at size tiny", preset.batch * preset.context, models() | (compiled(models()) if options.compile else {})),
        ("Levels in context, tokens between steps", preset.batch * preset.context, in_context()),
    ):
        results[title] = measure(candidates, options.rounds)
        print(table(title, tokens, results[title]))
        if title.startswith("Models"):
            utilisation = utilised(results[title], tokens, matmul_peak())
    from bench import large

    keep("bench", {"threads": options.threads, "median_seconds": results, "utilisation": utilisation, "large": large.measured()})


if __name__ == "__main__":
    main()
