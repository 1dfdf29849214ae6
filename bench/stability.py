"""Is a layer of self-modifying Titans stable over 16,384 tokens? Figures, and figures/stability.png.

    python bench/stability.py            # about five minutes on one CPU core

Random tokens go through one layer (dim 128, 4 heads, default settings), through the same layer
with retention set to 1, and with momentum of a small and of a large theta. Printed: the gradient of the last
output with respect to the first token, and of the mean square of all outputs; the
memories' norms; and the norm of each chunk's Jacobian, the derivative of the main
memory's state after a chunk with respect to its state before it, by power iteration.

Then one token repeats: in how many of 16 random layers, at the largest rates that can be
learnt, does the gradient of the last output exceed 100, for projections that are written with
the default's share of the budget and with all of it?
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from torch import Tensor

from nlcore import probe
from nlcore.layers.memory_group import Tokens
from nlcore.layers.open_chunk import OpenChunk
from nlcore.layers.self_modifying import SelfModifyingTitans
from nlcore.memory import State
from nlcore.viz.theme import looks, tidy

FIGURES = Path(__file__).resolve().parent.parent / "figures"
DIM, HEADS, HIDDEN = 128, 4, 32
CASES = {
    "default settings": {},
    "retention 1": {"bias_alpha": 20.0},
    "momentum, theta 0.12": {"theta": -2.0},
    "momentum, theta 0.99": {"theta": 5.0},
}
"""What a case fills the layer's parameters with, before the sigmoid; theta belongs to momentum."""


def layer(filled: dict[str, float]) -> SelfModifyingTitans:
    torch.manual_seed(0)
    made = SelfModifyingTitans(DIM, HEADS, HIDDEN, momentum="theta" in filled)
    for name, value in filled.items():
        torch.nn.init.constant_(getattr(made, name), value)
    return made


def gradients(titans: SelfModifyingTitans, x: Tensor) -> dict[str, float]:
    """Norm of the gradient at the first token, of two functions of the outputs."""
    x = x.clone().requires_grad_()
    y = titans(x)[0]
    assert y.isfinite().all()
    (last,) = torch.autograd.grad(y[:, -1].square().sum(), x, retain_graph=True)
    (mean,) = torch.autograd.grad(y.square().mean(), x)
    return {
        "last output, at the first token": last[0, 0].norm().item(),
        "last output, largest over tokens": last[0].norm(dim=-1).max().item(),
        "mean square of outputs, largest over tokens": mean[0].norm(dim=-1).max().item(),
    }


def norms(titans: SelfModifyingTitans, x: Tensor) -> dict[str, list[float]]:
    """Each memory's norm after each of its writes."""
    with torch.no_grad(), probe.listen():
        report = titans(x)[2]
    return {name.split("/")[1]: values.tolist() for name, values in report.items() if name.startswith("norm/")}


def jacobians(titans: SelfModifyingTitans, x: Tensor, every: int) -> list[float]:
    """Spectral norm of the main memory's Jacobian over every so many chunks."""
    size, found, state = titans.chunks[0], [], None
    for index, at in enumerate(range(0, x.shape[1], size)):
        with torch.no_grad():
            before = state
            _, state, _ = titans(x[:, at : at + size], state)
        if before is not None and index % every == 0 and state.open.k.shape[2] >= size:
            chunk = state.open.part(state.open.k.shape[2] - size, state.open.k.shape[2])
            found.append(_spectral_norm(titans, before.memory, chunk))
    return found


def _spectral_norm(titans: SelfModifyingTitans, state: State, chunk: Tokens) -> float:
    """Largest singular value of (memory, momentum) -> the same after the chunk, by 30 power iterations."""

    def write(*parts: Tensor) -> tuple[Tensor, ...]:
        given = State(state.start, parts[:2], parts[2:])
        opened = OpenChunk([titans.memory], [given], chunk, budget, titans.decay(chunk.k.dtype), titans.learning)
        ((new, _),) = opened.close(report=False)
        return new.memory + new.momentum

    budget = titans.budget(chunk.k.dtype)

    parts = tuple(p.detach() for p in state.memory + state.momentum)
    generator, norm = torch.Generator().manual_seed(0), torch.tensor(0.0)
    direction = tuple(torch.randn(p.shape, generator=generator) for p in parts)
    after, pull = torch.func.vjp(write, *parts)
    for _ in range(30):
        scale = torch.sqrt(sum(d.square().sum() for d in direction))
        direction = tuple(d / scale for d in direction)
        _, pushed = torch.func.jvp(write, parts, direction)
        direction = pull(pushed)
        norm = torch.sqrt(sum(p.square().sum() for p in pushed))
    return norm.item()


