"""Levels that learn while the model reads: continuum memory whose periods are counted in tokens (eq. 70-74)."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel

from nlcore import probe
from nlcore.levels import Level, every
from nlcore.models.language_model import LanguageModel, Output, check_tokens
from nlcore.models.presets import Preset
from nlcore.models.stacked import Stacked

COLDEST = 0.1
"""Of its rate a level takes this part at the first outer step of its warm-up."""

Tensors = tuple[Tensor, ...]


@dataclass(frozen=True)
class InnerLevel:
    """How one level of the continuum memory learns from the text that it reads.

    Raises ValueError for a number that cannot be what it is.
    """

    name: str
    """That of the level in the model, as "cms-3"."""
    period: int
    """Tokens between its steps."""
    rate: float
    """Of a step of plain gradient descent on the mean loss of a token; 0 never moves."""
    clip: float = 1.0
    """Largest norm of the gradient, over the level's weights in all blocks, for each sequence."""
    warm_up: int = 0
    """Outer steps over which the rate rises from a tenth of itself: see `InContext.at_step`."""

    def __post_init__(self) -> None:
        if type(self.period) is not int or self.period < 1:
            raise ValueError(f"the period of {self.name} is {self.period!r}: give a whole number of tokens, 1 or more")
        if not 0 <= self.rate < float("inf"):
            raise ValueError(f"the rate of {self.name} is {self.rate!r}: give a number, 0 or more")
        if not self.clip > 0:
            raise ValueError(f"the clip of {self.name} is {self.clip!r}: give a number above 0; inf clips nothing")
        if type(self.warm_up) is not int or self.warm_up < 0:
            raise ValueError(f"the warm-up of {self.name} is {self.warm_up!r}: give a number of outer steps, 0 or more")


class InContextState(NamedTuple):
    """What a text has left behind. Each tensor has the batch first."""

    moved: tuple[Tensors, ...]
    """A level's way from its start, fastest level first; in a nested system then that of the start of its child."""
    gathered: tuple[Tensors, ...]
    """The gradients since the level's last step, in the same places."""
    opened: tuple[Any, ...] | None
    """The model's state where the open chunk began. Before one is closed that is a fresh one, and this says nothing."""
    now: tuple[Any, ...] | None
    """The model's state after the newest token."""
    tokens: Tensor
    """The open chunk so far, (B, n)."""
    closed: int
    """Chunks that were learnt from."""


@dataclass
class Writer:
    """One level's part in `nlcore.models.without`."""

    eta_scale: float = 1.0


