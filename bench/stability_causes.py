"""Why NaN: the causes, one at a time, each with its guard off and on.

A small layer of self-modifying memories stands here in the open: three residual MLPs make the key, the value and the
answer, and each of them learns its own answer to the value. All guards are arguments of it, and everything that a curve
does not vary stands at the layer's defaults.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from matplotlib.axes import Axes
from torch import Tensor

from nlcore.layers.memory_group import unit
from nlcore.memory import ResidualMLP, Weights
from nlcore.ops.delta_rule import delta_rule_chunked, share_budget
from nlcore.viz.theme import COLOURS, DASHES, REFERENCE, tidy

WIDTH, HIDDEN, SEEDS, FIRST = 16, 16, 4, 64
TEXTS = ("random tokens", "one token")
MLP = ResidualMLP(WIDTH, HIDDEN)
SHARE = torch.tensor([0.1, 0.1, 1.0], dtype=torch.float64)
"""Of the rate, for the memories of key, value and answer."""


@dataclass(frozen=True)
class Guards:
    """What stands between the layer and NaN; all on by default."""

    unit_values: bool = True
    step: str = "budget"
    """"explicit" takes a rate as it is, "proximal" divides it by 1 + eta |x|^2, "budget" shares it in the chunk, and
    "bent budget" gives the inner layer 1 / (1 + c) at most, c the squared norm of the outer matrix."""
    momentum_rate: bool = True
    """The rates are scaled by 1 - theta."""
    momentum_budget: bool = True
    """And the budget too."""
    pull_to_start: bool = True


@dataclass(frozen=True)
class Found:
    """Of every rate (or retention, or decay), text and random start."""

    norms: Tensor
    """(writes, rates, TEXTS, SEEDS) the answering memory's norm after each chunk."""
    gradient: Tensor
    """(rates, TEXTS, SEEDS) of the last answer, at length one and along a fixed direction: the largest over the first 64 tokens."""


def run(
    eta: Tensor, alpha: Tensor, chunk: int, tokens: int, guards: Guards, theta: Tensor | None = None, scale: Tensor | None = None
) -> Found:
    """The small layer on random tokens and on one token. eta, alpha, theta, and the starts' scale: (rates,), each."""
    batch = (len(eta), len(TEXTS), SEEDS)
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(1, 1, SEEDS, tokens, WIDTH, generator=draw, dtype=torch.float64).repeat(len(eta), 2, 1, 1, 1)
    x[:, 1] = x[:, 1, :, :1]
    x = unit(x).requires_grad_()
    scale = (torch.ones(len(eta)) if scale is None else scale).double().view(-1, 1, 1, 1, 1, 1)
    starts = [
        scale * std * torch.randn(SEEDS, 3, *shape, generator=draw, dtype=torch.float64)
        for std, shape in zip((1.5 / (WIDTH * HIDDEN) ** 0.5, 1.0), MLP.shapes())
    ]
    weights, momenta, norms = starts, None if theta is None else [0 * w for w in starts], []
    rates = [None if rate is None else rate.double()[:, None, None, None].expand(*batch, 3) for rate in (eta, alpha, theta)]
    for at in range(0, tokens, chunk):
        weights, momenta = _write(starts, weights, momenta, x[..., at : at + chunk, :], *rates, guards)
        norms.append(sum(w[..., 2, :, :].square().sum((-1, -2)) for w in weights).sqrt().detach())
    answer = MLP.read(weights, x[..., None, -1:, :])[..., 2, 0, :]
    (found,) = torch.autograd.grad((unit(answer) * torch.ones(WIDTH)).sum() / WIDTH**0.5, x)
    return Found(torch.stack(norms), found[..., :FIRST, :].norm(dim=-1).amax(-1))


