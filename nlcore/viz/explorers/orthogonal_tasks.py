"""Orthogonal tasks: what each optimizer's memory still holds of a task it has left, and what that does to it (eq. 45)."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.controls import choice, player, slider, stops
from nlcore.viz.optimizers import MOMENTA
from nlcore.viz.theme import Look

INPUTS, OUTPUTS = 24, 4
TASKS = (2, 3, 4)
RATES = {"SGD": 0.15, "momentum": 0.05, "delta, literal": 0.05, "delta, bounded": 0.05, "delta, exact": 0.05,
         "Adam": 0.01, "Muon": 0.02}
"""Learning rates: with each, 30 steps at retention 0.9 and erasing 1 take a task's loss from 1 to about 0.05 or less."""
NAMES = tuple(RATES)
ADAM, MUON = NAMES.index("Adam"), NAMES.index("Muon")
SECOND, EPS = 0.999, 1e-8
QUINTIC = (3.4445, -4.7750, 2.0315)
LOSSES, RISES = (0.0, 1.6), (-0.1, 0.25)
"""Ends of the frames."""
LOOKS = {name: MOMENTA[name] for name in ("SGD", "momentum", "Adam", "Muon")}
"""The optimizers that can be put in view."""
TASK_LOOKS = {f"task {i + 1}": Look("#000000", dash, "o") for i, dash in enumerate(("solid", "dashed", "dotted", "dashdot"))}


