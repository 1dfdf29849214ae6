"""Boxes in boxes: a memory that ticks with each token, inside an optimizer's step, inside a training, played event by event."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
import traitlets
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from torch import Tensor
from torch.nn.functional import normalize

from nlcore.viz.controls import Control
from nlcore.viz.demo import Demo
from nlcore.viz.tape import TapeView
from nlcore.viz.theme import GREY, level_looks, momentum_look
from nlcore.viz.view import script, style

NAMES, TOWNS = ("Ann", "Ben", "Cleo", "Dan"), ("Bern", "Lima", "Oslo", "Rome")
STEPS, TEXTS = 6, 16
"""Steps of the training, and texts that a batch has; the page shows the first of them."""
ETA, THETA = 0.1, 0.5
"""Rate of the weights, and what momentum keeps of itself."""
LIKE = 0.78
"""What all names have in common, so that two of them point the same way to 0.8."""
BOXES = ("weights", "momentum", "memory")
"""From the outside in: the slowest first."""
LOOKS = level_looks(["weights", "memory"]) | {"momentum": momentum_look("weights")}
"""As on the map; the momentum is the weights', and has their colour."""
HOW_OFTEN = {"weights": "once per batch", "momentum": "once per batch, before the weights", "memory": "once per token"}
SHOWS = {"weights": "how alike the keys of two names are", "momentum": "how large its 16 numbers are", "memory": "how loudly a name is answered with each town"}


@dataclass(frozen=True)
class Trained:
    """What a training left."""

    loss: tuple[float, ...]
    """Of each step's texts, before the step; then of new texts after the last. 1 is silence."""
    weights: Tensor
    """(4, 4)"""
    events: tuple[dict[str, Any], ...]
    """Everything that happened in the first text of each batch, in order, then in a text of the model in use."""


def names() -> Tensor:
    """(4, 4) a name a row, of length one, any two at 0.8 to each other."""
    return normalize(torch.eye(4) + LIKE, dim=1)


def train(seed: int = 0, *, eta: float = ETA, theta: float = THETA, writes: bool = True) -> Trained:
    """Trains weights that make keys out of names, so that a memory can say, at the end of a text, who is where.

    A text says of each of four people in which town they are. The memory starts empty, and is written by the delta
    rule at rate 1, a token at a time; then it is asked for all four. The gradient of the error passes all writes on
    its way to the weights.

    writes: whether the memory ticks; where not, it stays empty.
    """
    draw = torch.Generator().manual_seed(seed)
    weights, momentum, losses = torch.eye(4, requires_grad=True), torch.zeros(4, 4), []
    told = _Told()
    for step in range(STEPS + 1):  # the last one is the model in use: it reads, and nothing outside the memory ticks
        who, where = texts(draw)
        key = normalize(names() @ weights.T, dim=1)
        told.show(momentum, key)
        told.begin(step, who[0], where[0])
        memory = torch.zeros(TEXTS, 4, 4)
        for t in range(4):
            memory = _write(memory, key[who[:, t]], torch.eye(4)[where[:, t]]) if writes else memory
            told.token(t, memory[0], key, writes)
        loss = (key[who] @ memory.mT - torch.eye(4)[where]).square().sum(-1).mean()
        losses.append(loss.item())
        right = int(((key[who[0]] @ memory[0].T).argmax(-1) == where[0]).sum()) if memory[0].any() else 0
        told.asked(losses[-1], right, step)
        if step == STEPS:
            break
        gradient = torch.autograd.grad(loss, weights)[0] if loss.requires_grad else torch.zeros(4, 4)
        momentum = theta * momentum + gradient
        told.tick("momentum", momentum, key)
        weights = (weights - eta * momentum).detach().requires_grad_()
        key = normalize(names() @ weights.T, dim=1)
        told.tick("weights", momentum, key)
    told.forget(key)
    return Trained(tuple(losses), weights.detach(), tuple(told.events))


@cache
def run() -> Trained:
    """The training that is played."""
    return train()