def _write(
    starts: Weights,
    opened: Weights,
    momenta: Weights | None,
    u: Tensor,
    eta: Tensor,
    alpha: Tensor,
    theta: Tensor | None,
    guards: Guards,
) -> tuple[Weights, Weights | None]:
    """One chunk of inputs (..., C, d), everything at the weights that it began with."""
    bounded = unit if guards.unit_values else lambda answer: answer
    made = MLP.read(opened, u[..., None, :, :])
    k, v = unit(made[..., :1, :, :]), bounded(made[..., 1:2, :, :])
    values = bounded(MLP.read(opened, v))
    echoes = torch.ones_like(eta) if theta is None else 1 - theta
    eta = eta * (echoes if guards.momentum_rate else 1.0)
    budget = 0.5 * (echoes if guards.momentum_budget else torch.ones_like(echoes))
    log_alpha = alpha.log()[..., None].expand(*alpha.shape, u.shape[-2])
    after = []
    for index, layer in enumerate(MLP.gradients(opened, k, lambda answer: answer - values)):
        whole = budget
        if (index, guards.step) == (1, "bent budget"):
            outer = torch.linalg.matrix_norm(opened[0].detach(), 2).square()
            whole = torch.minimum(budget, 2 * budget / (1 + outer))
        rates = _step(guards.step, layer.x @ layer.x.mT, eta, whole) * SHARE[:, None]
        given = layer.x.expand(*rates.shape, -1), layer.delta, rates, log_alpha, opened[index].expand(*eta.shape, -1, -1)
        pushed = None if theta is None else momenta[index].expand(*eta.shape, -1, -1)
        start = starts[index].expand(*eta.shape, -1, -1) if guards.pull_to_start else None
        after.append(delta_rule_chunked(*given, pushed, theta, start)[1:])
    weights, momenta = zip(*after)
    return weights, None if theta is None else momenta


def _step(kind: str, overlap: Tensor, eta: Tensor, budget: Tensor) -> Tensor:
    """Rates (..., C) of one layer's write of a chunk whose inputs overlap as (..., C, C) says."""
    eta = eta[..., None].expand(*eta.shape, overlap.shape[-1])
    if "budget" in kind:
        return share_budget(overlap, eta, budget[..., None])
    return eta / (1 + eta * overlap.diagonal(dim1=-2, dim2=-1)) if kind == "proximal" else eta


@dataclass(frozen=True)
class Curve:
    """One setting over a range, with its guard off or on."""

    name: str
    x: list[float]
    gradient: list[float | None]
    """The largest over texts and starts; None if it is not finite."""
    norm: list[float | None]
    """Of the answering memory in the end, mean over starts and texts; None if it is not finite."""


def _curve(name: str, x: list[float], found: Found) -> Curve:
    return Curve(name, x, _finite(found.gradient.amax((1, 2))), _finite(found.norms[-1].mean((1, 2))))


def _finite(values: Tensor) -> list[float | None]:
    return [value if value == value and abs(value) < float("inf") else None for value in values.tolist()]


def values(tokens: int) -> dict:
    """The answering memory's norm after each chunk of 16, values of any length against values of length one."""
    found = {}
    for name, guards in (("values as they come", Guards(unit_values=False)), ("values of length one", Guards())):
        norms = run(torch.tensor([0.05, 0.5]), torch.ones(2), 16, tokens, guards).norms
        ends = (norms.isfinite().cumprod(0).sum(0) * 16).flatten(1)
        found[name] = {
            "norm": _finite(norms[:, 1].amax((1, 2))),
            "finite for, at rate 0.05 and at 0.5": [[int(row.min()), int(row.max())] for row in ends],
        }
    return found


def sums(tokens: int) -> list[Curve]:
    """The gradient against eta summed over a chunk, by the chunk's length, without the budget and with it."""
    found = []
    for chunk in (1, 4, 16, 64):
        summed = [s for s in (0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 32.0) if s <= chunk / 2]
        for step in ("explicit", "budget"):
            here = run(torch.tensor(summed) / chunk, torch.ones(len(summed)), chunk, _length(tokens, chunk), Guards(step=step))
            found.append(_curve(f"C = {chunk}, {step}", summed, here))
    return found


