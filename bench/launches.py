"""How many kernels does one chunk launch, and what does one layer have to compute and to move? Counts, no times.

    python -m bench.launches         # some seconds; writes build/bench_launches.json too

A launch is an operation of PyTorch that is no view of another's memory, as it reaches the backend: on a GPU each is one
kernel, or a few. One chunk's are the differences between a text of two chunks and one of three, so that what a layer does
once for all chunks is not among them. The floors are what no kernel can avoid: the multiplications and additions of the
matrix products, and the bytes of weights and states that are read and written once, in float32.
"""

import argparse
from collections import Counter
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from nlcore.layers.attention import Attention
from nlcore.layers.family import FAMILY
from nlcore.layers.fast_weight import FastWeight
from nlcore.layers.self_modifying import SelfModifyingTitans

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


def counted(layer: torch.nn.Module, tokens: int) -> tuple[Counter[str], Counter[str], int]:
    """Launches of the forward and of the backward pass over so many tokens, and floating-point operations of both."""
    x = torch.randn(1, tokens, DIM, requires_grad=True)
    with FlopCounterMode(display=False) as flops:
        with Launches() as forward:
            answer = layer(x)[0].square().mean()
        with Launches() as backward:
            answer.backward()
    return forward.found, backward.found, flops.get_total_flops()


def state_bytes(layer: torch.nn.Module) -> int:
    """Of the memories that one sequence writes, in float32."""
    with torch.no_grad():
        state = layer(torch.randn(1, 1, DIM))[1]
    memories = [w for part in state for own in (part if isinstance(part, tuple) else ()) if isinstance(own, tuple) for w in own]
    return sum(w.nbytes for w in memories)


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
    keep("bench_launches", results)


if __name__ == "__main__":
    main()
