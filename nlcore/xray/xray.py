"""The X-ray: a training step, taken apart into loops that learn at their own frequencies."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, overload

from torch import Tensor, nn
from torch.nn.parameter import UninitializedTensorMixin
from torch.optim import Optimizer

from nlcore.levels import Kind, NestedSystem
from nlcore.xray.kept import unchanged
from nlcore.xray.loops import Loop, counted, read
from nlcore.xray.watch import Watch, Watched

MOST = 32
COLUMNS = ("level", "loop", "state", "objective", "rule", "period", "bytes", "context", "hands its knowledge to")


@dataclass(frozen=True)
class Xray:
    """What `xray` found. Printed, or at the end of a notebook's cell, it is the table of loops."""

    system: NestedSystem
    """Its components are loops, fastest first; frequencies are in updates per step."""
    steps: int
    """That were begun."""
    stopped: str
    """Why it ended early, and where; "" if it did not."""
    records: list[dict[str, Any]]
    """Each loop at each step, as a run's levels.jsonl has it, for the level score; what is solved anew is left out."""

    @property
    def loops(self) -> tuple[Loop, ...]:
        return self.system.components

    def text(self) -> str:
        """The table, in Markdown that can be read as it is, and what it rests on."""
        number = {c.name: str(n) for n, level in zip(range(len(self.system.levels), 0, -1), self.system.levels) for c in level}
        rows = [COLUMNS] + [(number[loop.name], *self._cells(loop)) for loop in self.loops]
        widths = [max(map(len, column)) for column in zip(*rows)]
        lines = ["| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths)) + " |" for row in rows]
        lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
        about = f"Measured over {counted(self.steps, 'step')}, in updates per step; level 1 is the slowest. Objective and rule come from a table of known classes."
        return "\n".join(lines + ["", about] + [self.stopped] * bool(self.stopped))

    def _cells(self, loop: Loop) -> tuple[str, ...]:
        hands: dict[Kind, list[str]] = {}
        for transfer in self.system.transfers:
            if transfer.source == loop.name:
                hands.setdefault(transfer.kind, []).append(transfer.target)
        to = "; ".join(f"{', '.join(targets)} ({kind})" for kind, targets in hands.items()) or "nobody seen"
        count = "unknown" if loop.bytes is None else f"{loop.bytes:,}"
        return loop.name, loop.state, loop.objective, loop.rule, loop.period, count, loop.context, to

    __str__ = _repr_markdown_ = text


@overload
def xray(model: nn.Module, optimizer: Optimizer, batch: Any, loss: Callable[..., Tensor], /, *, most: int = MOST) -> Xray: ...


@overload
def xray(
    step: Callable[[], Any],
    modules: nn.Module | Sequence[nn.Module] | Mapping[str, nn.Module],
    optimizers: Optimizer | Sequence[Optimizer] | Mapping[str, Optimizer],
    /,
    *,
    most: int = MOST,
) -> Xray: ...


def xray(*given: Any, most: int = MOST) -> Xray:
    """Reads a training step into a nested system: who learns what, how often, from what, for whom.

        xray(step, modules, optimizers)         any training step of yours, called without arguments
        xray(model, optimizer, batch, loss)     the usual one: gradients cleared, `loss`, backward, step

    `step` is called again and again, on real numbers, until all that changes was seen to change at two steps, at
    least 4 and at most `most` times; a data iterator of its own moves on, as does all else that neither the modules
    nor the optimizers hold, a scheduler for example. These are afterwards as they were, also after an error or an
    interrupt: parameters, gradients, buffers, optimizer states, hooks, training flags, random state. An error in
    `step` ends the X-ray and is told in `stopped`, beside what was found until then; an interrupt is raised.

    Measured are frequencies, sizes of updates, bytes, and dependence: every operation of torch is followed, from
    each new state back to those that it was computed from. Not seen is what passes through Python numbers, or a
    kernel that torch does not know. Of what layers carry from token to token only known classes are told:
    torch's recurrent layers, attention, and this course's memories. Objective and rule cannot be measured; they
    come from a table of known classes, and are 'unknown' elsewhere. On `meta` no number can change: one step is
    taken, and frequencies are declared. Needs the memory of two copies of what it watches.

    Args:
        step: one training step.
        modules: one, several, or by name.
        optimizers: torch optimizers: one, several, by name, or none.
        batch: a mapping, passed to the model by name; a pair (input, target); or anything else, the input.
        loss: gives the loss from the model's output and, for a pair, the target.
        most: steps at most. A loop that fires once in n steps is seen to from 2 n on.

    Raises ValueError, in one sentence, before anything is run, for arguments of another kind, and for a model
    whose parameters have no size yet.
    """
    if len(given) == 4:
        model, optimizers, batch, loss = given
        modules, step = model, partial(_usual, model, optimizers, batch, loss)
    elif len(given) == 3:
        step, modules, optimizers = given
    else:
        raise ValueError(f"xray got {len(given)} arguments: give (step, modules, optimizers), or (model, optimizer, batch, loss)")
    modules, optimizers = _named(modules, nn.Module, "modules"), _named(optimizers, Optimizer, "optimizers")
    _check(step, modules, most)
    with unchanged([*(m for top in modules.values() for m in top.modules()), *optimizers.values()]):
        watch = Watch(modules, optimizers)
        stopped = _run(watch, step, most)
    system, made_of = read(watch)
    return Xray(system, watch.steps, stopped, [record for name, some in made_of.items() for record in _records(name, some, watch, system)])


def _usual(model: nn.Module, optimizer: Optimizer, batch: Any, loss: Callable[..., Tensor]) -> None:
    optimizer.zero_grad()
    if isinstance(batch, Mapping):
        value = loss(model(**batch))
    elif isinstance(batch, tuple | list) and len(batch) == 2:
        value = loss(model(batch[0]), batch[1])
    else:
        value = loss(model(batch))
    value.backward()
    optimizer.step()


def _run(watch: Watch, step: Callable[[], Any], most: int) -> str:
    """Steps until all is seen; returns why it could not go on, if so."""
    on_meta = any(w.last is not None and w.last.is_meta for w in watch.watched.values())
    try:
        with watch.hooks():
            while watch.steps < (1 if on_meta else most) and not watch.settled():
                watch.run(step)
    except Exception as error:
        where = f" in the forward pass of {watch.inside[-1] or 'the model'}" if watch.inside else ""
        return f"Step {watch.steps} failed{where}: {type(error).__name__}: {error}"
    return ""


def _records(name: str, some: list[Watched], watch: Watch, system: NestedSystem) -> list[dict[str, Any]]:
    """Of one loop: at each step, how often it changed, and how much of it."""
    loop = next(c for c in system.components if c.name == name)
    norms, found = {w: w.norm for w in some}, []
    for step in range(1, watch.steps + 1):
        norms |= {w: w.sizes[step][1] for w in some if step in w.sizes}
        update, weight = (sum(x * x for x in values) ** 0.5 for values in ((w.sizes[step][0] for w in some if step in w.sizes), norms.values()))
        times = max(w.times.get(step, 0) for w in some)
        if times != float("inf"):
            period = 1 / loop.frequency if loop.frequency else float("inf")
            found.append({"level": name, "step": step, "unit": "steps", "period": period, "fired": times > 0, "writes": times,
                          "update_norm": update, "weight_norm": weight})
    return found


def _named(given: Any, kind: type, what: str) -> dict[str, Any]:
    """By name. One alone has none, several of a class are numbered."""
    some = list(given.values()) if isinstance(given, Mapping) else [given] if isinstance(given, kind) else given
    if not isinstance(some, list | tuple) or not all(isinstance(one, kind) for one in some):
        raise ValueError(f"{what} is {given!r:.80}: give a torch {kind.__name__}, several in a list, or a mapping of names to them")
    if isinstance(given, Mapping):
        return dict(given)
    classes = [type(one).__name__ for one in some]
    names = [name if classes.count(name) == 1 else f"{name} {classes[:i].count(name) + 1}" for i, name in enumerate(classes)]
    return dict(zip([""] if kind is nn.Module and len(some) == 1 else names, some))


def _check(step: Any, modules: dict[str, nn.Module], most: int) -> None:
    if not callable(step):
        raise ValueError(f"step is {step!r:.80}: give a function without arguments that trains for one step")
    if not modules:
        raise ValueError("there are no modules to look at: give at least one")
    if not isinstance(most, int) or most < 1:
        raise ValueError(f"most is {most!r}: give a whole number of steps, 1 or more")
    for name, module in modules.items():
        if any(isinstance(t, UninitializedTensorMixin) for t in [*module.parameters(), *module.buffers()]):
            raise ValueError(f"{name or type(module).__name__} has parameters without a size: call it once before the X-ray")
