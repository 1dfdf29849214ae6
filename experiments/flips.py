"""By which mechanism does a trained parity learner flip, and with which chunks can it?

    python -m experiments.flips

Strings of bits are labelled, at each bit, with whether the number of ones so far is even. Some state of the model must
then turn with each 1 and stay with each 0. One block of self-modifying Titans has two ways to do that. A write can turn
what stood at its key: its transition, alpha - 2 eta with the L2 objective and alpha - eta with the dot product, is then
negative. Or a memory can teach itself the opposite of what it holds, as its value is its own answer (eq. 83-85).

What a trained model cannot do without tells them apart. `taught`: its main memory is taught what its learnt start would
answer, so that no value depends on what the context wrote. `positive`: writes are made so small that no transition is
negative. And pairs of strings that differ in one early bit say where the parity stands: the state of one is put, matrix
by matrix, into the state of the other, and the answers that come after follow the donor's parity or do not.

Controls: the same memories with eta up to 1, with which a transition is as far below zero only where alpha is small, so
that whatever else was held is lost; values given, so that no memory can teach itself; and L2 in chunks, whose gradients
stand still, so that no stable memory can turn with every 1.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlcore.layers import SelfModifyingTitans
from nlcore.layers.family import matrix
from nlcore.layers.learning import Learning, given
from nlcore.layers.self_modifying import SelfModifyingState
from nlcore.memory import L2, DotProduct, ResidualMLP, State
from nlcore.models import PRESETS, LanguageModel
from nlcore.models.build import gated
from nlcore.ops.delta_rule import Decays, Opened, Tokenwise
from nlcore.tasks.formal import Formal

from experiments.asked import Logits, trained
from experiments.experiment import Arm, Experiment, main

WINDOWS = {"seen": (2, 40), "longer": (41, 80), "longest": (81, 120), "far": (256, 256)}
"""Lengths of strings: those of training, those that the rate is chosen by, and two that nothing is chosen by."""
STRINGS = 200
"""Of each window, that no training draws."""
PAIRS = 64
"""Of strings that differ in one early bit."""
HELD_OUT = 1_000_000
"""Their seed."""
FORMAT = 1
"""Of a run's configuration: it changes with the way in which `train` and `measure` go about it."""
OBJECTS = {"matrix": matrix, "MLP": ResidualMLP, "L2": L2(), "dot": DotProduct(), "given": given}


