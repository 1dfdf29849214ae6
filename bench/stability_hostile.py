"""Which texts does a layer of self-modifying Titans bear worst? Periods, runs, starts, widths, chunks, and every choice of the class.

The gradient is that of the last output's squared length at one token, the largest over the first 64 tokens and over all,
over texts and over a layer's heads. Rates are the largest that can be learnt, and nothing is forgotten. `scale` multiplies
the memories' starts: training makes such layers, since a trained model's outer matrices are up to five times longer.
"""

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from nlcore.layers.family import matrix
from nlcore.layers.learning import given, soft_answer
from nlcore.layers.self_modifying import SelfModifyingTitans
from nlcore.memory import Decay, DotProduct, GradientDescent, KeepAll, ResidualMLP
from nlcore.train import load

FIRST = 64
SHELF = Path(__file__).resolve().parent.parent / "checkpoints"
WIDTHS = {8: (32, 4, 8), 32: (64, 2, 32), 64: (64, 1, 64)}
"""Width of a head -> dim, heads, hidden."""
KINDS = ("random", *(f"period {p}" for p in range(1, 9)), "runs of 8", "runs of 64")
PLAN = (
    *((8, chunks, scale, 3, 512) for chunks in ((4, 4), (16, 64), (64, 64)) for scale in (1.0, 2.0, 4.0)),
    *((32, chunks, scale, 2, 512) for chunks in ((4, 4), (16, 64), (64, 64)) for scale in (1.0, 2.0, 4.0)),
    *((64, chunks, scale, 1, 512) for chunks in ((16, 64), (64, 64)) for scale in (1.0, 4.0)),
    *((8, (1, 1), scale, 2, 192) for scale in (1.0, 4.0)),
    *((32, (1, 1), scale, 1, 192) for scale in (1.0, 4.0)),
)
"""Width, chunks, scale of the starts, random layers, tokens."""
LINEAR, DOT, DESCENT = {"architecture": matrix}, {"objective": DotProduct()}, {"rule": GradientDescent()}
SOFT = {"learns": soft_answer}
SETTINGS = {
    "default": {},
    "L2, gradient descent": DESCENT,
    "dot product": DOT,
    "dot product, gradient descent": DOT | DESCENT,
    "linear": LINEAR,
    "linear, L2, gradient descent": LINEAR | DESCENT,
    "linear, dot product": LINEAR | DOT,
    "linear, dot product, gradient descent": LINEAR | DOT | DESCENT,
    "linear, dot product, read after": LINEAR | DOT | {"reads": "after"},
    "linear, soft answer": LINEAR | SOFT,
    "linear, L2, gradient descent, soft answer": LINEAR | DESCENT | SOFT,
    "linear, dot product, eta up to 1": LINEAR | DOT | {"eta_max": 1.0},
    "linear, dot product, soft answer, eta up to 1": LINEAR | DOT | SOFT | {"eta_max": 1.0},
    "linear, dot product, soft answer": LINEAR | DOT | SOFT,
    "linear, dot product, gradient descent, soft answer": LINEAR | DOT | DESCENT | SOFT,
    "linear, dot product, gradient descent, values given": LINEAR | DOT | DESCENT | {"learns": given},
    "the same, nothing adapts": LINEAR | DOT | DESCENT | {"learns": given, "adaptive": ()},
    "linear, dot product, read after, soft answer": LINEAR | DOT | SOFT | {"reads": "after"},
    "decay": {"retention": Decay()},
    "nothing forgotten": {"retention": KeepAll()},
    "soft answer": SOFT,
    "L2, gradient descent, soft answer": DESCENT | SOFT,
    "values given": {"learns": given},
    "read before": {"reads": "before"},
    "read after": {"reads": "after"},
    "six memories": {"adaptive": ("k", "v", "q", "eta", "alpha")},
    "key alone adapts": {"adaptive": ("k",)},
    "nothing adapts": {"adaptive": ()},
    "narrow rates": {"narrow_rates": True},
    "momentum, theta 0.12": {"momentum": True},
    "momentum, theta 0.99": {"momentum": True, "theta": 5.0},
    "share 1": {"projections_share": 1.0},
}
"""Every choice of the class; theta is what momentum's decay is filled with, before the sigmoid."""
FEW = ("random", "period 1", "period 2", "period 5", "runs of 64")