class InContext(nn.Module):
    """A language model whose continuum levels take steps of gradient descent on the text that they read.

    A text is cut into chunks as long as the shortest period. All tokens of a chunk are read with the weights that the
    chunk began with. Once the token after it is known, and before that token is read, the chunk's next-token loss gives
    its gradient with respect to those weights. A level gathers these gradients, and where a period of its own is
    over it takes one step along their mean: eq. 71 with gradient descent for the optimizer, where eta_t is the rate
    over C(l), and the sum is over the C(l) tokens that have passed (print counts one more, as `LevelOptimizer` says).
    So a token's logits never depend on its own loss, nor on that of any later token.

    Each sequence of a batch has weights of its own: they begin as the model's parameters and are never averaged. What
    is kept is how far they have moved, so the parameters are the levels' learnt starts: the outer training learns them,
    as the slowest level of all (eq. 73), and a state that is carried over an outer step moves along with them.

    Nested (eq. 72), the start of each level but the slowest given is held by the next slower one: it is the
    parameters, and what the text has added to them. Print says that the level "will be re-initialized" to it after
    ceil(C(s) / C(s + 1)) steps, where C(s) is the slower one's period; it asks for the best start and leaves open how
    it is found. Here the slower level takes its own step on the start too, along what the faster one has gathered
    since: the gradient to first order, and part of what its clip measures. Starts are not restarted.

    To first order the outer gradient takes the inner steps as given numbers, and each chunk's own graph is gone once
    it was learnt from. To second order it goes through them and keeps all those graphs, so it is for small sizes. Both
    give the same logits.

    Two calls with the state carried between them equal one, wherever the cut: the state keeps the open chunk, which is
    read once more when it is learnt from.

    Args:
        model: one with a continuum memory as the channel layer of its blocks, or one that levels are `Stacked` on.
        levels: of the model's levels those that learn in context; each period a multiple of the next shorter.
        nested: whether levels restart from starts that their parents hold.
        second_order: whether the outer gradient goes through the inner steps.

    Raises ValueError for levels that the model lacks, that are named twice, or whose periods do not fit, and for second
    order with blocks that are checkpointed.
    """

    def __init__(
        self,
        model: LanguageModel | Stacked,
        levels: Sequence[InnerLevel],
        nested: bool = False,
        second_order: bool = False,
    ) -> None:
        super().__init__()
        inner = tuple(sorted(levels, key=lambda level: level.period))
        _check_levels(inner, model)
        if second_order and model.checkpointed:
            raise ValueError(
                "second order keeps the graph of every chunk, and checkpointed blocks keep none: "
                "choose first order, or a model whose blocks are not checkpointed"
            )
        self.model, self.inner, self.nested, self.second_order = model, inner, nested, second_order
        self.own = tuple(_parameters(model, model.places(level.name)) for level in inner)
        """Where each level's parameters are, fastest level first: the names of a module, and of a parameter in it."""
        self.eta_scale = 1.0
        """Multiplies every rate; see `nlcore.models.set_memory_rate`."""
        self.scales = {f"{level.name} in context": Writer() for level in inner}
        self.step: int | None = None

    @property
    def chunk(self) -> int:
        """Tokens of a chunk."""
        return self.inner[0].period

    @property
    def periods(self) -> dict[str, int]:
        """Tokens between two steps of each level that learns in context, fastest first."""
        return {name: level.period for name, level in zip(self.scales, self.inner)}

    @property
    def embedding(self) -> nn.Embedding:
        return self.model.embedding

    @property
    def preset(self) -> Preset:
        return self.model.preset

    def levels(self) -> tuple[Level, ...]:
        """The levels that learn in context are levels of their own, fastest first among the model's."""
        found = [Level(name, period, "tokens") for name, period in self.periods.items()]
        whole = self.model.levels()
        found += [level for level in whole if level.unit == "tokens"]
        return (*sorted(found, key=lambda level: level.period), *(level for level in whole if level.unit == "steps"))

    level_of = LanguageModel.level_of
    generate = LanguageModel.generate

    def writers(self, level: str) -> list[Writer]:
        """What writes at this level: see `Block`."""
        return [self.scales[level]]

    def at_step(self, step: int | None) -> None:
        """Says which outer step this is, counted from 1, so that rates are those of the warm-up; None: it is over."""
        self.step = step

    def start(self, batch: int) -> InContextState:
        """The state before a text, for so many sequences."""
        starts, moved = self.starts(), []
        for i, own in enumerate(starts):
            held = own + starts[i - 1] if self.nested and i > 0 else own
            moved.append(tuple(start.new_zeros(batch, *start.shape) for start in held))
        tokens = torch.zeros(batch, 0, dtype=torch.int64, device=self.embedding.weight.device)
        return InContextState(tuple(moved), tuple(moved), None, None, tokens, 0)

    def starts(self) -> list[Tensors]:
        """The parameters that each level begins with, fastest level first."""
        parameters = dict(self.model.named_parameters())
        return [tuple(parameters[f"{place}.{name}"] for place, name in own) for own in self.own]

    def forward(self, tokens: Tensor, state: InContextState | None = None, detached: bool = False) -> Output:
        """`tokens` (B, T) of any integer dtype, T at least 1. `state` is that of an earlier call; None is a fresh one.

        `detached`: as of `LanguageModel`.

        While `probe` listens, the model's reports are there, as of calls that end where a chunk does, and the report
        "continuum": the losses of the chunks learnt from, "loss" (B, chunks), and of each level the norms of its steps
        and of its weights after them, "update/cms-3 in context" and "norm/cms-3 in context", (steps, B) each. Raises
        ValueError as the model does, and under `torch.inference_mode`; `torch.no_grad` is welcome.
        """
        check_tokens(tokens, self.embedding.num_embeddings)
        if torch.is_inference_mode_enabled():
            raise ValueError("levels that learn take gradients, and torch.inference_mode has none: use torch.no_grad")
        tokens = tokens.long()
        if state is None:
            state = self.start(len(tokens))
        elif detached:
            state = self.attach(state)
        if len(state.tokens) != len(tokens):
            raise ValueError(f"the state is that of {len(state.tokens)} sequences, and {len(tokens)} came: give the same")
        logits, seen = [], []
        while tokens.shape[1]:
            steps, loss = {}, None
            if state.tokens.shape[1] == self.chunk:
                state, steps, loss = self._learn(state, tokens[:, :1])
            piece, tokens = tokens.tensor_split([self.chunk - state.tokens.shape[1]], dim=-1)
            output = self._read(piece, state.now, self._weights(state.moved))
            logits.append(output.logits)
            opened = state.opened if state.closed else output.state
            state = state._replace(opened=opened, now=output.state, tokens=torch.cat([state.tokens, piece], 1))
            if probe.listening():
                seen.append(output.reports | {"continuum": self._report(state, steps, loss)})
        return Output(torch.cat(logits, 1), self.detach(state) if detached else state, _joined(seen))

    def _weights(self, moved: tuple[Tensors, ...]) -> list[Tensors]:
        """Each sequence's own weights, of the levels as in `own`: their start, and the way from there."""
        found = []
        for i, weights in enumerate(self.starts()):
            if self.nested and i + 1 < len(self.own):
                weights = map(torch.add, weights, moved[i + 1][len(self.own[i + 1]) :])
            found.append(tuple(map(torch.add, weights, moved[i])))
        return found

    def _read(self, tokens: Tensor, state: Any, weights: list[Tensors]) -> Output:
        """The model, with these weights in the place of its own."""
        placed: dict[str, dict[str, Tensor]] = {}
        for (place, name), weight in zip(chain(*self.own), chain(*weights), strict=True):
            placed.setdefault(place, {})[name] = weight
        return self.model(tokens, state, placed)

    def _learn(self, state: InContextState, following: Tensor) -> tuple[InContextState, dict[int, Tensors], Tensor]:
        """Closes the open chunk, whose last target is `following` (B, 1): its gradient is gathered, due levels step.

        Returns the state, what the levels that were due have taken from their weights, and the chunk's loss (B,).
        """
        loss, gradients = self._gradients(state, following)
        if self.nested:
            gradients = (gradients[0], *(own + child for child, own in zip(gradients, gradients[1:])))
        gathered = [tuple(map(torch.add, old, new)) for old, new in zip(state.gathered, gradients)]
        moved, closed = list(state.moved), state.closed + 1
        due = [i for i, level in enumerate(self.inner) if closed * self.chunk % level.period == 0]
        steps = {i: self._steps(i, gathered[i]) for i in due}
        for i in due:
            moved[i] = tuple(map(torch.sub, moved[i], steps[i]))
            gathered[i] = tuple(map(torch.zeros_like, gathered[i]))
        for i in due if self.nested else ():
            if i > 0:  # the child's context is over: it stands at its start again
                way = len(self.own[i - 1])
                moved[i - 1] = (*map(torch.zeros_like, moved[i - 1][:way]), *moved[i - 1][way:])
        state = InContextState(tuple(moved), tuple(gathered), state.now, state.now, state.tokens[:, :0], closed)
        return state, steps, loss

    @torch.no_grad()
    def _report(self, state: InContextState, steps: dict[int, Tensors], loss: Tensor | None) -> dict[str, Tensor]:
        """What `_learn` did, if anything: see `forward`."""
        weights, nothing = self._weights(state.moved), self.embedding.weight.new_zeros(0, len(state.tokens))
        report = {"loss": nothing.mT if loss is None else loss.detach()[:, None]}
        for i, name in enumerate(self.scales):
            for figure, parts in (("update", steps.get(i)), ("norm", weights[i])):
                report[f"{figure}/{name}"] = _norm([x.detach() for x in parts])[None] if i in steps else nothing
        return report

    def _gradients(self, state: InContextState, following: Tensor) -> tuple[Tensor, tuple[Tensors, ...]]:
        """Each sequence's mean loss over its open chunk, (B,), and the gradients at the weights that read the chunk."""
        through = self.second_order and torch.is_grad_enabled()
        # Fused attention has no second derivative.
        with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH) if through else nullcontext():
            weights = [
                tuple(w if through and w.requires_grad else w.detach().requires_grad_() for w in level)
                for level in self._weights(state.moved)
            ]
            logits = self._read(state.tokens, state.opened if state.closed else None, weights).logits
            targets = torch.cat([state.tokens[:, 1:], following], 1)
            logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
            loss = F.cross_entropy(logits.mT, targets, reduction="none").mean(1)
            # Zeros for a level that the model is to do without: see `nlcore.models.without`.
            flat = torch.autograd.grad(loss.sum(), [*chain(*weights)], create_graph=through, materialize_grads=True)
        gradients = iter(flat)
        return loss, tuple(tuple(islice(gradients, len(level))) for level in weights)

    def _steps(self, i: int, gathered: Tensors) -> Tensors:
        """What a level takes away from its weights: for each sequence its rate times the mean gradient, clipped."""
        level = self.inner[i]
        mean = [gradient * (self.chunk / level.period) for gradient in gathered]
        rate = level.rate * self._warmth(level) * self.eta_scale * self.scales[f"{level.name} in context"].eta_scale
        factor = rate / ((_norm(mean) + 1e-6) / level.clip).clamp(min=1)  # so that a clip of inf has a derivative
        return tuple(factor.view(-1, *[1] * (g.dim() - 1)) * g for g in mean)

    def _warmth(self, level: InnerLevel) -> float:
        if self.step is None or self.step > level.warm_up:
            return 1.0
        return COLDEST + (1 - COLDEST) * (self.step - 1) / level.warm_up

    def detach(self, state: InContextState) -> InContextState:
        """A state without gradient, to keep while an outer step changes the parameters: see `attach`."""
        levels = (tuple(tuple(x.detach().clone() for x in level) for level in part) for part in state[:2])
        model = (None if part is None else self.model.detach(part) for part in (state.opened, state.now))
        return InContextState(*levels, *model, state.tokens.clone(), state.closed)

    def attach(self, detached: InContextState) -> InContextState:
        """The state to hand to the next call: levels have moved from the starts of now as from those of then."""
        model = (None if part is None else self.model.attach(part) for part in (detached.opened, detached.now))
        return detached._replace(**dict(zip(("opened", "now"), model)))

    def summary(self) -> str:
        """A line a level: when it learns, at which rate, and the bytes that each sequence keeps for it."""
        lines = []
        for level, moved in zip(self.inner, self.start(1).moved):
            size = 2 * sum(way.nbytes for way in moved)  # and as much for the gradients that it gathers
            lines.append(
                f"{level.name:<8}learns {every(level.period, 'tokens')}, rate {level.rate:g}, clip {level.clip:g}: "
                f"{size:,} bytes a sequence"
            )
        return "\n".join(lines)


