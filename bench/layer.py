"""What does one layer cost at width 384, beside attention and the best-known public memory? Medians, side by side in one run.

    python -m bench.layer            # two minutes; writes build/bench_layer.json too
    python -m bench.layer --compile  # ours also as torch.compile makes it: some minutes more, and a C++ compiler

Forward and backward of 1,024 tokens, 6 heads of 64, memories with a hidden width of 64, chunks of 64, on the GPU if there is
one, else with two threads. The peer, NeuralMemory of titans-pytorch, joins where it is installed (`pip install
titans-pytorch`). Its rows are not the same work, so read them with what differs:

    five memories, six      ours: keys, values and rates are made by memories that are written too; every chunk's gradients
                            are taken at the state before it, and each write erases under its key
    peer, every 64 tokens   one memory with momentum, whose keys, values and rates plain matrices make; gradients of a
                            chunk at the state before it; nothing is erased (batch_size=64)
    peer, at the start      the same with all gradients at the sequence's start: one batch of products, no chain
"""

import argparse

import torch

from nlcore.layers.attention import Attention
from nlcore.layers.self_modifying import MAKES, SelfModifyingTitans

from bench.speed import Candidates, compiled, keep, measure, table

DIM, HEADS, WIDTH, TOKENS, CHUNK = 384, 6, 64, 1024, 64
GOAL = 10
"""On a GPU, compiled: so many times the peer's speed (every 64 tokens), with five times its memories."""


def layers(x: torch.Tensor) -> Candidates:
    """Ours, and attention."""
    made = {
        "softmax attention": Attention(DIM, HEADS),
        "five memories": SelfModifyingTitans(DIM, HEADS, WIDTH, (CHUNK, CHUNK)),
        "six and momentum": SelfModifyingTitans(DIM, HEADS, WIDTH, (CHUNK, CHUNK), momentum=True, adaptive=MAKES),
    }
    return {name: lambda layer=layer.to(x.device): layer(x)[0] for name, layer in made.items()}


def peers(x: torch.Tensor) -> Candidates:
    """The public memory, where it is installed."""
    try:
        from titans_pytorch import MemoryMLP, NeuralMemory
    except ImportError:
        print("Without titans-pytorch, which is not installed: `pip install titans-pytorch` gives this table its two rows.")
        return {}
    made = {}
    for name, batch in (("peer, every 64 tokens", CHUNK), ("peer, at the start", None)):
        model = MemoryMLP(WIDTH, depth=2, expansion_factor=1.0)
        memory = NeuralMemory(DIM, chunk_size=CHUNK, batch_size=batch, dim_head=WIDTH, heads=HEADS, model=model).to(x.device)
        made[name] = lambda memory=memory: memory(x)[0]
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=2, help="CPU threads (2)")
    parser.add_argument("--rounds", type=int, default=9, help="counted rounds (9)")
    parser.add_argument("--compile", action="store_true", help="ours compiled as well: needs a C++ compiler")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    x = torch.randn(1, TOKENS, DIM, device=device)
    ours = layers(x)
    seconds = measure(ours | (compiled(ours) if options.compile else {}) | peers(x), options.rounds)
    print(table(f"One layer of width {DIM}, on the {device}", TOKENS, seconds))
    if device == "cuda" and "five memories, compiled" in seconds and "peer, every 64 tokens" in seconds:
        times = seconds["peer, every 64 tokens"] / seconds["five memories, compiled"]
        print(f"  goal: {GOAL} times the peer's speed; found: {times:.2f}")
    else:
        print(f"  goal on a GPU: {GOAL} times the peer's speed; not run: it needs CUDA, --compile and titans-pytorch.")
    keep("bench_layer", {"threads": options.threads, "median_seconds": seconds})


if __name__ == "__main__":
    main()
