"""Is a layer of self-modifying Titans stable, and what makes one diverge? Figures, figures/stability.png and why_nan.png.

    python bench/stability.py            # all four parts, about half an hour on one CPU core
    python bench/stability.py causes     # one of them

long: random tokens, 16,384 of them, go through one layer (dim 128, 4 heads, default settings), through the same layer
with retention set to 1, and with momentum of a small and of a large theta. Printed: the gradient of the last
output with respect to the first token, and of the mean square of all outputs; the
memories' norms; and the norm of each chunk's Jacobian, the derivative of the main
memory's state after a chunk with respect to its state before it, by power iteration.
causes: one guard after the other is taken away from a small layer (stability_causes.py).
hostile: repeated tokens, periods and runs, by width, chunks, starts and every choice of the class (stability_hostile.py).
trained: the same kinds of text for checkpoints/tiny-hope.

figures/stability.json keeps what each part found last.
"""

import argparse
import json
from pathlib import Path

import matplotlib.pyplot as plt
import stability_causes
import stability_hostile
import torch
from torch import Tensor

from nlcore import probe
from nlcore.layers.memory_group import Tokens
from nlcore.layers.open_chunk import Heard, OpenChunk
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
            chunk = state.open.split(size)[-1]
            found.append(_spectral_norm(titans, before.memory, chunk))
    return found


def _spectral_norm(titans: SelfModifyingTitans, state: State, chunk: Tokens) -> float:
    """Largest singular value of (memory, momentum) -> the same after the chunk, by 30 power iterations."""

    def write(*parts: Tensor) -> tuple[Tensor, ...]:
        given = State(state.start, parts[:2], parts[2:])
        opened = OpenChunk([titans.memory], [given], heard, budget, titans.learning)
        ((new, _),) = opened.close(report=False)
        return new.memory + new.momentum

    budget, heard = titans.budget(chunk.k.dtype), Heard.of(chunk, titans.decay(chunk.k.dtype))

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


def long(tokens: int) -> dict[str, dict]:
    """Every case of CASES over so many random tokens; printed, and drawn."""
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
    draw(results, FIGURES / "stability.png")
    return results


def causes() -> dict:
    """Each of the guards off and on; printed, and drawn."""
    found = stability_causes.measure()
    stability_causes.draw(found, FIGURES / "why_nan.png")
    return found


def hostile() -> dict:
    """Every text, width and choice, and a search for worse ones; printed."""
    parts = ("scan", "settings", "search", "unguarded")
    return {name: getattr(stability_hostile, name)() for name in parts}


def trained() -> dict:
    found = stability_hostile.trained()
    for kind, (first, every) in found.items():
        print(f"{kind}: {first:.2g} into the first 64 bytes, {every:.2g} at most")
    return found


def main() -> None:
    parts = {"long": lambda: long(given.tokens), "causes": causes, "hostile": hostile, "trained": trained}
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", nargs="?", choices=parts, help="one part; all if none is named")
    parser.add_argument("--tokens", type=int, default=16_384, help="length of the long sequence (16384)")
    given = parser.parse_args()
    torch.set_num_threads(1)
    path = FIGURES / "stability.json"
    for name in [given.part] if given.part else parts:
        found = parts[name]()
        kept = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps(kept | {name: found}))


if __name__ == "__main__":
    main()
