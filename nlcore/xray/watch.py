"""What changes, when, by how much, and from what: watched while a training step runs."""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from nlcore import probe
from nlcore.levels import Frequency
from nlcore.xray.carried import carried
from nlcore.xray.flow import Flow
from nlcore.xray.known import ATTENTION, UNKNOWN, Known, of_layer, of_optimizer

LEAST = 4
"""Steps that are always taken: what changes at each of them is seen to."""


class Group(NamedTuple):
    """Of what sort a state is, and whose; what shares both, and its rhythm, is one row."""

    sort: str
    """"weights", "moments" (an optimizer's state), "buffers", or "carried" (from token to token)."""
    owner: str
    """An optimizer's name, or a layer's class; "" for weights that no optimizer has."""
    name: str


@dataclass(eq=False)
class Watched:
    """One tensor, or what one layer carries, and all that was seen of it."""

    group: Group
    place: str
    known: Known
    read: Callable[[], Tensor | None] = lambda: None
    awaited: bool = False
    """Whether it is to change sooner or later."""
    last: Tensor | None = None
    norm: float = 0.0
    """Of what it held at first."""
    held: dict[int, int] = field(default_factory=dict)
    """Bytes, by address."""
    times: dict[int, int | float] = field(default_factory=dict)
    """How often it changed at a step, for steps at which it did."""
    sizes: dict[int, tuple[float, float]] = field(default_factory=dict)
    """Norm of the largest change at a step, and of what was there after it."""
    sources: set["Watched"] = field(default_factory=set)
    needs: set["Watched"] = field(default_factory=set)
    """Those sources whose state was of the same instant."""
    seeds: set[tuple[int, int]] = field(default_factory=set)
    """Backward passes, by step, that it was updated by."""
    begins: list[nn.Parameter] = field(default_factory=list)
    """For what a layer carries, the weights that it begins with, or is made and read by."""

    def note(self, step: int, times: int | float, size: float, norm: float) -> None:
        self.times[step] = self.times.get(step, 0) + times
        self.sizes[step] = max(size, self.sizes.get(step, (size,))[0]), norm

    def frequency(self, steps: int) -> tuple[Frequency, bool]:
        """Updates per step, and whether they came regularly."""
        if not self.times:
            return 0, True
        when, total = sorted(self.times), sum(self.times.values())
        if math.isinf(total):
            return math.inf, True
        gaps, each = {b - a for a, b in pairwise(when)}, set(self.times.values())
        if len(gaps) == len(each) == 1 and when[0] <= min(gaps) > steps - when[-1]:
            return Fraction(each.pop(), gaps.pop()), True
        return Fraction(total, steps), steps == 1