def steps(tokens: int) -> list[Curve]:
    """The gradient against the scale of the starts, which makes the inner keys long, by the step."""
    found, scales = [], [0.5, 1.0, 2.0, 4.0]
    for chunk in (1, 16):
        for step in ("explicit", "proximal", "budget", "bent budget"):
            given = torch.full((len(scales),), 0.5), torch.ones(len(scales)), chunk, _length(tokens, chunk), Guards(step=step)
            found.append(_curve(f"C = {chunk}, {step}", scales, run(*given, scale=torch.tensor(scales))))
    return found


def _length(tokens: int, chunk: int) -> int:
    return tokens if chunk > 1 else tokens // 4  # a token of a chunk of its own costs many times as much


def momenta(tokens: int) -> list[Curve]:
    """The gradient against momentum's decay, with neither rates nor budget scaled by 1 - theta, with one, with both."""
    thetas, found = [0.12, 0.5, 0.9, 0.99], []
    full = torch.full((len(thetas),), 0.5), torch.ones(len(thetas))
    for name, rate, budget in (("neither", False, False), ("rates", True, False), ("budget", False, True), ("both", True, True)):
        guards = Guards(momentum_rate=rate, momentum_budget=budget)
        found.append(_curve(name, thetas, run(*full, 16, tokens, guards, torch.tensor(thetas))))
    return found


def retentions(tokens: int) -> dict:
    """The answering memory's norm after each chunk of 64 at alpha 0.98, and the last answer's gradient."""
    found = {}
    for name, pull in (("decay, as printed", False), ("pull to the start", True)):
        here = run(torch.tensor([0.25]), torch.tensor([0.98]), 64, tokens, Guards(pull_to_start=pull))
        found[name] = {"norm": here.norms[:, 0].mean((1, 2)).tolist(), "gradient": here.gradient.max().item()}
    return found


def worst_keys(sums: list[float], forget: bool, cap: float, chunk: int) -> list[float]:
    """The largest `||P||` found for a linear memory by ascent on a chunk's keys, rates up to `cap`, and retentions.

    P is what a chunk makes of the state before it; `sums` are the largest eigenvalues of sum eta x x^T. With `forget`
    retentions are sought too, else they are 1.
    """
    draw = torch.Generator().manual_seed(0)
    shape = (len(sums), 16, chunk)
    k, r, a = (torch.randn(*shape, *more, generator=draw, dtype=torch.float64) for more in ((3,), (), ()))
    for tensor in (k, r, a):
        tensor.requires_grad_()
    optimizer, best = torch.optim.Adam([k, r, a], lr=0.05), torch.zeros(len(sums))
    for _ in range(300):
        key, eta, alpha = unit(k), r.exp(), torch.sigmoid(5 * a) if forget else torch.ones_like(a)
        largest = torch.linalg.eigvalsh(key.mT @ (eta[..., None] * key))[..., -1]
        eta = eta * (torch.tensor(sums)[:, None] / largest)[..., None]
        after = torch.eye(3, dtype=torch.float64).expand(*shape[:2], 3, 3)
        for t in range(chunk):
            write = eta[..., t, None, None] * key[..., t, :, None] * key[..., t, None, :]
            after = alpha[..., t, None, None] * after - after @ write - write
        norm, over = torch.linalg.matrix_norm(after, 2), (eta - cap).clamp(min=0).sum(-1)
        best = torch.maximum(best, torch.where(over < 1e-3, norm, 0).detach().amax(1))
        optimizer.zero_grad()
        (50 * over - norm).sum().backward()
        optimizer.step()
    return best.tolist()


BOUNDARIES = [0.1, 0.25, 0.5, 0.6, 0.75, 1.0, 1.25, 1.5, 2.0, 3.0]


def measure(tokens: int = 512) -> dict:
    """All of it, in numbers; each part is printed as it is found."""
    parts = {"values": values, "sums": sums, "steps": steps, "momenta": momenta, "retentions": retentions}
    found = {}
    for name, part in parts.items():
        here = part(tokens)
        found[name] = [asdict(curve) for curve in here] if isinstance(here, list) else here
        print(name, found[name], flush=True)
    worst = {"rates up to 1/2": (0.5, 12), "any rates": (torch.inf, 5)}
    found["worst keys"] = {
        f"{name}, {'any retention' if forget else 'nothing forgotten'}": worst_keys(BOUNDARIES, forget, *within)
        for forget in (False, True) for name, within in worst.items()
    }  # fmt: skip
    print("worst keys", found["worst keys"], flush=True)
    return found


