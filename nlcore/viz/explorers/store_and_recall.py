"""How many pairs a memory holds: recall error against the number of pairs, for each rule.

Training the MLP memories takes minutes, so the explorer shows a table made before, for every
setting of its controls. `python -m nlcore.viz.explorers.store_and_recall` makes it again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from nlcore.memory import (
    L2,
    AssociativeMemory,
    Decay,
    DeepMLP,
    DotProduct,
    GradientDescent,
    Linear,
    Oja,
    Rates,
    State,
    ridge,
)
from nlcore.viz.chart import Chart, Explorer, Heat, Line, Plot
from nlcore.viz.controls import choice, stops
from nlcore.viz.theme import Look, looks

WIDTHS = (16, 32, 64, 128)
LOADS = (0.125, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0)
"""Pairs stored, per number in a key."""
COSINES = {"orthonormal": None, "random": 0.0, "alike (cosine 0.3)": 0.3, "very alike (cosine 0.6)": 0.6}
"""Kind of keys -> cosine between any two of them, on average."""
PASSES = 30
RULES = ("Hebbian", "Oja", "delta", "ridge", "MLP, 1 pass", f"MLP, {PASSES} passes")
LOOKS, HERE = looks(RULES), Look("#000000", "solid", "D")
SHOWN = 16
TABLE = Path(__file__).parents[1] / "static" / "store_and_recall.npz"
WORST = 1.5


def streams(width: int) -> int:
    """Memories averaged over: more of the small ones, which vary more and cost less."""
    return 128 // width


def draw_pairs(width: int, keys: str) -> tuple[Tensor, Tensor]:
    """Twice `width` keys and values, (T, streams, width), of length one; the same at every call.

    Orthonormal keys are: the first `width` of them, and the next. Keys alike share a direction.
    """
    draw = torch.Generator().manual_seed(width)
    k, v, shared = (torch.randn(n, streams(width), width, generator=draw) for n in (2 * width, 2 * width, 1))
    k, v, cosine = normalize(k, dim=-1), normalize(v, dim=-1), COSINES[keys]
    if cosine is None:
        halves = k.unflatten(0, (2, width)).transpose(1, 2)
        return torch.linalg.qr(halves.double()).Q.float().transpose(1, 2).flatten(0, 1), v
    return normalize(cosine**0.5 * normalize(shared, dim=-1) + (1 - cosine) ** 0.5 * k, dim=-1), v


def linear(width: int, rule: str) -> tuple[AssociativeMemory, State, Rates]:
    """A matrix memory that starts at zero and writes with full strength."""
    choices = {
        "Hebbian": (DotProduct(), GradientDescent()), "Oja": (DotProduct(), Oja()), "delta": (L2(), GradientDescent())
    }  # fmt: skip
    memory = AssociativeMemory(Linear(width, width), *choices[rule], Decay())
    one = torch.ones(streams(width))
    return memory, memory.start((streams(width),)), Rates(one, one)


def mlp(width: int) -> tuple[AssociativeMemory, State, Rates]:
    """A memory of two layers, four times as wide inside, that answers zero at first."""
    memory = AssociativeMemory(DeepMLP((width, 4 * width, width)), L2(), GradientDescent(), Decay())
    outer, inner = memory.architecture.shapes()
    weights = torch.zeros(outer), torch.randn(inner, generator=torch.Generator().manual_seed(0))
    one = torch.ones(streams(width))
    return memory, memory.start((streams(width),), weights), Rates(1.5 / (4 * width) * one, one)


def answers(width: int, keys: str, rule: str) -> Iterator[Tensor]:
    """For each load, the answers to the pairs stored: (pairs, streams, width)."""
    k, v = draw_pairs(width, keys)
    counts = [round(load * width) for load in LOADS]
    if rule == "ridge":
        for n in counts:
            w = ridge(k[:n].transpose(0, 1).double(), v[:n].transpose(0, 1).double()).float()
            yield (w @ k[:n, ..., None]).squeeze(-1)
    elif rule.startswith("MLP"):
        for n in counts:
            memory, state, rates = mlp(width)
            for t in range(n * (PASSES if rule == RULES[-1] else 1)):
                state, _ = memory.write(state, k[t % n], v[t % n], rates)
            yield memory.architecture.read(state.memory, k[:n].transpose(0, 1)).transpose(0, 1)
    else:
        memory, state, rates = linear(width, rule)
        for t in range(counts[-1]):
            state, _ = memory.write(state, k[t], v[t], rates)
            if t + 1 in counts:
                yield (state.memory[0] @ k[: t + 1, ..., None]).squeeze(-1)


def measure(width: int, keys: str, rule: str) -> tuple[np.ndarray, np.ndarray]:
    """Recall error at each load, (LOADS,), and crosstalk, (LOADS, SHOWN, SHOWN), of pairs evenly spread.

    The error is `||M(k) - v||^2` for values of length one, mean over pairs and streams: 0 is exact,
    1 is what silence costs. Crosstalk is `v_i . M(k_j)`, off the diagonal less the `v_i . v_j` that the
    right answer has too: the unit matrix if all is exact.
    """
    _, v = draw_pairs(width, keys)
    errors, shown = [], np.full((len(LOADS), SHOWN, SHOWN), np.nan, dtype=np.float32)
    for table, answer in zip(shown, answers(width, keys, rule)):
        n = len(answer)
        errors.append((answer - v[:n]).square().sum(-1).mean().item())
        some = torch.linspace(0, n - 1, min(n, SHOWN)).round().long()
        table[: len(some), : len(some)] = v[some, 0] @ (answer - v[:n])[some, 0].mT + torch.eye(len(some))
    return np.array(errors, dtype=np.float32), shown


@dataclass(frozen=True)
class Recall:
    """What each rule recalls at one width and kind of keys."""

    pairs: np.ndarray
    """(LOADS,) pairs stored."""
    errors: dict[str, np.ndarray]
    """Rule -> (LOADS,) recall error; 0 is exact, 1 is silence."""
    rule: str
    at: int
    """Which load is looked at."""
    matrix: np.ndarray
    """Crosstalk between some of the pairs stored at that load, under `rule`: see `measure`."""


@cache
def table() -> dict[str, np.ndarray]:
    """The stored table: `errors` and `shown`, over widths, kinds of keys, rules and loads."""
    with np.load(TABLE) as stored:
        return {"errors": stored["errors"], "shown": stored["shown"].astype(np.float32) / 127}


def compute(rule: str, load: float, width: int, keys: str) -> Recall:
    """Looks a setting up. Raises ValueError for one that the table does not have."""
    try:
        place = WIDTHS.index(width), tuple(COSINES).index(keys)
        row, at = RULES.index(rule), LOADS.index(load)
    except ValueError as error:
        raise ValueError(f"{error}: choose a width, keys, rule and load that the controls offer") from None
    errors = dict(zip(RULES, table()["errors"][place]))
    pairs = np.array([round(load * width) for load in LOADS])
    size = min(pairs[at], SHOWN)
    return Recall(pairs, errors, rule, at, table()["shown"][place][row, at, :size, :size])


def chart(found: Recall) -> Chart:
    """Error against pairs for every rule, with the chosen one marked, and its crosstalk."""
    n, error = found.pairs[found.at], found.errors[found.rule][found.at]
    lines = tuple(
        Line(rule, found.pairs, y, LOOKS[rule], "both", strong=rule == found.rule) for rule, y in found.errors.items()
    )
    here = Line("looked at", found.pairs[[found.at]], np.array([error]), HERE, "points", size=11)
    each = "all" if n <= SHOWN else f"{SHOWN} of"
    return (
        Plot(
            f"{found.rule}: {n} pairs, error {error:.2f}", "pairs stored", "recall error (0 exact, 1 silence)",
            (*lines, here), y_range=(-0.03, WORST), references={1.0: "silence"}, width=1.35,
        ),
        Plot(
            f"Its answers, {each} {n} pairs", "key asked, oldest first", "value heard",
            heat=Heat(found.matrix, "share of the value", range=(-1, 1), ramp="diverging"), x_ticks={}, y_ticks={}, square=True,
        ),
    )  # fmt: skip


def store_and_recall() -> Explorer[Recall]:
    """The explorer: recall error by number of pairs, with the rule, the load, the width and the keys to choose."""
    loads = [(f"{load:g} × width", load) for load in LOADS]
    return Explorer(
        compute,
        {
            "rule": choice("Memory looked at", "delta", RULES),
            "load": stops("Pairs stored", 1.0, loads),
            "width": stops("Width (numbers in a key)", 32, WIDTHS),
            "keys": choice("Keys", "random", tuple(COSINES)),
        },
        chart,
        alt="Recall error grows with the number of pairs stored. At width 32 with random keys the Hebbian error "
        "reaches 1 at about 32 pairs, the delta rule's at about 64; ridge is exact up to 32 pairs, and the MLP "
        "with 30 passes is nearly exact up to 64. Beside it the delta rule's answers: the newest hold their "
        "own value alone, the oldest hold little of it and much of others.",
        try_this="Choose orthonormal keys, then add pairs: which rules are exact, and until when? Then make the keys "
        "alike, and look at the matrix of the Hebbian rule.",
        name="store_and_recall",
    )


def main() -> None:
    """Measures every setting and writes the table."""
    found = [[[measure(width, keys, rule) for rule in RULES] for keys in COSINES] for width in WIDTHS]
    errors = np.array([[[e for e, _ in rules] for rules in kinds] for kinds in found])
    shown = np.array([[[s for _, s in rules] for rules in kinds] for kinds in found])
    steps = (np.nan_to_num(shown).clip(-1, 1) * 127).round().astype(np.int8)
    np.savez_compressed(TABLE, errors=errors, shown=steps)
    print(f"wrote {TABLE.name}: {errors.size} errors, {TABLE.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