class Watch:
    """Watches modules and optimizers, both by name, while `step` is called again and again."""

    def __init__(self, modules: dict[str, nn.Module], optimizers: dict[str, Optimizer]) -> None:
        self.optimizers = optimizers
        self.layers: dict[nn.Module, str] = {}
        for root, top in modules.items():
            for name, layer in top.named_modules():
                self.layers.setdefault(layer, f"{root}.{name}".strip("."))
        self.steps = 0
        self.inside: list[str] = []
        """Layers whose forward pass is under way."""
        self.flow = Flow()
        self.watched: dict[Any, Watched] = {}
        self._labels: dict[int, Watched] = {}
        self._find_weights()
        self._find_buffers()
        for name in optimizers:
            self._find_moments(name)
        for watched in self.watched.values():
            watched.last = _copy(watched.read())
            watched.norm = 0.0 if watched.last is None else _norm(watched.last)

    def _add(self, key: Any, group: Group, place: str, known: Known, read: Callable, awaited: bool = False) -> None:
        tensor = read()
        if key not in self.watched and tensor is not None and tensor.layout is torch.strided:
            self.watched[key] = Watched(group, place, known, read, awaited)

    def _find_weights(self) -> None:
        """Of all optimizers, then those that no optimizer has."""
        names = {p: f"{place}.{name}".strip(".") for m, place in self.layers.items() for name, p in m._parameters.items() if p is not None}
        for owner, optimizer in self.optimizers.items():
            for number, p in enumerate(p for group in optimizer.param_groups for p in group["params"]):
                known = of_optimizer(type(optimizer))
                self._add(p, Group("weights", owner, "weights"), names.get(p, f"parameter {number}"), known, lambda p=p: p, p.requires_grad)
        for p, place in names.items():
            self._add(p, Group("weights", "", "weights without optimizer"), place, UNKNOWN, lambda p=p: p)

    def _find_buffers(self) -> None:
        for layer, place in self.layers.items():
            for name, buffer in layer._buffers.items():
                if buffer is not None and buffer.dim():  # a number that counts is no memory
                    group = Group("buffers", type(layer).__name__, name)
                    read = lambda buffers=layer._buffers, name=name: buffers.get(name)
                    self._add((layer, name), group, f"{place}.{name}".strip("."), of_layer(layer, name), read)

    def _find_moments(self, owner: str) -> None:
        """An optimizer makes them at its first step. Here too numbers that count, such as its steps, are left out."""
        optimizer = self.optimizers[owner]
        for p, state in optimizer.state.items():
            for name, value in state.items():
                if isinstance(value, Tensor) and (value.dim() or not p.dim()):
                    known = of_optimizer(type(optimizer), name)
                    read = lambda state=optimizer.state, p=p, name=name: state.get(p, {}).get(name)
                    self._add((owner, p, name), Group("moments", owner, name), self.watched[p].place, known, read)

    @contextmanager
    def hooks(self) -> Iterator[None]:
        """Inside it, forward passes and steps of optimizers are seen."""
        with ExitStack() as stack, probe.listen():
            for layer in self.layers:
                stack.callback(layer.register_forward_pre_hook(self._enter).remove)
                stack.callback(layer.register_forward_hook(self._leave, with_kwargs=True).remove)
            for name, optimizer in self.optimizers.items():
                stack.callback(optimizer.register_step_post_hook(lambda *_, name=name: self._stepped(name)).remove)
            yield

    def run(self, step: Callable[[], Any]) -> None:
        """One call of `step`."""
        self.steps += 1
        self.inside.clear()
        self.flow.clear()
        self._labels = {self.flow.of(t): w for w in self.watched.values() if (t := w.read()) is not None}
        self._begin = len(self.flow.parents)
        with torch.enable_grad(), self.flow:
            step()
            for name in self.optimizers:
                self._find_moments(name)
            self._look(self.watched.values())

    def settled(self) -> bool:
        """Whether all that changes, or is to, was seen to do so at two steps."""
        waits = (len(w.times) < 2 and (w.times or w.awaited) for w in self.watched.values())
        return self.steps >= LEAST and not any(waits)

    def _enter(self, layer: nn.Module, args: tuple) -> None:
        self.inside.append(self.layers[layer])

    def _leave(self, layer: nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> None:
        self.inside.pop()
        self._look([self.watched[layer, name] for name in layer._buffers if (layer, name) in self.watched])
        with torch.no_grad(), self.flow.rest():
            for found in carried(layer, args, kwargs, output):
                known = ATTENTION if found.name == "attention" else of_layer(layer, found.name)
                group = Group("carried", type(layer).__name__, found.name)
                watched = self.watched.setdefault((layer, found.name), Watched(group, self.layers[layer], known, begins=found.weights))
                if found.writes:
                    watched.note(self.steps, found.writes, found.size, found.norm)
                watched.held = found.held

    def _stepped(self, owner: str) -> None:
        self._find_moments(owner)
        self._look([w for w in self.watched.values() if w.group.owner == owner and w.group.sort in ("weights", "moments")])

    @torch.no_grad()
    def _look(self, some: Iterable[Watched]) -> None:
        """Compares with what was there at the last look."""
        with self.flow.rest():
            changed: dict[Group, list[Watched]] = {}
            for watched in some:
                now = watched.read()
                if now is None:
                    continue
                size = self._change(now, watched.last)
                if size != 0 or watched.last is None:
                    watched.last = _copy(now)
                if size != 0:
                    watched.note(self.steps, 1, size, _norm(now))
                    changed.setdefault(watched.group, []).append(watched)
            if changed:
                here = {self.flow.of(t): w for w in self.watched.values() if (t := w.read()) is not None}
                self._labels |= here
                for together in changed.values():
                    self._trace(together, here)

    def _change(self, now: Tensor, last: Tensor | None) -> float:
        """Norm of the change; NaN where it has none, on `meta`, or because the size changed."""
        if now.is_meta:  # nothing to compare, but written since or not
            return 0.0 if self.flow.of(now) in self._labels else math.nan
        if last is None:  # just made: from nothing
            return _norm(now)
        return _norm(_wide(now) - _wide(last)) if now.shape == last.shape else math.nan

    def _trace(self, changed: list[Watched], here: dict[int, Watched]) -> None:
        """What these, which changed together, were computed from."""
        found = self.flow.sources([self.flow.of(w.read()) for w in changed], self._labels)
        for watched in changed:
            watched.sources |= {self._labels[node] for node in found if node in self._labels}
            now = {here[node] for node in found if node in here and node >= self._begin}
            watched.needs |= {w for w in now if w.times.get(self.steps) == watched.times[self.steps]}
            watched.seeds |= {(self.steps, node) for node in found & self.flow.seeds}


def _copy(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor.detach().clone()


def _wide(tensor: Tensor) -> Tensor:
    """In a format in which differences of it can be taken, and squares do not vanish."""
    widest = torch.float32 if tensor.device.type == "mps" else torch.float64
    return tensor.detach().to(torch.promote_types(tensor.dtype, widest))


def _norm(tensor: Tensor) -> float:
    return math.nan if tensor.is_meta else float(torch.linalg.vector_norm(_wide(tensor)))