@dataclass(frozen=True)
class Run:
    """All optimizers on the same stream of tasks; index 0 of a step is before the first."""

    tasks: int
    steps: int
    """Per task."""
    losses: np.ndarray
    """(optimizers, tasks * steps + 1, tasks), 1 for weights of zero."""
    held: np.ndarray
    """(optimizers, tasks * steps + 1, tasks): norm of the memory inside each task's subspace."""

    def forgotten(self, step: int) -> np.ndarray:
        """(optimizers,) mean over the tasks already left: loss now, less the loss when it was left."""
        left = np.arange(max(step - 1, 0) // self.steps)
        if not len(left):
            return np.zeros(len(NAMES))
        return (self.losses[:, step, left] - self.losses[:, (left + 1) * self.steps, left]).mean(-1)


@dataclass(frozen=True)
class Frame:
    """A run, up to a step, with one optimizer in view."""

    run: Run
    step: int
    optimizer: str


def tasks(n: int, seed: int = 0, aligned: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Projections (n, inputs, inputs) on n orthogonal subspaces, and a target (outputs, inputs) of norm 1 in each.

    Task i has the loss `||(W - target) P_i||^2`, relative to that of W = 0. Its gradient lies inside its own subspace.
    The subspaces lie in random directions; those that are `aligned` are each a few of the inputs.
    """
    draw = np.random.default_rng(seed)
    basis = np.linalg.qr(draw.standard_normal((INPUTS, INPUTS)))[0]
    if aligned:
        basis = np.eye(INPUTS)
    parts = np.stack(np.split(basis, n, axis=1))
    projections = parts @ parts.transpose(0, 2, 1)
    targets = draw.standard_normal((OUTPUTS, INPUTS)) @ projections
    return projections, (targets / np.linalg.norm(targets, axis=(1, 2), keepdims=True)).sum(0)


@lru_cache(maxsize=32)
def run(n: int, steps: int, alpha: float, beta: float = 1.0, seed: int = 0, aligned: bool = False) -> Run:
    """Learns n of `tasks` one after the other, `steps` steps each, with every optimizer of `RATES`.

    All write to one kind of memory, `m <- alpha m + g - erased`, with alpha 0 for SGD, and differ in what
    they erase and in how they read it.
    """
    projections, target = tasks(n, seed, aligned)
    keep = np.full((len(NAMES), 1, 1), alpha)
    keep[NAMES.index("SGD")] = 0
    rates = np.array(list(RATES.values()))[:, None, None]
    w, m = np.zeros((2, len(NAMES), OUTPUTS, INPUTS))
    square = np.zeros((OUTPUTS, INPUTS))
    weights, memories = [w], [m]
    with np.errstate(all="ignore"):  # the literal form may leave all numbers behind
        for t in range(n * steps):
            g = (w - target) @ projections[t // steps]
            m = _write(m, g, keep, beta)
            square = SECOND * square + (1 - SECOND) * g[ADAM] ** 2
            answer = m.copy()
            answer[ADAM] = _adam(m[ADAM], square, alpha, t + 1)
            answer[MUON] = _orthogonal(m[MUON])
            w = w - rates * answer
            weights.append(w)
            memories.append(m)
        error, memory = np.stack(weights, 1) - target, np.stack(memories, 1)
        inside = [np.square(part[:, :, None] @ projections).sum((-1, -2)) for part in (error, memory)]
    return Run(n, steps, inside[0], np.sqrt(inside[1]))


def _write(m: np.ndarray, g: np.ndarray, keep: np.ndarray, beta: float) -> np.ndarray:
    """One write of every memory; only the three delta forms erase (eq. 49, as printed and mended)."""
    new = keep * m + g
    bound = beta / (1 + beta * _dot(g, g))
    erased = np.zeros(len(NAMES))
    amounts = {"literal": beta * _dot(g, m), "bounded": bound * _dot(g, m), "exact": bound * _dot(g, new)}
    for form, amount in amounts.items():
        row = NAMES.index(f"delta, {form}")
        erased[row] = amount[row]
    return new - erased[:, None, None] * g


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum((-1, -2))


def _adam(m: np.ndarray, square: np.ndarray, alpha: float, t: int) -> np.ndarray:
    """Its first moment is `(1 - alpha) m`."""
    mean = (1 - alpha) * m / (1 - alpha**t)
    return mean / (np.sqrt(square / (1 - SECOND**t)) + EPS)


def _orthogonal(m: np.ndarray) -> np.ndarray:
    """Newton-Schulz as in Muon."""
    a, b, c = QUINTIC
    x = m / max(np.linalg.norm(m), 1e-7)
    for _ in range(5):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    return x


def compute(progress: int, optimizer: str, n: int, alpha: float, steps: int) -> Frame:
    """The stream up to `progress` percent; n of `TASKS`, alpha 0 to below 1.

    Raises ValueError for another number of tasks.
    """
    if n not in TASKS:
        raise ValueError(f"{n} tasks: choose one of {TASKS}")
    return Frame(run(n, steps, alpha), round(n * steps * progress / 100), optimizer)


def chart(frame: Frame) -> Chart:
    """The loss on each task with the optimizer in view, and by how much every optimizer's old tasks have got worse."""
    found = frame.run
    ends = (-0.02 * found.tasks * found.steps, 1.02 * found.tasks * found.steps)
    words = {float(i): f"{'▸ ' if name == frame.optimizer else ''}{name}" for i, name in enumerate(LOOKS)}
    return (
        Plot(f"Loss on each task, with {frame.optimizer}", "step", "loss", _lines(frame), x_range=ends, y_range=LOSSES,
             references={1.0: "nothing learnt"}, note="" if frame.step else "nothing yet", width=1.5),
        Plot("Harm to tasks that are over", "mean rise of their loss since their end", "", _bars(frame), x_range=RISES,
             y_range=(len(LOOKS) - 0.4, -0.6), y_ticks=words,
             x_ticks={-0.1: "−0.1", 0.0: "0", 0.1: "0.1", 0.2: "0.2"}),
    )  # fmt: skip


def _lines(frame: Frame) -> tuple[Line, ...]:
    """A line for each task that there can be; those that there are not stay empty and unnamed."""
    at, n = np.arange(frame.step + 1), frame.run.tasks
    found = frame.run.losses[NAMES.index(frame.optimizer), : frame.step + 1]
    nothing = np.full(len(at), np.nan)
    return tuple(
        Line(name if i < n else "", at, found[:, i] if i < n else nothing, look) for i, (name, look) in enumerate(TASK_LOOKS.items())
    )


def _bars(frame: Frame) -> tuple[Line, ...]:
    """By how much the tasks left have got worse with each optimizer; what has left all numbers is infinite."""
    rises = dict(zip(NAMES, np.nan_to_num(frame.run.forgotten(frame.step), nan=np.inf)))
    return tuple(Line("", np.array([rises[name]]), np.array([i]), look, "lying") for i, (name, look) in enumerate(LOOKS.items()))


def orthogonal_tasks() -> Explorer[Frame]:
    """The explorer: play the stream, choose the optimizer, the number of tasks, retention and the steps of a task."""
    return Explorer(
        compute,
        {
            "progress": player("Progress (% of all steps)", 100, 100),
            "optimizer": choice("In view", "Adam", tuple(LOOKS)),
            "n": stops("Tasks", 4, TASKS),
            "alpha": slider("Retention α", 0.9, 0.0, 0.98, 0.02),
            "steps": stops("Steps per task", 60, (10, 20, 30, 60, 120)),
        },
        chart,
        alt="Four tasks, learnt one after the other by Adam. Left, each task's loss stands at 1 until its turn, falls to nearly 0 "
        "within 60 steps, and the first three rise again while the later ones are learnt, to about 0.1. Right, by how "
        "much the old tasks have got worse: 0.09 with Adam, next to nothing with Muon, and nothing with SGD and momentum.",
        try_this="Press play, then put SGD in view. Do the losses of tasks that are over move at all? Then give each task only 20 "
        "steps: who harms now, and why?",
        name="orthogonal_tasks",
    )