def run(settings: dict[str, Any], rate: float, seed: int, folder: Path) -> dict[str, Any]:
    """Trains one model, and opens it. It is over so soon that `folder` stays empty.

    nats: a bit's loss in "longer"; None, alone, where training stopped being finite.
    seen, longer, longest, far: share of whole strings right in each window.
    taught, positive: whole strings right in "seen" while values, or transitions, are held: see above.
    memory, makers: share of answers that follow the donor when the main memory, or all others, are exchanged.
    carrier: the one matrix whose exchange does most, and follows: what it does.
    odd, even: what a chunk with so many ones multiplies the carrier's difference by.
    loss: of the last 10 steps, nats a bit.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = learner(settings)
    losses = train(model, settings, rate, seed)
    if not math.isfinite(losses[-1]):
        return {"nats": None}
    return measure(model) | {"loss": sum(losses[-10:]) / len(losses[-10:])}


def configuration(settings: dict[str, Any], rate: float, seed: int) -> dict[str, Any]:
    """All that decides a run."""
    windows = {name: list(window) for name, window in WINDOWS.items()}
    held_out = {"windows": windows, "strings": STRINGS, "pairs": PAIRS, "seed": HELD_OUT}
    return {"format": FORMAT, "settings": settings, "rate": rate, "seed": seed, "held_out": held_out}


def learner(settings: dict[str, Any]) -> LanguageModel:
    """One block, whose sequence layer is made of `settings`; symbols begin as long as what they are compared with."""
    dim, heads, hidden = 32, 2, 16
    chunks, named = (settings["chunk"],) * 2, settings["layer"]
    choices = {name: OBJECTS[choice] if isinstance(choice, str) else choice for name, choice in named.items()}

    def mixer() -> SelfModifyingTitans:
        return SelfModifyingTitans(dim, heads, hidden, chunks, reads="after", **choices)

    model = gated(replace(PRESETS["tiny"], dim=dim, depth=1, heads=heads, hidden=hidden), 3, mixer)
    nn.init.normal_(model.embedding.weight, std=dim**-0.5)
    return model


def train(model: LanguageModel, settings: dict[str, Any], rate: float, seed: int) -> list[float]:
    """The loss of each step; training ends where one is not finite: see `trained`."""
    task, draw = Formal("parity", *WINDOWS["seen"]), torch.Generator().manual_seed(seed)
    batches = iter(lambda: task.batch(settings["batch"], draw), None)
    return list(trained(Logits(model), batches, rate, settings["steps"]))


@torch.no_grad()
def measure(model: LanguageModel) -> dict[str, Any]:
    """What a trained model can do, and by what: see `run`."""
    figures = {name: accuracy(model, window)[0] for name, window in WINDOWS.items()}
    figures["nats"] = accuracy(model, WINDOWS["longer"])[1]
    for name, hold in (("taught", taught_by_start), ("positive", positive)):
        with held(model, hold):
            figures[name] = accuracy(model, WINDOWS["seen"])[0]
    return figures | exchange(model)


def accuracy(model: LanguageModel, window: tuple[int, int]) -> tuple[float, float]:
    """Share of whole strings right, of held-out ones, and their loss, nats a bit."""
    task = Formal("parity", *window)
    tokens, labels = task.test(STRINGS, torch.Generator().manual_seed(HELD_OUT))
    logits = model(tokens).logits
    return task.accuracy(logits, labels), F.cross_entropy(logits.flatten(0, 1), labels.flatten()).item()


class _Held:
    """Choices of a layer, but for those that are given."""

    def __init__(self, learning: Learning, given: dict[str, Any]) -> None:
        self.__dict__.update(given)
        self._learning = learning

    def __getattr__(self, name: str) -> Any:
        return getattr(self._learning, name)


@contextmanager
def held(model: LanguageModel, hold: Callable[[SelfModifyingTitans], dict[str, Any]]) -> Iterator[None]:
    """Inside the block the model's memories learn otherwise: what `hold` gives stands in place of the layer's own."""
    layer = model.blocks[0].mixer
    learning = layer.learning
    layer.learning = _Held(learning, hold(layer))
    try:
        yield
    finally:
        layer.learning = learning


def taught_by_start(layer: SelfModifyingTitans) -> dict[str, Any]:
    """The main memory is taught what its start would answer, or what is given to it, as ever."""
    start, learns = layer.memory.start(1, torch.float32, momentum=False).memory, layer.learning.learns

    def learn(read: Callable[[Tensor], Tensor], v: Tensor) -> Tensor:
        values = learns(read, v)
        others, own = values[:, :-1], values[:, -1:]  # the main memory is the last of those that learn together
        return torch.cat([others, learns(lambda x: layer.memory.architecture.read(start, x), v).expand_as(own)], 1)

    return {"learns": learn}


class Positive:
    """A bound within which no write turns what stood at its key."""

    def __init__(self, layer: SelfModifyingTitans) -> None:
        self.bound = layer.learning.bound(len(layer.memory.weights))
        self.decays = 2 if isinstance(layer.learning.objective, L2) else 1

    def rates(self, opened: Opened, eta: Tensor, budget: Tensor | float, decays: Decays) -> Tensor:
        return self.bound.rates(opened, self._small(opened, eta, decays), budget, decays)

    def inside(self, opened: Opened, eta: Tensor, budget: Tensor | float, decays: Decays, erases: bool) -> Tokenwise:
        return self.bound.inside(opened, self._small(opened, eta, decays), budget, decays, erases)

    def _small(self, opened: Opened, eta: Tensor, decays: Decays) -> Tensor:
        squares = opened.overlap.diagonal(dim1=-2, dim2=-1)
        return torch.minimum(eta, decays.alpha / (self.decays * squares))


def positive(layer: SelfModifyingTitans) -> dict[str, Any]:
    """No transition is negative: alpha - 2 eta |x|^2 with L2, whose decay acts twice, else alpha - eta |x|^2."""
    bound = Positive(layer)
    return {"bound": lambda layers: bound}


class Pairs:
    """Strings that differ in one early bit, and so in parity; `first` and `second` are the states behind them."""

    def __init__(self, model: LanguageModel) -> None:
        layer, draw = model.blocks[0].mixer, torch.Generator().manual_seed(HELD_OUT)
        self.model, chunk = model, layer.chunks[0]
        # Enough to let the convolution forget the bit, and to end where a chunk does.
        strings = torch.randint(2, (PAIRS, chunk * math.ceil(8 / chunk)), generator=draw)
        others = strings.clone()
        others[:, 2] = 1 - others[:, 2]
        self.first, self.second = (model(tokens).state for tokens in (strings, others))
        self.after = torch.randint(2, (PAIRS, max(12, chunk)), generator=draw)
        even = (strings.sum(1, keepdim=True) + self.after.cumsum(1)) % 2 == 0
        self.labels, self.chunk, self.groups = even.long(), self.after[:, :chunk], ("projections", "memory")

    def follow(self, group: str, pick: tuple[int, int, int] | None = None) -> float:
        """Share of answers with the parity of `first`, when this part of its state is put into that of `second`.

        `pick` says which layer, memory and head of the group; without it the whole group is put in.
        """
        (donor,), (other,) = self.first, self.second
        new = getattr(donor, group)
        if pick is not None:
            new = _exchanged(getattr(other, group), new, *pick)
        logits = self.model(self.after, (other._replace(**{group: new}),)).logits
        return (logits.argmax(-1) == self.labels).float().mean().item()

    def matrices(self) -> Iterator[tuple[str, str, tuple[int, int, int]]]:
        """Every matrix of the state: its name, its group, and where it stands in it."""
        layer = self.model.blocks[0].mixer
        for group in self.groups:
            found = getattr(layer, group)
            for index, name in enumerate(found.names if found else ()):
                for at in range(len(found.weights)):
                    for head in range(layer.heads):
                        yield f"{name}, head {head + 1}, W_{at + 1}", group, (at, index, head)

    def factors(self, group: str, pick: tuple[int, int, int]) -> Tensor:
        """What one more chunk multiplies the difference of this matrix by, along itself: (PAIRS,)."""

        def difference(first: tuple[SelfModifyingState], second: tuple[SelfModifyingState]) -> Tensor:
            at, index, head = pick
            one, other = (getattr(state[0], group).memory[at][:, index, head] for state in (first, second))
            return (one - other).flatten(1)

        before = difference(self.first, self.second)
        after = difference(*(self.model(self.chunk, state).state for state in (self.first, self.second)))
        return (before * after).sum(1) / before.square().sum(1)


def _exchanged(state: State, donor: State, at: int, index: int, head: int) -> State:
    """The state with one matrix of the donor's."""
    memory = [w.clone() for w in state.memory]
    memory[at][:, index, head] = donor.memory[at][:, index, head]
    return state._replace(memory=tuple(memory))


