"""Self-modifying Titans: memories that make their own keys, values and rates, and rewrite themselves."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlcore import probe, regions
from nlcore.layers.convolution import WIDTH, check_call, convolve, near_identity
from nlcore.layers.fitting import MAKES, RATES, check, largest
from nlcore.layers.learning import Learning, Learns, given, own_answer
from nlcore.layers.memory_group import MemoryGroup, Tokens, unit
from nlcore.layers.norm import rms_norm
from nlcore.layers.open_chunk import Heard, OpenChunk
from nlcore.layers.write_log import WriteLog
from nlcore.memory import (
    L2,
    Architecture,
    DeltaGradientDescent,
    NarrowMLP,
    Objective,
    PullToStart,
    ResidualMLP,
    Retention,
    Rule,
    State,
)
from nlcore.ops.pieces import pieces
from nlcore.regions import region

GROUPS = ("projections", "rate_memories", "memory")


class SelfModifyingState(NamedTuple):
    """All that a layer carries from one call to the next: a pytree of tensors."""

    projections: State | tuple[()]
    """The memories that make k, v, eta, alpha (and q): (B, M, H, out, in); empty if there are none."""
    rate_memories: State | tuple[()]
    """Those of eta and alpha, if they are narrow and so have a group of their own; else empty."""
    memory: State
    """The main memory: (B, 1, H, out, in)."""
    open: Tokens
    """Tokens since the last projection boundary. Those not yet in a whole chunk wait here."""
    tail: Tensor
    """The causal convolution's last inputs, (B, 3, dim)."""
    position: int
    """Tokens since the last projection boundary: not all so far, so that the same call comes again, and is compiled once."""


