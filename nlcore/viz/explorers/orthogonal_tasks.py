"""Orthogonal tasks: what each optimizer's memory still holds of a task it has left, and what that does to it (eq. 45)."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.controls import choice, player, slider, stops
from nlcore.viz.theme import COLOURS, REFERENCE, Look, looks

INPUTS, OUTPUTS = 24, 4
TASKS = (2, 3, 4)
RATES = {"SGD": 0.15, "momentum": 0.05, "delta, literal": 0.05, "delta, bounded": 0.05, "delta, exact": 0.05,
         "Adam": 0.01, "Muon": 0.02}
"""Learning rates: with each, 30 steps at retention 0.9 and erasing 1 take a task's loss from 1 to about 0.05 or less."""
NAMES = tuple(RATES)
ADAM, MUON = NAMES.index("Adam"), NAMES.index("Muon")
SECOND, EPS = 0.999, 1e-8
QUINTIC = (3.4445, -4.7750, 2.0315)
NORMS, FORGOTTEN = (1e-4, 30.0), (-0.1, 0.3)
"""Ends of the frames."""
ROUNDING = 1e-12
"""What is smaller is nothing."""
LOOKS = looks([f"task {i + 1}" for i in range(max(TASKS))])
BARS = {"in view": Look(COLOURS[4], "solid", "o"), "others": REFERENCE}


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
    optimizer: int


def tasks(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Projections (n, inputs, inputs) on n orthogonal subspaces, and a target (outputs, inputs) of norm 1 in each.

    Task i has the loss `||(W - target) P_i||^2`, relative to that of W = 0. Its gradient lies inside its own subspace.
    """
    draw = np.random.default_rng(0)
    basis = np.linalg.qr(draw.standard_normal((INPUTS, INPUTS)))[0]
    parts = np.stack(np.split(basis, n, axis=1))
    projections = parts @ parts.transpose(0, 2, 1)
    targets = draw.standard_normal((OUTPUTS, INPUTS)) @ projections
    return projections, (targets / np.linalg.norm(targets, axis=(1, 2), keepdims=True)).sum(0)


@lru_cache(maxsize=32)
def run(n: int, steps: int, alpha: float, beta: float) -> Run:
    """Learns n tasks one after the other, `steps` steps each, with every optimizer of `RATES`.

    All write to one kind of memory, `m <- alpha m + g - erased`, with alpha 0 for SGD, and differ in what
    they erase and in how they read it.
    """
    projections, target = tasks(n)
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


def compute(progress: int, optimizer: str, n: int, alpha: float, steps: int, beta: float) -> Frame:
    """The stream up to `progress` percent; n of `TASKS`, alpha 0 to below 1.

    Raises ValueError for another number of tasks.
    """
    if n not in TASKS:
        raise ValueError(f"{n} tasks: choose one of {TASKS}")
    return Frame(run(n, steps, alpha, beta), round(n * steps * progress / 100), NAMES.index(optimizer))


def chart(frame: Frame) -> Chart:
    """The optimizer's loss on each task, what its memory holds of each, and what every optimizer has forgotten."""
    found, name = frame.run, NAMES[frame.optimizer]
    ends = (-0.02 * found.tasks * found.steps, 1.02 * found.tasks * found.steps)
    axes = {"x_range": ends, "y_range": NORMS, "y_log": True}
    note = "" if frame.step else "nothing yet"
    words = {float(i): f"{'▸ ' if i == frame.optimizer else ''}{name}" for i, name in enumerate(NAMES)}
    return (
        Plot("Loss on each task", "step", f"loss with {name}", _lines(found.losses, frame), references={1.0: "nothing learnt"}, **axes),
        Plot("Held of each task", "step", "norm inside the task's subspace", _lines(found.held, frame), note=note, **axes),
        Plot("Forgotten of tasks left", "loss now less when left", "", _bars(frame), x_range=FORGOTTEN,
             y_range=(len(NAMES) - 0.4, -0.6), y_ticks=words, width=1.2),
    )  # fmt: skip


def _lines(of: np.ndarray, frame: Frame) -> tuple[Line, ...]:
    """A line for each task that there can be; those that there are not stay empty and unnamed."""
    at, n = np.arange(frame.step + 1), frame.run.tasks
    found = of[frame.optimizer, : frame.step + 1]
    nothing = np.full(len(at), np.nan)
    return tuple(
        Line(name if i < n else "", at, np.where(found[:, i] > ROUNDING, found[:, i], np.nan) if i < n else nothing, look)
        for i, (name, look) in enumerate(LOOKS.items())
    )


def _bars(frame: Frame) -> tuple[Line, ...]:
    """What each has forgotten, the one in view in a colour of its own; what has left all numbers is infinite."""
    forgotten = np.nan_to_num(frame.run.forgotten(frame.step), nan=np.inf)
    places, here = np.arange(len(NAMES)), np.arange(len(NAMES)) == frame.optimizer
    return tuple(
        Line("", np.where(there, forgotten, np.nan), places, BARS[which], "lying")
        for which, there in (("in view", here), ("others", ~here))
    )


def orthogonal_tasks() -> Explorer[Frame]:
    """The explorer: play the stream, choose the optimizer, the number of tasks, retention and erasing."""
    return Explorer(
        compute,
        {
            "progress": player("Progress (% of all steps)", 75, 100),
            "optimizer": choice("In view", "momentum", NAMES),
            "n": stops("Tasks", 4, TASKS),
            "alpha": slider("Retention α", 0.9, 0.0, 0.98, 0.02),
            "steps": slider("Steps per task", 30, 10, 40, 5),
            "beta": stops("Erasing β (delta forms)", 1.0, (0.0, 0.5, 1.0, 1.5, 2.0, 4.0, 8.0)),
        },
        chart,
        alt="Three of four tasks have been learnt. Left, with momentum: each task's loss swings down from 1 to 0.04 while "
        "it is at hand, and the losses of the two tasks left go on falling, to 0.0002. Middle: what the memory holds of a "
        "task it has left falls on a straight line. Right, forgotten: nothing by SGD, less than nothing by momentum (-0.04), "
        "0.05 to 0.07 by the delta forms and by Muon, 0.12 by Adam.",
        try_this="Press play, then put Adam and Muon in view. Whose steps stay inside the task at hand? Erasing β moves "
        "the three delta forms only.",
        name="orthogonal_tasks",
    )
