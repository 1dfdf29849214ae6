"""Backpropagation as writes: what each layer of a small network stores at each step, and under which key."""

from dataclasses import dataclass
from functools import cache

import numpy as np

from nlcore.viz.chart import Chart, Heat, Line, Plot, explorer
from nlcore.viz.controls import choice, stops
from nlcore.viz.demo import Demo
from nlcore.viz.explorers.spiral import POINTS, WIDTHS, network, spiral
from nlcore.viz.player import Player
from nlcore.viz.theme import looks

STEPS = 200
ETA = 0.3
LAYERS = {"1, at the input": 0, "2, hidden": 1, "3, at the output": 2}
RUN, STEP = "the whole run", "this step"
LOOKS = looks(("loss", "surprise (mean norm)", "write (norm)"))


@dataclass(frozen=True)
class Layer:
    """What one layer met and stored at every step, the step's index first."""

    keys: np.ndarray
    """(STEPS + 1, points, in): the layer's own input."""
    surprises: np.ndarray
    """(STEPS + 1, points, out): the gradient of each point's loss at the layer's output."""
    writes: np.ndarray
    """(STEPS + 1, out, in): the change that the step makes to the layer."""


@dataclass(frozen=True)
class Run:
    """The whole training; index 0 is before the first step."""

    layers: tuple[Layer, ...]
    """From the input to the output."""
    loss: np.ndarray
    """(STEPS + 1,) mean over the points."""
    right: np.ndarray
    """(STEPS + 1,) points on the right side."""


@dataclass(frozen=True)
class Frame:
    """One layer at one step, and where the training stands."""

    run: Run
    layer: Layer
    step: int
    limits: tuple[float, float]
    """Largest surprise and write, in size: the ends of the colours."""


@cache
def run() -> Run:
    """Trains the network on all points at once, `STEPS` steps of plain gradient descent at rate `ETA`."""
    memory, state = network()
    weights = state.memory
    x, v = spiral()
    met: list[list[tuple[np.ndarray, ...]]] = [[] for _ in LAYERS]
    loss, right = [], []
    for _ in range(STEPS + 1):
        layers = memory.architecture.gradients(weights, x, lambda answer: memory.objective.gradient(answer, v))
        writes = [-ETA / len(x) * layer.delta.mT @ layer.x for layer in layers]
        for kept, layer, write in zip(reversed(met), layers, writes):
            kept.append((layer.x.numpy(), layer.delta.numpy(), write.numpy()))
        loss.append(memory.objective.loss(layers[0].output, v).mean().item())
        right.append(int((layers[0].output.argmax(-1) == v.argmax(-1)).sum()))
        weights = tuple(w + write for w, write in zip(weights, writes))
    return Run(tuple(Layer(*map(np.stack, zip(*kept))) for kept in met), np.array(loss), np.array(right))


def compute(step: int, layer: int, colours: str) -> Frame:
    """The frame of `step` (0 to `STEPS`) and `layer` (0 at the input); it only looks it up.

    `colours`: what the ends of the colours stand for, the largest entry of `RUN` or of `STEP`.
    """
    found = run()
    of = found.layers[layer]
    span = slice(None) if colours == RUN else step
    limits = tuple(max(float(np.abs(part[span]).max()), 1e-12) for part in (of.surprises, of.writes))
    return Frame(found, of, step, limits)


def chart(frame: Frame) -> Chart:
    """Keys, surprises and write as heat maps, and three lines of the whole training with a mark at the step."""
    t, of, steps = frame.step, frame.layer, np.arange(STEPS + 1)
    lines = {
        "loss": frame.run.loss,
        "surprise (mean norm)": np.linalg.norm(of.surprises, axis=-1).mean(-1),
        "write (norm)": np.linalg.norm(of.writes, axis=(-2, -1)),
    }
    drawn = tuple(Line(name, steps, line, LOOKS[name]) for name, line in lines.items())
    marks = tuple(Line("", steps[t : t + 1], line[t : t + 1], LOOKS[name], "points", size=10)
                  for name, line in lines.items())
    largest_surprise, largest_write = frame.limits
    return (
        _heat("Keys x (±1)", of.keys[t], 1.0, "entry of x", "point"),
        _heat(f"Surprises δ (±{largest_surprise:.2g})", of.surprises[t], largest_surprise, "entry of δ", ""),
        _heat(f"Write (±{largest_write:.2g})", of.writes[t], largest_write, "entry of x", "entry of δ"),
        Plot(
            f"Step {t}: loss {frame.run.loss[t]:.3f}, {frame.run.right[t]}/{POINTS} right", "step", "",
            drawn + marks, y_log=True, y_range=(1e-3, 3.0), x_range=(-4, STEPS + 4), width=2.0,
        ),
    )


def backward_as_writes() -> Demo[Frame]:
    """The explorer: play the training, and look into each layer."""
    return explorer(
        compute,
        {
            "step": Player("Step", 10, STEPS, stride=2),
            "layer": stops("Layer", 1, tuple(LAYERS.items())),
            "colours": choice("Colours reach the largest of", STEP, (STEP, RUN)),
        },
        chart,
        alt="Four plots of step 10 in the hidden layer. Keys: 32 points by 8 entries, a pattern along each spiral arm. "
        "Surprises: 32 by 8, strong at some points, near zero at others. The write, 8 by 8, is made of both. Right, loss, "
        "surprise and write fall over 200 steps, the loss from 1.1 to 0.015, with marks at step 10.",
        try_this="Press play. The loss falls; do the surprises of the hidden layer? Then stop, and take layer 3: its "
        "surprise is the error itself.",
        name="backward_as_writes",
    )


def _heat(title: str, z: np.ndarray, limit: float, x: str, y: str) -> Plot:
    rows, columns = z.shape
    return Plot(
        title, x, y, heat=Heat(z, range=(-limit, limit), diverging=True),
        x_range=(-0.5, columns - 0.5), y_range=(rows - 0.5, -0.5), x_ticks=_ticks(columns), y_ticks=_ticks(rows),
    )


def _ticks(count: int) -> dict[float, str]:
    """Names of a few places, counted from 1."""
    every = 8 if count > max(WIDTHS) else 1
    return {float(i): str(i + 1) for i in range(every - 1, count, every)}