def texts(draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Who is spoken of, and the town, (TEXTS, 4) each."""
    who, where = ([torch.randperm(4, generator=draw) for _ in range(TEXTS)] for _ in range(2))
    return torch.stack(who), torch.stack(where)


def _write(memory: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The delta rule at rate 1: (TEXTS, 4, 4) after a pair, (TEXTS, 4) each, was written."""
    wrong = value - (memory @ key[..., None])[..., 0]
    return memory + wrong[..., None] * key[:, None, :]


class _Told:
    """Collects what happens, an event a tick, as the page plays it."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.counts = dict.fromkeys(BOXES, 0)
        self.shown = {box: [[0.0] * 4] * 4 for box in BOXES}
        self.text: list[str] = []
        self.step = 0

    def show(self, momentum: Tensor, key: Tensor) -> None:
        self.shown |= {"momentum": _rounded(momentum), "weights": _rounded(key @ key.T)}

    def begin(self, step: int, who: Tensor, where: Tensor) -> None:
        self.step, self.text = step, [f"{NAMES[i]} is in {TOWNS[j]}" for i, j in zip(who, where)]
        self.shown["memory"] = [[0.0] * 4] * 4
        if step == STEPS:
            self.shown["momentum"] = [[0.0] * 4] * 4
            self._add("Training ends. The weights stand still for good, the momentum is thrown away, and the model is in use.", over=True)
        begins = "A text" if step == STEPS else f"Batch {step + 1} of {STEPS}: {TEXTS} texts, of which you see the first. It"
        self._add(f"{begins} begins, and the memory is empty.")

    def token(self, t: int, memory: Tensor, key: Tensor, writes: bool) -> None:
        self.shown["memory"] = _rounded(key @ memory.T)
        self.counts["memory"] += writes
        self._add(f"Token {t + 1}: {self.text[t]}. The memory ticks.", ticks="memory" if writes else "", token=t)

    def asked(self, loss: float, right: int, step: int) -> None:
        to_whom = "" if step == STEPS else " The error's gradient goes to the momentum."
        self._add(f"Asked for all four, the memory has {right} right; over the batch the error is {loss:.2f}.{to_whom}", loss=loss)

    def tick(self, box: str, momentum: Tensor, key: Tensor) -> None:
        self.show(momentum, key)
        self.counts[box] += 1
        what = {"momentum": "The momentum ticks: it keeps half of itself and adds the gradient.",
                "weights": "The weights tick: they take the step that the momentum holds. Names get other keys."}
        self._add(what[box], ticks=box)

    def forget(self, key: Tensor) -> None:
        self.shown["memory"], self.text = _rounded(key @ torch.zeros(4, 4)), []
        self._add("The text is over. Asked again for all four, the memory says nothing: nobody outside it has ticked.")

    def _add(self, said: str, ticks: str = "", token: int | None = None, loss: float | None = None, over: bool = False) -> None:
        before = self.events[-1]["over"] if self.events else False
        self.events.append({"said": said, "ticks": ticks, "token": token, "loss": loss, "text": list(self.text), "step": self.step,
                            "over": over or before, "counts": dict(self.counts), "shown": dict(self.shown)})


def _rounded(matrix: Tensor) -> list[list[float]]:
    return [[round(value, 3) + 0.0 for value in row] for row in matrix.detach().tolist()]


def opens() -> int:
    """Where the demo opens: the momentum has just ticked for the fourth time, and the weights have not yet."""
    return next(at for at, event in enumerate(run().events) if event["ticks"] == "momentum" and event["counts"]["momentum"] == 4)


class BoxesView(TapeView):
    """Three boxes, each within the next slower; `at` is {"event": which one}, the tape what each event shows."""

    _esm = script("page", "controls", "tape", "prediction", "boxes_in_boxes")
    _css = style("page", "controls", "prediction", "tape", "boxes_in_boxes")
    boxes = traitlets.List().tag(sync=True)
    """From the outside in: name, level, how often it ticks, what its squares show, its look."""
    sides = traitlets.Dict().tag(sync=True)
    """Of a box's squares, by its name: the words of rows and of columns."""


def level(box: str) -> int:
    """Its number, 1 for the slowest."""
    return BOXES.index(box) + 1


def ticks(box: str) -> list[int]:
    """The events at which a box ticks."""
    return [at for at, event in enumerate(run().events) if event["ticks"] == box]


def picture(at: int) -> Figure:
    """The boxes at this event, and below them every tick there is, those to come paler."""
    event = run().events[at]
    figure, (top, below) = plt.subplots(2, figsize=(9, 6.1), height_ratios=(3.4, 1), layout="constrained")
    top.set(xlim=(0, 90), ylim=(0, 42), xticks=[], yticks=[], aspect="equal")
    top.spines[:].set_visible(False)
    for depth, box in enumerate(BOXES):
        _box(top, box, event, depth)
    _score(below, at)
    return figure


def _box(axes: Axes, box: str, event: dict[str, Any], depth: int) -> None:
    x, y, colour, ticked = 30.0 * depth + 0.5, 0.5 + 2.2 * depth, LOOKS[box].colour, event["ticks"] == box
    face = 1 + (0.16 if ticked else 0.0) * (np.array(to_rgb(colour)) - 1)
    axes.add_patch(FancyBboxPatch((x, y), 89 - x - 0.7 * depth, 42 - 2 * y, boxstyle="round,pad=0,rounding_size=1",
                                  facecolor=face, edgecolor=colour, linestyle=LOOKS[box].dash, linewidth=3.2 if ticked else 1.6))
    words = f"level {level(box)}, {HOW_OFTEN[box]}".replace(", before", ",\nbefore")
    axes.text(x + 1.5, 40.5 - y, f"{box}: {event['counts'][box]} ticks", weight="bold", fontsize=10.5, va="top")
    axes.text(x + 1.5, 37.3 - y, words, fontsize=8.5, va="top", color=GREY, linespacing=1.1)
    for row, values in enumerate(event["shown"][box]):
        for column, value in enumerate(values):
            shade = 1 + min(abs(value), 1.0) * (np.array(to_rgb(colour)) - 1)
            axes.add_patch(plt.Rectangle((x + 6 + 3.6 * column, 21.4 - 3.6 * row), 3.3, 3.3, facecolor=shade, edgecolor="#d8dbdf"))
    sides = _sides()[box]
    for place, (row, column) in enumerate(zip(sides["rows"], sides["columns"])):
        axes.text(x + 5.4, 23 - 3.6 * place, row, fontsize=8, ha="right", va="center")
        axes.text(x + 7.6 + 3.6 * place, 25.4, column, fontsize=8, ha="center", va="bottom")
    axes.text(x + 1.5, 9.6, SHOWS[box].replace(" with", "\nwith"), fontsize=8.5, va="top", color=GREY, linespacing=1.1)


def _score(axes: Axes, at: int) -> None:
    """A row a box, fastest on top, a mark for each tick."""
    for row, box in enumerate(reversed(BOXES)):
        for event in ticks(box):
            axes.broken_barh([(event - 0.4, 0.8)], (row - 0.36, 0.72), facecolor=LOOKS[box].colour, alpha=1.0 if event <= at else 0.22)
    events = run().events
    ends = next(i for i, event in enumerate(events) if event["over"])
    axes.axvline(ends, color=GREY, linewidth=1)
    axes.annotate("training ends", (ends, -0.75), (-4, 0), textcoords="offset points", color=GREY, fontsize=8.5, ha="right", va="center")
    axes.axvline(at, color="black", linewidth=1)
    axes.set(xlim=(-0.5, len(events) - 0.5), ylim=(2.6, -1.1), xticks=[], xlabel="everything that happens, in order")
    axes.set_yticks(range(3), list(reversed(BOXES)))
    axes.spines[["top", "right"]].set_visible(False)


def _sides() -> dict[str, dict[str, list[str]]]:
    first = [name[0] for name in NAMES]
    return {"memory": {"rows": list(NAMES), "columns": [town[0] for town in TOWNS]},
            "momentum": {"rows": [""] * 4, "columns": [""] * 4}, "weights": {"rows": list(NAMES), "columns": first}}


def alt(at: int) -> str:
    """What `picture` shows."""
    event = run().events[at]
    counts = ", ".join(f"{box} {event['counts'][box]}" for box in reversed(BOXES))
    return (
        f"Three boxes, one inside the other: the memory in the momentum, the momentum in the weights. Ticks so far: {counts}. "
        f"{event['said']} Below, a mark for each tick of the whole run: the memory has four in each batch, then momentum and "
        "weights one each, the momentum first; after the training's end the memory alone has four more."
    )


def boxes_in_boxes() -> Demo:
    """The demo: play a training and what comes after it, tick by tick."""
    events, first = run().events, opens()
    stops = tuple(f"{i} of {len(events) - 1}" for i in range(len(events)))
    control = Control("Event", stops, tuple(range(len(events))), first, "player", beat=550)
    view = BoxesView(
        try_this="Go back to 0 and press Play. Which box ticks most often? Which two keep one clock, and which of them goes "
        "first? Then look at the last eight events.",
        controls={"event": control.facts()},
        at={"event": first},
        boxes=[{"name": box, "level": level(box), "often": HOW_OFTEN[box], "shows": SHOWS[box]} | vars(LOOKS[box]) for box in BOXES],
        sides=_sides(),
        tape=list(events),
    )
    return Demo(view, lambda: picture(first), alt=alt(first), name="boxes_in_boxes")