class SelfModifyingTitans(nn.Module):
    """A sequence layer of memories, five a head by default, that make the tokens they learn from (eq. 83-97).

    At each token a main memory is given a key, a value and two rates, and asked at a query. Each of
    these is made by a memory of its own if it is named in `adaptive`, and else by a plain matrix of
    the slow level. At the end of a chunk each memory learns, under the shared key, the value it makes
    itself. All writes are differentiable, so outer gradients reach every start through every write.

    Keys, values, rates and every gradient are taken at the states that their chunks began
    with (eq. 90). Where the main memory is read is a choice, since three readings stand in
    print: at the state that its chunk began with, so that a token never sees its own chunk
    (eq. 90, "boundary"); after the tokens before this one (eq. 83 and 94, "before"); or after
    this one too (eq. 82, "after"). The inner two add no sequential step: see `ops/delta_rule`.
    A chunk that is still open when the call ends waits in the state: two calls equal one,
    wherever the cut.

    What keeps it stable: keys, values and inputs have length one; objective and rule decide what a
    token may write at most (`Bound`), which momentum makes 1 - theta times as large; and what makes the
    next key is written with a small share of it. For linear memories under given keys and values that is
    proved (`ops/delta_rule`); for the whole layer, which makes both itself, it is measured. Gradients of long
    hostile texts stay small with the default's chunks, and in heads of 32 and more with any. In heads of 8 with
    chunks of 4 some reach thousands, and with linear memories that learn `own_answer` millions: for long texts
    give these `soft_answer`, and with the dot product eta_max=1 (at which parity is learnt no more so soon).

    Titans are `adaptive=(), learns=given, rule=GradientDescent(), retention=Decay(), momentum=True,
    reads="after"`: no memory then modifies itself. It is `FastWeight` with `FAMILY["titans"]` but for
    two things: the rates are bounded, and theta is one a head.

    Args:
        dim: width of the input and of the output.
        heads: must divide `dim`.
        hidden: hidden width of every memory.
        chunks: tokens between writes of the main memory, and of the others; the first
            must divide the second.
        momentum: Titans' momentum on every memory, one learnt decay `theta` a head, eta
            and budget scaled by 1 - theta. Eq. 88 has none, and neither has the default.
        reads: where the main memory is read: "boundary", "before" or "after".
        narrow_rates: the memories of eta and alpha answer one number a head (`NarrowMLP`), to which a slow
            vector adds what it reads from their input; by default they answer a vector, which it reads.
        projections_share: the part of eta and of its bound with which all memories but the main
            one are written. They make the key and the rates of their own next write, so what
            they write comes back to them. 1 is there for runs that were begun so.
        architecture: makes the memories' own from the width of a head and the hidden width, as `ResidualMLP`
            (eq. 89), or `matrix` for linear ones.
        objective: `L2` (eq. 93) or `DotProduct` (eq. 92).
        rule: `DeltaGradientDescent` (eq. 88), or `GradientDescent`, which erases nothing.
        retention: `PullToStart`; `Decay`, as printed, which shrinks the memories towards zero even
            where nothing is written (eta 0); or `KeepAll`, with which there is no alpha.
        learns: `own_answer` (eq. 83-85), `soft_answer`, which is never steep, or `given`: the token's value as it is.
        adaptive: which of MAKES have a memory of their own. All but the query's by default (eq. 83).
        eta_max: upper bound of eta and, where tokens share one, the write budget: at most what is stable for
            this objective, rule and architecture (`Learning.largest`), which None takes. For the default that is 1/2,
            no narrow bound: a write's transition, alpha - 2 eta, then reaches from -1 to 1. For linear
            memories with the dot product it is 2, where alpha - eta does.

    Raises ValueError, with one sentence, for choices that do not fit together.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        hidden: int,
        chunks: tuple[int, int] = (16, 64),
        momentum: bool = False,
        reads: str = "boundary",
        narrow_rates: bool = False,
        projections_share: float = 0.1,
        architecture: Callable[[int, int], Architecture] = ResidualMLP,
        objective: Objective = L2(),
        rule: Rule = DeltaGradientDescent(),
        retention: Retention = PullToStart(),
        learns: Learns = own_answer,
        adaptive: tuple[str, ...] = ("k", "v", "eta", "alpha"),
        eta_max: float | None = None,
    ) -> None:
        super().__init__()
        self.learning = Learning(objective, rule, retention, learns, bool(adaptive))
        check(dim, heads, chunks, reads, projections_share, learns, adaptive)
        self.heads, self.width, self.reads = heads, dim // heads, reads
        self.chunks = tuple(chunks) if adaptive else (chunks[0],) * 2
        self.eta_scale = 1.0  # steers the in-context level from outside; 0 freezes every memory
        needed = [name for name in MAKES if name != "alpha" or self.learning.forgets]
        narrow = [name for name in RATES if narrow_rates and name in needed and name in adaptive]
        wide = [name for name in needed if name in adaptive and name not in narrow]
        self.static = tuple(name for name in needed if name not in adaptive)

        def group(names: list[str], made: Architecture, share: float = 1.0) -> MemoryGroup | None:
            return MemoryGroup(tuple(names), heads, made, share) if names else None

        if narrow and learns is given:
            raise ValueError("narrow memories answer one number, and cannot learn the value given: leave out narrow_rates")
        memory = architecture(self.width, hidden)
        self.eta_max = largest(eta_max, memory, self.width, self.learning)
        self.projections = group(wide, memory, projections_share)
        self.rate_memories = group(narrow, NarrowMLP(self.width, hidden), projections_share)
        self.memory = group(["memory"], memory)
        self.w_in = nn.Linear(dim, dim, bias=False)
        self.convolution = near_identity(dim)
        for name in self.static:
            self.add_module(f"w_{name}", nn.Linear(dim, heads if name in RATES else dim, bias=False))
        for name in RATES:
            if name in wide + narrow:
                self.register_parameter(f"read_{name}", nn.Parameter(torch.randn(heads, self.width) * 0.1))
        self.bias_eta = nn.Parameter(torch.zeros(heads))
        # Half-lives from 38 to 760 tokens: heads that forget at different speeds.
        self.bias_alpha = nn.Parameter(torch.linspace(4.0, 7.0, heads)) if self.learning.forgets else None
        self.theta = nn.Parameter(torch.full((heads,), -2.0)) if momentum else None
        self.norm = rms_norm(self.width)
        self.w_out = nn.Linear(dim, dim, bias=False)

    @property
    def periods(self) -> dict[str, int]:
        """Tokens between two writes of each in-context level, fastest first."""
        makers = {"projections": self.chunks[1]} if self.projections or self.rate_memories else {}
        return {"memory": self.chunks[0]} | makers

    def writers(self, level: str) -> list[nn.Module]:
        """Those parts that write on a level of `periods`, each with an `eta_scale`."""
        parts = {"memory": [self.memory], "projections": [self.projections, self.rate_memories]}[level]
        return [part for part in parts if part is not None]

    def start(self, batch: int, dtype: torch.dtype = torch.float32) -> SelfModifyingState:
        """The state before the first token: the learnt starts, and nothing open."""
        device = self.w_in.weight.device
        tokens = torch.zeros(batch, self.heads, 0, self.width, dtype=dtype, device=device)
        rates = tokens[..., 0]
        starts = self._by_group(lambda group: group.start(batch, dtype, self.theta is not None))
        tail = torch.zeros(batch, WIDTH - 1, self.w_in.out_features, dtype=dtype, device=device)
        return SelfModifyingState(**starts, open=Tokens(tokens, tokens, rates, rates), tail=tail, position=0)

    def detach(self, state: SelfModifyingState) -> SelfModifyingState:
        """The state without gradient, its memories told from their starts: for `attach`, after an outer step too.

        Nothing in it is a view, so that none of the call's activations stays for its sake.
        """
        return SelfModifyingState(
            **self._by_group(lambda group, own: group.detach(own, self.learning.tied), state),
            open=Tokens(*(x.detach().clone() for x in state.open)),
            tail=state.tail.detach().clone(),
            position=state.position,
        )

    def attach(self, detached: SelfModifyingState) -> SelfModifyingState:
        """The state to go on from, from what `detach` made of an earlier one: see `MemoryGroup.attach`."""
        return detached._replace(**self._by_group(lambda group, own: group.attach(own, self.learning.tied), detached))

    def _by_group(self, make: Callable[..., State], *states: SelfModifyingState) -> dict[str, State | tuple[()]]:
        """What `make` makes of each group, and of its part of the states; () for a group that is not there."""
        groups = self._groups()
        return {
            name: make(groups[name], *(getattr(state, name) for state in states)) if name in groups else ()
            for name in GROUPS
        }

    def _groups(self) -> dict[str, MemoryGroup]:
        """Those that are there, by name, in the order of GROUPS."""
        return {name: getattr(self, name) for name in GROUPS if getattr(self, name) is not None}

    def forward(
        self, x: Tensor, state: SelfModifyingState | None = None
    ) -> tuple[Tensor, SelfModifyingState, dict[str, Tensor] | None]:
        """`x` (B, T, dim), T at least 1, to (B, T, dim), the state after it, and a report while `probe` listens.

        Memories are kept and written in float32 or wider, under autocast too.
        Raises ValueError for no token at all, or for a state narrower than that.
        """
        dtype = torch.promote_types(x.dtype, torch.float32)
        check_call(x, None if state is None else state.tail, dtype)
        state = self.start(x.shape[0], dtype) if state is None else state
        inputs, static, tail = self.inputs(x, state.tail)
        with torch.autocast(x.device.type, enabled=False):
            static = {name: made.to(dtype) for name, made in static.items()}
            answers, state, log = self._run(unit(inputs.to(dtype)), static, state._replace(tail=tail))
            merged = self.norm(answers.to(self.norm.weight.dtype)).transpose(1, 2).flatten(2)
        report = log.report(self.chunks[0], state.position) if probe.listening() else None
        return self.w_out(merged.to(x.dtype)), state, report

    @region
    def inputs(self, x: Tensor, tail: Tensor) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Mix channels, convolve, split heads: the memories' inputs (B, H, T, d), what plain matrices make, new tail.

        Made are, by name, keys, values and queries (B, H, T, d), and logits of rates (B, H, T, 1).
        """
        convolved, tail = convolve(self.w_in(x).to(x.dtype), tail, self.convolution)
        static = {name: self._split(getattr(self, f"w_{name}")(convolved)) for name in self.static}
        return self._split(convolved), static, tail

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def rates(self, made: dict[str, Tensor], u: Tensor) -> tuple[Tensor, Tensor]:
        """eta and log alpha (B, H, T), from what was made for them of inputs u (B, H, T, d)."""
        share = torch.sigmoid(self._logit("eta", made["eta"], u)) * self.eta_scale
        log_alpha = torch.zeros_like(share)
        if self.learning.forgets:
            log_alpha = F.logsigmoid(self._logit("alpha", made["alpha"], u))
        return self.budget(share.dtype) * share, log_alpha

    def _logit(self, name: str, answer: Tensor, u: Tensor) -> Tensor:
        """A rate before its sigmoid, (B, H, T): made of a vector, or of one number."""
        bias = getattr(self, f"bias_{name}")[:, None]
        if name in self.static:
            return answer.squeeze(-1) + bias
        read = getattr(self, f"read_{name}")[:, None]
        if self.rate_memories is None:
            return (answer * read).sum(-1) + bias
        return answer.squeeze(-1) + (u * read).sum(-1) + bias

    def budget(self, dtype: torch.dtype) -> Tensor | float:
        """The largest eta, and what tokens share if they share: one number, or with momentum one a head, (H, 1).

        Momentum's echoes of one step add up to 1 / (1 - theta) times it.
        """
        return self.eta_max if self.theta is None else self.eta_max * (1 - self.decay(dtype)[:, None])

    def decay(self, dtype: torch.dtype) -> Tensor | None:
        """theta, (H,), or None without momentum."""
        return None if self.theta is None else torch.sigmoid(self.theta.to(dtype))

    def _run(
        self, inputs: Tensor, static: dict[str, Tensor], state: SelfModifyingState
    ) -> tuple[Tensor, SelfModifyingState, WriteLog]:
        """All tokens, one projection chunk after the other."""
        answers, log = [], self._log()
        sizes = pieces(state.position, inputs.shape[2], self.chunks[1])
        parts = [inputs.split(sizes, 2), *(whole.split(sizes, 2) for whole in static.values())]
        for u, *plain in zip(*parts):
            run = self._run_region if regions.active() and u.shape[2] == self.chunks[1] else self._run_part
            answer, state, more = run(u, dict(zip(static, plain)), state)
            log.add(more)
            answers.append(answer)
        return torch.cat(answers, dim=2), state, log

    def _log(self) -> WriteLog:
        return WriteLog({name: group.names for name, group in self._groups().items()})

    def _run_region(
        self, u: Tensor, static: dict[str, Tensor], state: SelfModifyingState
    ) -> tuple[Tensor, SelfModifyingState, WriteLog]:
        """`_run_part` of a whole chunk, as a region: what goes in looks the same for all chunks, so it is compiled once."""
        none = u.new_empty(*u.shape[:2], 0, self.width)
        alike = self._by_group(
            lambda _, own: State(own.start, *(tuple(w.contiguous() for w in kind) for kind in own[1:3])), state
        )
        given = SelfModifyingState(**alike, open=Tokens(none, none, none[..., 0], none[..., 0]), tail=none, position=0)
        answer, after, log = self._run_whole(u, static, given)
        return answer, after._replace(tail=state.tail), log

    def _run_part(
        self, u: Tensor, static: dict[str, Tensor], state: SelfModifyingState
    ) -> tuple[Tensor, SelfModifyingState, WriteLog]:
        """Inputs (B, H, T, d) of one projection chunk, or of a part of it."""
        made, log = self._made(u, state) | static, self._log()
        tokens = Tokens(unit(made["k"]), unit(made["v"]), *self.rates(made, u))
        return *self._run_open(unit(made["q"]), tokens, state, log), log

    _run_whole = region(_run_part)

    def _made(self, u: Tensor, state: SelfModifyingState) -> dict[str, Tensor]:
        """What every memory but the main one answers to the inputs (B, H, T, d), by name."""
        made = {}
        for name, group in self._groups().items():
            if name != "memory":
                made |= dict(zip(group.names, group.read(getattr(state, name).memory, u).unbind(1)))
        return made

    def _run_open(
        self, q: Tensor, tokens: Tokens, state: SelfModifyingState, log: WriteLog
    ) -> tuple[Tensor, SelfModifyingState]:
        """Tokens of one projection chunk: the main memory is read and written by its own chunks."""
        size, before = self.chunks[0], state.open.k.shape[2]
        everything, answers = state.open.then(tokens) if before else tokens, []
        asked = q.split(pieces(state.position, q.shape[2], size), 2)
        for part, seen in zip(asked, everything.split(size)[before // size :]):
            answer, state = self._run_chunk(part, seen, state, log)
            answers.append(answer)
        if state.position % self.chunks[1] == 0:
            state = self._write(self._opened(self._written_at(1), everything, state), state, log)
            everything, state = everything.none(), state._replace(position=0)
        log.tokens.append(tokens)
        return torch.cat(answers, dim=2), state._replace(open=everything)

    def _run_chunk(
        self, q: Tensor, seen: Tokens, state: SelfModifyingState, log: WriteLog
    ) -> tuple[Tensor, SelfModifyingState]:
        """Answers to the last tokens of a chunk of which `seen` is what has come so far; written if that is all."""
        closes = seen.k.shape[2] == self.chunks[0]
        groups = self._written_at(0) if closes else [("memory",)]  # the others are only read where it closes
        opened = self._opened(groups, seen, state) if closes or self.reads != "boundary" else {}
        if self.reads == "boundary":
            answer = self.memory.read(state.memory.memory, q)[:, 0]
        else:
            answer = opened[groups[0]].read(q, before=self.reads == "before")
        state = state._replace(position=state.position + q.shape[2])
        return answer, self._write(opened, state, log) if closes else state

    def _written_at(self, boundary: int) -> list[tuple[str, ...]]:
        """Groups written at the main memory's boundary (0), or else at the projections' (1), those of a batch together.

        Where the two have chunks of one length all are written at the first, and projections are one batch with the main
        memory, which comes first.
        """
        makers = [name for name in self._groups() if name != "memory"]
        if self.chunks[0] != self.chunks[1]:
            return [(name,) for name in makers] if boundary else [("memory",)]
        if boundary:
            return []
        batch = ("projections", "memory") if self.projections is not None else ("memory",)
        return [batch, *((name,) for name in makers if name not in batch)]

    def _opened(
        self, groups: list[tuple[str, ...]], tokens: Tokens, state: SelfModifyingState
    ) -> dict[tuple[str, ...], OpenChunk]:
        """The chunk as each batch of memories learns it."""
        budget, heard = self.budget(tokens.k.dtype), Heard.of(tokens, self.decay(tokens.k.dtype))
        return {
            names: OpenChunk([getattr(self, n) for n in names], [getattr(state, n) for n in names], heard, budget, self.learning)
            for names in groups
        }

    def _write(
        self, opened: dict[tuple[str, ...], OpenChunk], state: SelfModifyingState, log: WriteLog
    ) -> SelfModifyingState:
        for names, chunk in opened.items():
            for name, (new, written) in zip(names, chunk.close(probe.listening())):
                state = state._replace(**{name: new})
                log.writes[name].append(written)
        return state
