"""Backpropagation as writes: what each layer of a small network stores at each step, and under which key."""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from nlcore.viz.controls import Control, choice
from nlcore.viz.demo import Demo
from nlcore.viz.spiral import POINTS, network, spiral
from nlcore.viz.tape import TapeView, packed
from nlcore.viz.theme import COLOURS, Look, level_looks, tidy
from nlcore.viz.view import script, style

STEPS = 200
ETA = 0.3
OPENS = 10
"""The step that is in view when the demo opens."""
LAYERS = ("1, at the input", "2, in the middle", "3, at the output")
STEP, RUN = "this step", "the whole run"
LINES = ("loss", "surprise, mean norm", "write, norm")
LOOKS = {
    "loss": Look("#000000", "solid", "o"),
    "surprise, mean norm": Look(COLOURS[4], "dashed", "s"),
    "write, norm": level_looks(["weights"])["weights"],
}
"""What is written has the colour that the weights have on the map."""
BLUE_RED = LinearSegmentedColormap.from_list("blue, white, red", ("#2166ac", "#f7f7f7", "#b2182b"))
"""The colours of backward_as_writes.js."""


@dataclass(frozen=True)
class Layer:
    """What one layer met and stored at every step, the step's index first."""

    keys: np.ndarray
    """(STEPS + 1, points, in): the layer's own input."""
    surprises: np.ndarray
    """(STEPS + 1, points, out): the gradient of each point's loss at the layer's output."""
    writes: np.ndarray
    """(STEPS + 1, out, in): the change that the step makes to the layer."""

    @property
    def sizes(self) -> tuple[np.ndarray, np.ndarray]:
        """(STEPS + 1,) each: the mean norm of a point's surprise, and the norm of the write."""
        return np.linalg.norm(self.surprises, axis=-1).mean(-1), np.linalg.norm(self.writes, axis=(-2, -1))


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


class WritesView(TapeView):
    """The product and its lines over time; `at` is the stop of each control, by name."""

    _esm = script("page", "controls", "tape", "prediction", "backward_as_writes")
    _css = style("page", "controls", "prediction", "tape", "backward_as_writes")


def tape(found: Run) -> list[dict[str, Any]]:
    """The run, by layer: each matrix of each step as -127 to 127 of its own largest entry."""
    layers = []
    for name, layer in zip(LAYERS, found.layers):
        lines = [
            {"name": line, "y": _numbers(y)} | vars(LOOKS[line])
            for line, y in zip(LINES, (found.loss, *layer.sizes))
        ]
        matrices = {"keys": layer.keys, "surprises": layer.surprises.swapaxes(-1, -2), "write": layer.writes}
        layers.append({"name": name, "lines": lines} | {part: _bytes(matrix) for part, matrix in matrices.items()})
    return layers


def picture(frame: Frame) -> Figure:
    """The frame laid out as the canvas does: surprises, turned on their side, times keys make the write."""
    t, of = frame.step, frame.layer
    figure, ((left, keys), (surprises, write)) = plt.subplots(
        2, 2, figsize=(9, 6), layout="constrained", width_ratios=(3, 1), height_ratios=(1.9, 1)
    )
    for name, y in zip(LINES, (frame.run.loss, *of.sizes)):
        left.plot(y, color=LOOKS[name].colour, linestyle=LOOKS[name].dash, label=f"{name}: {y[t]:.2g}")
        left.plot(t, y[t], color=LOOKS[name].colour, marker=LOOKS[name].marker)
    left.set(yscale="log", ylim=(1e-3, 3))
    tidy(left, f"Step {t}: loss {frame.run.loss[t]:.3f}, {frame.run.right[t]} of {POINTS} right", "step", "")
    left.legend(frameon=False)
    most, change = frame.limits
    _heat(keys, of.keys[t], 1, "Keys x, ±1", f"{of.keys.shape[2]} entries of x", f"{POINTS} points")
    _heat(surprises, of.surprises[t].T, most, f"Surprises δ, turned, ±{most:.2g}", f"{POINTS} points",
          f"{of.surprises.shape[2]} entries of δ")
    _heat(write, of.writes[t], change, f"Write, ±{change:.2g}", f"{of.keys.shape[2]} entries of x",
          f"{of.surprises.shape[2]} entries of δ")
    return figure


def alt(frame: Frame) -> str:
    """What `picture` shows of layer 2, which opens."""
    t, found, layer = frame.step, frame.run, frame.layer
    (points, into), out = layer.keys.shape[1:], layer.surprises.shape[2]
    return (
        f"Step {t} in layer 2 of three, laid out as a matrix product. Top right the keys, {points} points by {into} entries, "
        f"with a pattern along each spiral arm. Bottom left the surprises, {out} by {points}, strong at some points. In the "
        f"corner below both the write, {out} by {into}. Top left loss, surprise and write over {STEPS} steps; the loss falls "
        f"from {found.loss[0]:.2g} to {found.loss[-1]:.2g} and is {found.loss[t]:.2g} here, with {found.right[t]} of {points} "
        "points right."
    )


def backward_as_writes() -> Demo:
    """The demo: play the training, and look into each layer."""
    found = run()
    states = tuple(f"step {t}: loss {loss:.3f}, {right} of {POINTS} right" for t, (loss, right) in enumerate(zip(found.loss, found.right)))
    controls = {
        "step": Control("Step of the training", states, tuple(range(STEPS + 1)), OPENS, "player", beat=80),
        "layer": choice("Layer", 1, [(name, i) for i, name in enumerate(LAYERS)]),
        "colours": choice("Full colour is the largest of", STEP, [STEP, RUN]),
    }
    view = WritesView(
        try_this="Press Play. The loss falls; do the surprises of layer 2? Then stop, point at a cell of the "
        "write, and take layer 3: its surprise is the error itself.",
        controls={name: control.facts() for name, control in controls.items()},
        at={name: control.first for name, control in controls.items()},
        tape=tape(found),
    )
    frame = compute(OPENS, 1, STEP)
    return Demo(view, lambda: picture(frame), alt=alt(frame), name="backward_as_writes")


def _bytes(matrices: np.ndarray) -> dict[str, Any]:
    largest = np.abs(matrices).max(axis=(-2, -1)).clip(min=1e-12)
    cells = np.round(matrices / largest[:, None, None] * 127).astype(np.int8)
    rows, columns = matrices.shape[1:]
    return {"cells": packed(cells.tobytes()), "largest": _numbers(largest), "rows": rows, "columns": columns}


def _numbers(values: np.ndarray) -> list[float]:
    return [float(f"{value:.4g}") for value in values]


def _heat(axes: Axes, z: np.ndarray, limit: float, title: str, x: str, y: str) -> None:
    axes.imshow(z, cmap=BLUE_RED, vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    tidy(axes, title, x, y)
    axes.grid(False)
