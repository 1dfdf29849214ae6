"""Backpropagation as writes: what each layer of a small network stores at each step, and under which key."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import numpy as np
import traitlets
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from nlcore.viz.spiral import POINTS, network, spiral
from nlcore.viz.theme import looks, tidy

STEPS = 200
ETA = 0.3
LAYERS = ("1, at the input", "2, hidden", "3, at the output")
STEP, RUN = "this step", "the whole run"
LINES = ("loss", "surprise, mean norm", "write, norm")
LOOKS = looks(LINES)


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


class WritesView(anywidget.AnyWidget):
    """The canvas. `value` is the step, the layer and what full colour stands for; the browser plays by itself."""

    _esm = Path(__file__).parent.parent / "static" / "backward_as_writes.js"
    _css = Path(__file__).parent.parent / "static" / "backward_as_writes.css"
    value = traitlets.Dict().tag(sync=True)
    choices = traitlets.List([STEP, RUN]).tag(sync=True)
    tape = traitlets.Dict().tag(sync=True)

    def draw(self, frame: Frame) -> None:
        """Sends the whole run to the browser, once."""
        if not self.tape:
            self.tape = tape(frame.run)


def tape(found: Run) -> dict[str, Any]:
    """The run in bytes: each matrix of each step as -127 to 127 of its own largest entry."""
    layers = []
    for name, layer in zip(LAYERS, found.layers):
        lines = [
            {"name": line, "colour": LOOKS[line].colour, "dash": LOOKS[line].dash, "y": y.astype(np.float32).tobytes()}
            for line, y in zip(LINES, (found.loss, *layer.sizes))
        ]
        matrices = {"keys": layer.keys, "surprises": layer.surprises.swapaxes(-1, -2), "write": layer.writes}
        layers.append({"name": name, "lines": lines} | {part: _bytes(matrix) for part, matrix in matrices.items()})
    return {"last": STEPS, "right": found.right.tolist(), "layers": layers}


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
    _heat(write, of.writes[t], change, f"Write, ±{change:.2g}", f"{of.keys.shape[2]} entries of x", "")
    return figure


def backward_as_writes() -> Explorer[Frame]:
    """The explorer: play the training, and look into each layer."""
    view = WritesView(value={"step": 10, "layer": 1, "colours": STEP})
    return Demo(
        lambda frame: compute(**frame),
        {"frame": view},
        view,
        draw=view.draw,
        picture=picture,
        alt="Step 10 in the hidden layer, laid out as a matrix product. Top right the keys, 32 points by 8 entries, with a "
        "pattern along each spiral arm. Bottom left the surprises, 8 by 32, strong at some points. In the corner below "
        "both the write, 8 by 8. Top left loss, surprise and write over 200 steps; the loss falls from 1.1 to 0.015.",
        try_this="Press play. The loss falls; do the surprises of the hidden layer? Then stop, point at a cell of the "
        "write, and take layer 3: its surprise is the error itself.",
        name="backward_as_writes",
    )


def _bytes(matrices: np.ndarray) -> dict[str, Any]:
    largest = np.abs(matrices).max(axis=(-2, -1)).clip(min=1e-12)
    cells = np.round(matrices / largest[:, None, None] * 127).astype(np.int8)
    rows, columns = matrices.shape[1:]
    return {"cells": cells.tobytes(), "largest": largest.astype(np.float32).tobytes(), "rows": rows, "columns": columns}


def _heat(axes: Axes, z: np.ndarray, limit: float, title: str, x: str, y: str) -> None:
    axes.imshow(z, cmap="RdBu_r", vmin=-limit, vmax=limit, aspect="auto", interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    tidy(axes, title, x, y)
    axes.grid(False)