def repeated(sizes: tuple[int, int, int], chunk: int, share: float, tokens: int, starts: int = 16) -> list[float]:
    """The gradient of the last output, largest over the tokens, of random layers that read one token again and again."""
    found = []
    for seed in range(starts):
        torch.manual_seed(seed)
        titans = SelfModifyingTitans(*sizes, (chunk, chunk), projections_share=share).double()
        torch.nn.init.constant_(titans.bias_eta, 10.0)
        torch.nn.init.constant_(titans.bias_alpha, 20.0)
        x = torch.randn(1, 1, sizes[0], dtype=torch.float64).expand(1, tokens, -1).clone().requires_grad_()
        (last,) = torch.autograd.grad(titans(x)[0][:, -1].square().sum(), x)
        found.append(last[0].norm(dim=-1).max().item())
    return found


def print_repeated(tokens: int) -> None:
    print(f"One token, {tokens} times: layers of 16 with a gradient above 100, and the largest gradient")
    for sizes in ((DIM, HEADS, HIDDEN), (16, 2, 8)):
        for chunk in (4, 16, 64):
            for share in (0.1, 1.0):
                found = repeated(sizes, chunk, share, tokens)
                above = sum(not norm <= 100 for norm in found)
                print(f"  dim {sizes[0]:3}, chunks of {chunk:2}, share {share:.1f}: {above:2}, {max(found):.2g}")


def draw(results: dict[str, dict], path: Path) -> None:
    figure, axes = plt.subplots(1, 3, figsize=(13, 3.8), layout="constrained")
    for axis, (title, result) in zip(axes[:2], results.items()):
        look = looks(list(result["norms"]))
        for name, values in result["norms"].items():
            positions = [(i + 1) * result["tokens"] / len(values) for i in range(len(values))]
            axis.plot(positions, values, label=name, color=look[name].colour, linestyle=look[name].dash)
        tidy(axis, f"Memories, {title}", "tokens read", "norm of the weights")
        axis.set_ylim(bottom=0)
        axis.legend(title="memory", fontsize=8)
    # With momentum a chunk adds the momentum up, so that its Jacobian has a large norm, and another meaning.
    plain = {title: result for title, result in results.items() if "theta" not in CASES[title]}
    every = [norm for result in plain.values() for norm in result["jacobians"]]
    edges = torch.linspace(min(every), max(every), 31).tolist()
    for (title, result), look in zip(plain.items(), looks(list(plain)).values()):
        axes[2].hist(result["jacobians"], bins=edges, alpha=0.6, label=title, color=look.colour)
    tidy(axes[2], "Main memory's Jacobian over a chunk", "spectral norm", "chunks")
    axes[2].legend(fontsize=8)
    figure.savefig(path, dpi=120)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tokens", type=int, default=16_384, help="length of the sequence (16384)")
    tokens = parser.parse_args().tokens
    torch.set_num_threads(1)
    x = torch.randn(1, tokens, DIM, generator=torch.Generator().manual_seed(1))
    results = {}
    for title, filled in CASES.items():
        titans = layer(filled)
        found = jacobians(titans, x, every=max(1, tokens // 16 // 64))
        results[title] = {"tokens": tokens, "norms": norms(titans, x), "jacobians": found}
        print(f"{title}, {tokens} tokens")
        for what, value in gradients(titans, x).items():
            print(f"  gradient of {what}: {value:.3g}")
        print(f"  Jacobian norms of {len(found)} chunks: median {sorted(found)[len(found) // 2]:.3f}, largest {max(found):.3f}")
        for name, values in results[title]["norms"].items():
            print(f"  norm of {name}: {values[0]:.2f} at first, {min(values):.2f} to {max(values):.2f}, {values[-1]:.2f} at last")
    print_repeated(tokens // 16)
    draw(results, FIGURES / "stability.png")
    (FIGURES / "stability.json").write_text(json.dumps(results))


if __name__ == "__main__":
    main()