def draw(found: dict, path: Path) -> None:
    """Six plots; a cross on the upper edge is a NaN."""
    figure, axes = plt.subplots(2, 3, figsize=(14, 8), layout="constrained")
    (a, b, c), (d, e, f) = axes
    _over_tokens(a, {name: one["norm"] for name, one in found["values"].items()}, 16)
    tidy(a, "1 Values of any length", "tokens read", "norm of the memory")
    for chunk, colour in zip((1, 4, 16, 64), COLOURS):
        both = {one["name"]: one for one in found["sums"] if one["name"].startswith(f"C = {chunk},")}
        for (name, one), dash in zip(both.items(), ("solid", "dashed")):
            _against(b, name.replace("explicit", "no budget"), one["x"], one["gradient"], colour, dash)
    tidy(b, "2 Many tokens, one key", "rates summed over a chunk of C", GRADIENT)
    for edge in (0.5, 1.0):
        b.axvline(edge, color=REFERENCE.line()["color"], linewidth=0.8)
    for axis, part, title, label in (
        (c, [one for one in found["steps"] if one["name"].startswith("C = 16")], "3 Long keys, C = 16", "scale of the starts"),
        (d, [one for one in found["momenta"] if one["name"] != "budget"], "4 Momentum, C = 16", "theta"),
    ):
        for one, colour, dash in zip(part, COLOURS, DASHES):
            _against(axis, one["name"].removeprefix("C = 16, ").replace("bent budget", "budget of theorem 5"), one["x"], one["gradient"], colour, dash)
        tidy(axis, title, label, GRADIENT)
    c.set_xticks([0.5, 1, 2, 4], ["0.5", "1", "2", "4"])
    c.minorticks_off()
    d.set_xscale("linear")
    _over_tokens(e, {name: one["norm"] for name, one in found["retentions"].items()}, 64)
    tidy(e, "5 Retention 0.98", "tokens read", "norm of the memory")
    for (name, norms), colour, dash in zip(found["worst keys"].items(), COLOURS, DASHES):
        f.plot(BOUNDARIES, norms, color=colour, linestyle=dash, label=name)
    f.axhline(1, color=REFERENCE.line()["color"], linewidth=0.8)
    f.set_ylim(0.8, 4)
    tidy(f, "A linear memory's worst keys", "largest eigenvalue of the chunk's writes", "factor a chunk")
    for axis in axes.flat:
        axis.legend(fontsize=8)
    figure.savefig(path, dpi=120)


GRADIENT = "gradient into the first 64 tokens"


def _over_tokens(axis: Axes, lines: dict[str, list[float | None]], chunk: int) -> None:
    for (name, norms), colour, dash in zip(lines.items(), COLOURS[1::-1], ("solid", "dashed")):
        positions = [(i + 1) * chunk for i, norm in enumerate(norms) if norm is not None]
        axis.plot(positions, [norm for norm in norms if norm is not None], color=colour, linestyle=dash, label=name)
        if len(positions) < len(norms):
            axis.plot(positions[-1] + chunk, 0.97, "x", color=colour, transform=axis.get_xaxis_transform())
    axis.set_yscale("log")


def _against(axis: Axes, name: str, x: list[float], gradient: list[float | None], colour: str, dash: str) -> None:
    kept = [(at, value) for at, value in zip(x, gradient) if value is not None]
    axis.plot(*zip(*kept), color=colour, linestyle=dash, marker="o", markersize=3, label=name)
    for at, value in zip(x, gradient):
        if value is None:
            axis.plot(at, 0.97, "x", color=colour, transform=axis.get_xaxis_transform())
    axis.set_xscale("log")
    axis.set_yscale("log")