def _parameters(model: nn.Module, places: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((place, name) for place in places for name, _ in model.get_submodule(place).named_parameters())


def _norm(parts: Sequence[Tensor]) -> Tensor:
    """Of all parts together, for each sequence: (B,)."""
    return torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(x.flatten(1), dim=1) for x in parts]), dim=0)


def _joined(seen: list[dict[str, dict[str, Tensor]]]) -> dict[str, dict[str, Tensor]]:
    """The reports of all pieces as one: "figure/memory" has a write after the other, (writes, ...), others (B, tokens)."""
    return {
        block: {name: torch.cat([r[block][name] for r in seen], 0 if "/" in name else 1) for name in report}
        for block, report in (seen[0] if seen else {}).items()
    }


def _check_levels(inner: tuple[InnerLevel, ...], model: LanguageModel | Stacked) -> None:
    if not inner:
        raise ValueError("no level was given: name at least one of the model's, as InnerLevel('cms-3', 16, 0.1)")
    names = [level.name for level in inner]
    if len(set(names)) < len(names):
        raise ValueError(f"the levels are {', '.join(names)}: name each once")
    for level in inner:
        if not model.places(level.name):
            raise ValueError(f"there is no level {level.name!r} that could learn in context: see model.levels()")
    for fast, slow in zip(inner, inner[1:]):
        if slow.period % fast.period:
            raise ValueError(
                f"{slow.name} learns every {slow.period} tokens and {fast.name} every {fast.period}: "
                "let each period be a multiple of the next shorter"
            )
