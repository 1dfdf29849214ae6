"""Nicknames: what a text's own names do to a memory whose keys are fixed, and to one whose keys learn."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nlcore.layers.memory_group import unit
from nlcore.memory import L2, AssociativeMemory, DeltaGradientDescent, GradientDescent, Linear, PullToStart, Rates, Rule
from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.controls import choice, stops
from nlcore.viz.theme import GREYS, Look

WIDTH, TEXTS = 24, 24
RATES = (0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0, 1.125)
LOOKS = {"by name": Look(GREYS[0], "dashed", "s"), "by nickname": Look("#000000", "solid", "o")}


@dataclass(frozen=True)
class Step:
    """One of the chapter's steps from a plain memory to one that modifies itself."""

    adapts: bool
    """The memories of keys and of values learn too."""
    own: bool
    """Each memory learns the value that it makes itself, else the one that is given."""
    rule: Rule


STEPS = {
    "the memory alone (76)": Step(False, False, GradientDescent()),
    "keys and values too (79)": Step(True, False, GradientDescent()),
    "each its own value (83)": Step(True, True, GradientDescent()),
    "by Delta GD (88)": Step(True, True, DeltaGradientDescent()),
}


@dataclass(frozen=True)
class Texts:
    """Who is called what, and who is where; all words are random vectors of length one."""

    tokens: Tensor
    """(B, T, 2 d) who is spoken of, beside what is said of them."""
    names: Tensor
    """(B, n, d)."""
    words: Tensor
    """(B, 3 n, d) all words of a text: places, names, nicknames."""
    nicked: Tensor
    """(B, n) whose place was told under the nickname."""


def texts(people: int, seeds: range) -> Texts:
    """First each nickname with its name; then each person's place, of half of them under the nickname, in random order."""

    def one(seed: int) -> tuple[Tensor, ...]:
        draw = torch.Generator().manual_seed(seed)
        names, nicknames, places = F.normalize(torch.randn(3, people, WIDTH, generator=draw), dim=-1)
        nicked = torch.randperm(people, generator=draw) < people // 2
        said = torch.cat([torch.where(nicked[:, None], nicknames, names), places], 1)
        told = said[torch.randperm(people, generator=draw)]
        return torch.cat([torch.cat([nicknames, names], 1), told]), names, torch.cat([places, names, nicknames]), nicked

    return Texts(*map(torch.stack, zip(*map(one, seeds))))


def first_half(width: int) -> Tensor:
    """(2 d, 2 d) the matrix that leaves the first half of what it reads, and takes the second away."""
    return torch.block_diag(torch.eye(width), torch.zeros(width, width))


def second_half(width: int) -> Tensor:
    """(2 d, 2 d) the matrix that puts the second half of what it reads in the place of the first."""
    return first_half(width).roll(width, 1)


def read(tokens: Tensor, eta: Tensor, step: Step, chunk: int) -> Tensor:
    """The main memory after the tokens (B, T, 2 d), written at rates (B,): (B, 2 d, 2 d).

    Keys, values and gradients are taken at the states that the chunk began with (eq. 90).
    """
    width = tokens.shape[-1]
    memory = AssociativeMemory(Linear(width, width), L2(), step.rule, PullToStart())
    starts = {"k": first_half(width // 2), "v": second_half(width // 2), "memory": torch.eye(width)}
    states = {name: memory.start((len(tokens),), (start,)) for name, start in starts.items()}
    opened, rates = dict(states), Rates(eta, torch.ones_like(eta))
    for t, x in enumerate(tokens.unbind(1), 1):
        k, v = (unit(memory.read(opened[name], x)) for name in ("k", "v"))
        for name in states if step.adapts else ("memory",):
            value = unit(memory.read(opened[name], v)) if step.own else v
            states[name], _ = memory.write(states[name], k, value, rates, at=opened[name])
        if t % chunk == 0:
            opened = dict(states)
    return states["memory"].memory[0]


def found(given: Texts, step: Step, chunk: int, rates: tuple[float, ...] = RATES) -> Tensor:
    """(rates, B, n) whether the memory, asked for a name, answers with a vector nearest to that person's place."""
    batch = len(given.tokens)
    eta = torch.tensor(rates).repeat_interleave(batch)
    memory = read(given.tokens.repeat(len(rates), 1, 1), eta, step, chunk).unflatten(0, (len(rates), batch))
    answers = given.names @ memory[..., :WIDTH, :WIDTH].mT  # a query is a name alone, so half of the columns count
    nearest = (answers @ given.words.mT).argmax(-1)
    return nearest == torch.arange(given.names.shape[1])


@dataclass(frozen=True)
class Found:
    """Shares of all people, by rate."""

    shares: dict[str, np.ndarray]
    """Those told by name, and those told by nickname: (rates,) each."""
    best: int
    """The rate with the largest sum of both."""


@lru_cache
def compute(people: int, step: str, chunk: int) -> Found:
    """Whom the memory finds, at each rate.

    Raises ValueError for a step that there is not, for fewer than two people, and for a chunk below one.
    """
    if step not in STEPS or people < 2 or chunk < 1:
        raise ValueError(f"{step!r}, {people} people, chunks of {chunk}: take one of {', '.join(STEPS)}, two people and a token")
    given = texts(people, range(TEXTS))
    right = found(given, STEPS[step], chunk).float()
    parts = {"by name": ~given.nicked, "by nickname": given.nicked}
    shares = {name: (right * part).sum((1, 2)).numpy() / part.sum().item() for name, part in parts.items()}
    return Found(shares, int(sum(shares.values()).argmax()))


def chart(found: Found) -> Chart:
    """The share of people found, by the rate."""
    rates = np.array(RATES)
    lines = tuple(Line(f"told {name}", rates, share, LOOKS[name], strong=True, style="both") for name, share in found.shares.items())
    name, nickname = (share[found.best] for share in found.shares.values())
    title = f"At the best rate, {RATES[found.best]:g}: {name:.0%} by name, {nickname:.0%} by nickname"
    return (Plot(title, "rate η of all writes", "share of people found", lines, x_range=(0.2, 1.17), y_range=(-0.03, 1.05)),)


def nicknames() -> Explorer[Found]:
    """The explorer: what learns, how many people there are, and how long a chunk is."""
    return Explorer(
        compute,
        {
            "step": choice("Who learns", "the memory alone (76)", list(STEPS)),
            "people": stops("People in a text", 4, (2, 4, 6, 8, 12)),
            "chunk": stops("Chunk (tokens)", 1, (1, 2, 4, 8)),
        },
        chart,
        alt="The share of four people found, against the rate. Those whose place was told by name are found at any rate from about "
        "0.6 on, all or nearly all of them; of those whose place was told by nickname none is found, but for one of 48 at the largest rate.",
        try_this="Let keys and values learn too. Then let each memory learn its own value: which of the two lines gains? Add people: "
        "what runs out? And how long may a chunk be, before a nickname is known too late?",
        name="nicknames",
    )