def exchange(model: LanguageModel) -> dict[str, Any]:
    """Where the parity stands, and what a chunk does to it: see `run`."""
    pairs = Pairs(model)
    found = {group: pairs.follow(group) if getattr(model.blocks[0].mixer, group) else None for group in pairs.groups}
    does = {name: (pairs.follow(group, pick), group, pick) for name, group, pick in pairs.matrices()}
    carrier = max(does, key=lambda name: does[name][0])
    follows, group, pick = does[carrier]
    factors, odd = pairs.factors(group, pick), pairs.chunk.sum(1) % 2 == 1
    figures = {"memory": found["memory"], "makers": found["projections"], "carrier": carrier, "follows": follows}
    return figures | {name: factors[rows].median().item() for name, rows in (("odd", odd), ("even", ~odd))}


DOT = dict(architecture="matrix", objective="dot")
ONE, MANY = dict(chunk=1, batch=32, steps=100), dict(batch=32, steps=200)
ARMS = {  # name, settings and the minutes of a run
    "dot product, chunks of 16": (MANY | dict(chunk=16, layer=DOT), 0.3),
    "dot product, chunks of 4": (MANY | dict(chunk=4, layer=DOT), 0.6),
    "dot product, chunks of 64": (MANY | dict(chunk=64, layer=DOT), 0.3),
    "dot product, eta up to 1": (MANY | dict(chunk=16, layer=DOT | dict(eta_max=1.0)), 0.3),
    "dot product, values given": (MANY | dict(chunk=16, layer=DOT | dict(learns="given")), 0.3),
    "dot product, one memory": (MANY | dict(chunk=16, layer=DOT | dict(adaptive=())), 0.3),
    "L2, chunks of 16": (MANY | dict(chunk=16, layer=dict(architecture="matrix", objective="L2")), 0.3),
    "L2, chunks of 1": (ONE | dict(layer=dict(architecture="MLP", objective="L2")), 1.5),
    "L2, chunks of 1, values given": (ONE | dict(layer=dict(architecture="MLP", objective="L2", learns="given")), 1.5),
}

EXPERIMENT = Experiment(
    name="flips",
    question="By which mechanism does a trained parity learner flip, and with which chunks can it?",
    arms=tuple(Arm(name, settings, minutes) for name, (settings, minutes) in ARMS.items()),
    rates=(6e-3, 1.2e-2, 2.4e-2),
    seeds=(0, 1, 2),
    run=run,
    score="nats",
    configuration=configuration,
    columns={name: f"right, {low}-{high}" for name, (low, high) in WINDOWS.items()}
    | {"taught": "taught by start", "positive": "none negative", "memory": "main memory put in"}
    | {"makers": "others put in", "follows": "one matrix put in", "odd": "odd chunk", "even": "even chunk"},
)

if __name__ == "__main__":
    main(EXPERIMENT)
