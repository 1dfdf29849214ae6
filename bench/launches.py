"""How many kernels does one chunk launch, and what does one layer have to compute and to move? Counts, no times.

    python -m bench.launches         # two minutes; writes build/bench_launches.json too

A launch is an operation of PyTorch that is no view of another's memory, as it reaches the backend: on a GPU each is one
kernel, or a few. One chunk's are the differences between a text of two chunks and one of three, so that what a layer does
once for all chunks is not among them. The floors below are computed from the sizes alone: see `floors`.
"""

import argparse
from collections import Counter
from dataclasses import replace
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from nlcore.layers.attention import Attention
from nlcore.layers.family import FAMILY
from nlcore.layers.fast_weight import FastWeight
from nlcore.layers.self_modifying import SelfModifyingTitans
from nlcore.models import PRESETS, build, parameter_count, preset_of

from bench.speed import keep

DIM, HEADS, HIDDEN, CHUNK = 384, 6, 64, 64
FREE = {"aten::detach", "aten::empty", "aten::new_empty", "aten::empty_strided", "aten::empty_like", "aten::_unsafe_view"}
"""Operations that launch nothing, though they are no views."""


class Launches(TorchDispatchMode):
    """Counts the operations in its block that launch kernels, by name."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    def __torch_dispatch__(self, function: Any, types: Any, given: tuple = (), named: dict | None = None) -> Any:
        name = function.name().partition(".")[0]
        if not function.is_view and name not in FREE:
            self.found[name] += 1
        return function(*given, **named or {})


def counted(layer: torch.nn.Module, tokens: int, dim: int = DIM) -> tuple[Counter[str], Counter[str], int]:
    """Launches of the forward and of the backward pass over so many tokens, and floating-point operations of both."""
    x = torch.randn(1, tokens, dim, requires_grad=True)
    with FlopCounterMode(display=False) as flops:
        with Launches() as forward:
            answer = layer(x)[0].square().mean()
        with Launches() as backward:
            answer.backward()
    return forward.found, backward.found, flops.get_total_flops()


def floors(size: str) -> tuple[float, float, float, float]:
    """Of Hope at this size, what no kernel can avoid: operations and bytes of one layer, and of one step.

    The layer's are those of one sequence's forward and backward pass: its matrix products; its weights read twice and
    their gradient written, the memories read and written at every chunk in both passes, inputs and outputs with their
    gradients, all in float32. The step's are those of all layers and sequences, six operations for each other weight and
    token, and AdamW's eight passes over every parameter.
    """
    preset = preset_of(size, "hope")
    with FakeTensorMode():  # shapes without numbers
        model = build("hope", replace(preset, depth=1), preset.vocabulary)
        layer, spans = model.blocks[0].mixer, preset.context / preset.chunks[1]
        (*_, less), (*_, more) = (counted(layer, n * preset.chunks[1], preset.dim) for n in (2, 3))
        whole = parameter_count(build("hope", preset, preset.vocabulary))
    memories = {name: sum(w.numel() for w in group.weights) for name, group in layer._groups().items()}
    writes = sum(n * preset.context / preset.chunks[name != "memory"] for name, n in memories.items())
    own, tokens = parameter_count(layer), preset.batch * preset.context
    operations = (more - less) * spans
    moved = 4 * (3 * own + 4 * writes + 4 * preset.context * preset.dim)
    others = whole - preset.depth * own
    step = preset.batch * preset.depth * operations + 6 * others * tokens
    return operations, moved, step, preset.batch * preset.depth * (moved - 12 * own) + 4 * 11 * whole


def main() -> None:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    torch.manual_seed(0)
    layers = {
        "five memories": SelfModifyingTitans(DIM, HEADS, HIDDEN, (CHUNK, CHUNK)),
        "momentum, read after": SelfModifyingTitans(DIM, HEADS, HIDDEN, (CHUNK, CHUNK), momentum=True, reads="after"),
        "five, chunks 64 and 256": SelfModifyingTitans(DIM, HEADS, HIDDEN, (CHUNK, 4 * CHUNK)),
        "titans": FastWeight(DIM, HEADS, FAMILY["titans"], HIDDEN, CHUNK),
        "gated-deltanet": FastWeight(DIM, HEADS, FAMILY["gated-deltanet"], HIDDEN, CHUNK),
        "attention": Attention(DIM, HEADS),
    }
    results = {}
    print(f"One layer of width {DIM}, {HEADS} heads, memories of hidden width {HIDDEN}, one sequence; a chunk is {CHUNK} tokens")
    print(f"  {'':26}{'forward':>9}{'backward':>10}{'Mflop':>9}   most often, in one chunk")
    for name, layer in layers.items():
        span = getattr(layer, "chunks", (CHUNK,))[-1]
        (f2, b2, w2), (f3, b3, w3) = counted(layer, 2 * span), counted(layer, 3 * span)
        parts, both = span // CHUNK, f3 + b3
        both.subtract(f2 + b2)
        forward, backward = ((more.total() - less.total()) / parts for more, less in ((f3, f2), (b3, b2)))
        most = ", ".join(f"{op.removeprefix('aten::')} {n / parts:.3g}" for op, n in both.most_common(4))
        print(f"  {name:26}{forward:>9.0f}{backward:>10.0f}{(w3 - w2) / parts / 1e6:>9.1f}   {most if both.total() else ''}")
        results[name] = {"forward": forward, "backward": backward, "flop": (w3 - w2) / parts}
    print(f"What no kernel can avoid, for Hope   {'one layer':>18}{'one step':>24}")
    for size in PRESETS:
        operations, moved, step, step_moved = results[f"floors {size}"] = floors(size)
        print(f"  {size:26}{operations / 1e9:>12.4g} Gflop {moved / 1e9:>8.3g} GB{step / 1e12:>12.4g} Tflop {step_moved / 1e9:>8.3g} GB")
    keep("bench_launches", results)


if __name__ == "__main__":
    main()