def texts(kind: str, count: int, tokens: int, dim: int) -> Tensor:
    """`count` texts of a kind, (count, tokens, dim): random tokens, in turn or in runs."""
    draw = torch.Generator().manual_seed(0)
    if kind == "random":
        return torch.randn(count, tokens, dim, generator=draw)
    number = int(kind.split()[-1])
    if kind.startswith("period"):
        return torch.randn(count, number, dim, generator=draw).repeat(1, tokens // number + 1, 1)[:, :tokens]
    runs = torch.randn(count, 3, dim, generator=draw).repeat_interleave(number, 1)
    return runs.repeat(1, tokens // (3 * number) + 1, 1)[:, :tokens]


def layer(
    width: int, chunks: tuple[int, int], scale: float, seed: int, theta: float | None = None, **settings
) -> SelfModifyingTitans:
    """A random layer at the largest rates, its memories' starts multiplied by `scale`."""
    torch.manual_seed(seed)
    made = SelfModifyingTitans(*WIDTHS[width], chunks, **settings)
    with torch.no_grad():
        for filled, value in ((made.bias_eta, 10.0), (made.bias_alpha, 20.0), (made.theta, theta)):
            if filled is not None and value is not None:
                filled.fill_(value)
        for group in filter(None, (made.projections, made.rate_memories, made.memory)):
            for start in group.parameters():
                start *= scale
    return made


def gradients(titans: SelfModifyingTitans, x: Tensor) -> Tensor:
    """The gradient's norm at each token, (texts, tokens)."""
    x = x.clone().requires_grad_()
    (found,) = torch.autograd.grad(titans(x)[0][:, -1].square().sum(), x)
    return found.norm(dim=-1)


def _largest(norms: Tensor, kinds: tuple[str, ...]) -> dict[str, list[float]]:
    """Kind -> the largest over the first 64 tokens, and over all, to two digits; nan if any is not finite."""
    by_kind = norms.view(len(kinds), -1, norms.shape[-1]).amax(1)
    return {kind: [float(f"{row[:FIRST].max():.2g}"), float(f"{row.max():.2g}")] for kind, row in zip(kinds, by_kind)}


def scan() -> list[dict]:
    """Kinds of text, by width, chunks and the scale of the starts, for the default layer."""
    rows = []
    for width, chunks, scale, seeds, tokens in PLAN:
        x = torch.cat([texts(kind, 3, tokens, WIDTHS[width][0]) for kind in KINDS])
        for seed in range(seeds):
            about = {"width": width, "chunks": list(chunks), "scale": scale, "seed": seed, "tokens": tokens}
            rows.append(about | {"found": _largest(gradients(layer(width, chunks, scale, seed), x), KINDS)})
            print(rows[-1], flush=True)
    return rows


def settings() -> list[dict]:
    """Every choice of the class: heads of width 8, chunks of 4, 256 tokens."""
    rows, x = [], torch.cat([texts(kind, 3, 256, WIDTHS[8][0]) for kind in FEW])
    for name, given_ in SETTINGS.items():
        for scale in (1.0, 4.0):
            rows.append({"setting": name, "scale": scale, "found": _largest(gradients(layer(8, (4, 4), scale, 0, **given_), x), FEW)})
            print(rows[-1], flush=True)
    return rows


def unguarded() -> list[dict]:
    """Three of the worst cases of a layer that gives its inner layers a half, and one of a layer without any budget; and as they are."""
    rows, guarded = [], ResidualMLP.curvatures
    for chunks, seed, kind, tokens in (((1, 1), 1, "period 1", 192), ((1, 1), 0, "period 2", 192), ((4, 4), 2, "period 2", 512)):
        x = texts(kind, 3, tokens, WIDTHS[8][0])
        for name, used in (("half", lambda self, weights: [w.new_ones(w.shape[:-2]) for w in weights]), ("theorem 5", guarded)):
            ResidualMLP.curvatures = used
            found = _largest(gradients(layer(8, chunks, 4.0, seed), x), (kind,))
            rows.append({"chunks": list(chunks), "seed": seed, "budget": name, "found": found})
            print(rows[-1], flush=True)
    x = texts("period 2", 3, 256, WIDTHS[8][0])
    for budget, adapts in (("none", False), ("shared", True)):  # memories that make keys, of given values: as if nothing adapted
        titans = layer(8, (4, 4), 1.0, 0, **SETTINGS["linear, dot product, gradient descent, values given"])
        titans.learning = replace(titans.learning, adapts=adapts)
        rows.append({"chunks": [4, 4], "seed": 0, "budget": budget, "found": _largest(gradients(titans, x), ("period 2",))})
        print(rows[-1], flush=True)
    return rows


SOUGHT = ("default", *(f"linear{pair}{value}" for pair in ("", ", dot product") for value in ("", ", soft answer")))
SOUGHT += ("linear, dot product, soft answer, eta up to 1",)
"""Of SETTINGS, those for which a worse text is sought."""


def search() -> dict[str, dict]:
    """By setting."""
    found = {}
    for name in SOUGHT:
        print(name)
        found[name] = worst_text(**SETTINGS[name])
    return found


def worst_text(rounds: int = 8, tokens: int = 256, **settings) -> dict:
    """A worse text than random draws find: periods 1 to 8, the best third of 24 kept and changed in every round.

    The best is then read for longer: where the gradient grows with the length, it grows without end.
    """
    dim, draw = WIDTHS[8][0], torch.Generator().manual_seed(0)
    titans, history = layer(8, (4, 4), 1.0, 0, **settings), []
    periods = [1 + i % 8 for i in range(24)]
    tokens_of = [torch.randn(p, dim, generator=draw) for p in periods]
    for _ in range(rounds):
        x = torch.stack([one.repeat(tokens // len(one) + 1, 1)[:tokens] for one in tokens_of])
        found = gradients(titans, x)[:, :FIRST].amax(-1)
        best = found.nan_to_num(torch.inf).argsort(descending=True)[:8].tolist()
        history.append({"gradient": float(f"{found[best[0]]:.3g}"), "period": len(tokens_of[best[0]])})
        print(history[-1], flush=True)
        kept = [tokens_of[i] for i in best]
        tokens_of = kept + [one + size * torch.randn(one.shape, generator=draw) for one in kept for size in (0.3, 0.1)]
    length = {
        longer: float(f"{gradients(titans, tokens_of[0].repeat(longer, 1)[None, :longer])[:, :FIRST].max():.3g}")
        for longer in (tokens, 2 * tokens, 4 * tokens)
    }
    print(length, flush=True)
    return {"rounds": history, "the best, by its length": length}


def trained(tokens: int = 1024) -> dict[str, list[float]]:
    """checkpoints/tiny-hope: the gradient of its likeliest last byte's log-probability at an embedding, as in `_largest`."""
    model, _ = load(SHELF / "tiny-hope")
    model.requires_grad_(False)
    draw, kept = torch.Generator().manual_seed(0), []
    periods = [torch.tensor([byte]) for byte in (0, 10, 32, 101)]
    periods += [torch.randint(32, 127, (p,), generator=draw) for p in (2, 2, 3, 3, 5, 5, 8, 8)]
    periods.append(torch.randint(32, 127, (4,), generator=draw).repeat_interleave(64))
    periods.append(torch.randint(0, 256, (tokens,), generator=draw))
    model.embedding.register_forward_hook(lambda module, given_, made: kept.append(made.requires_grad_()))
    logits = model(torch.stack([one.repeat(tokens // len(one) + 1)[:tokens] for one in periods])).logits
    (found,) = torch.autograd.grad(logits[:, -1].log_softmax(-1).amax(-1).sum(), kept[0])
    kinds = (*(f"one byte, {byte}" for byte in (0, 10, 32, 101)), *(f"period {p}, {i}" for p in (2, 3, 5, 8) for i in (1, 2)), "runs of 64", "random")
    return _largest(found.norm(dim=-1), kinds)
