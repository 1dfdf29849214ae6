"""Self-modifying Titans: memories that make their own keys, values and rates, and rewrite themselves."""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlcore import probe
from nlcore.layers.convolution import WIDTH, check_call, convolve, near_identity
from nlcore.layers.memory_group import MemoryGroup, Tokens, unit
from nlcore.layers.norm import rms_norm
from nlcore.layers.open_chunk import OpenChunk, Written
from nlcore.memory import State

GROUPS = ("projections", "rate_memories", "memory")
READS = ("boundary", "before", "after")
STABLE = 0.5
"""The largest write budget at which a chunk of any length is proved stable."""


class SelfModifyingState(NamedTuple):
    """All that a layer carries from one call to the next: a pytree of tensors."""

    projections: State
    """The memories that make k, v, eta, alpha (and q): (B, M, H, out, in)."""
    rate_memories: State | tuple[()]
    """Those of eta and alpha, if they are narrow and so have a group of their own; else empty."""
    memory: State
    """The main memory: (B, 1, H, out, in)."""
    open: Tokens
    """Tokens since the last projection boundary. Those not yet in a whole chunk wait here."""
    tail: Tensor
    """The causal convolution's last inputs, (B, 3, dim)."""
    position: int
    """Tokens seen so far."""


class SelfModifyingTitans(nn.Module):
    """A sequence layer of five memories a head (six with `adaptive_q`), eq. 83-90.

    Every head owns 2-layer residual MLPs for k, v, eta, alpha and for the main memory.
    At each token they make the key, the value and the two rates; at the end of a chunk
    each memory learns, under the shared key, the value it generates itself. All writes
    are differentiable, so outer gradients reach every start through every write.

    Keys, values, rates and every gradient are taken at the states that their chunks began
    with (eq. 90). Where the main memory is read is a choice, since three readings stand in
    print: at the state that its chunk began with, so that a token never sees its own chunk
    (eq. 90, "boundary"); after the tokens before this one (eq. 83 and 94, "before"); or after
    this one too (eq. 82, "after"). The inner two add no sequential step: see `ops/delta_rule`.
    A chunk that is still open when the call ends waits in the state: two calls equal one,
    wherever the cut.

    What keeps it stable: keys, values and inputs have length one; rates share a budget
    (`ops/delta_rule`), which momentum makes 1 - theta times as large; and what makes the next
    key is written with a small share of it. For linear memories under given keys that is
    proved. For the whole layer, which makes its keys itself, it is measured, and there are
    starts of narrow heads at which one token that repeats still amplifies gradients.

    Args:
        dim: width of the input and of the output.
        heads: must divide `dim`.
        hidden: hidden width of every memory.
        chunks: tokens between writes of the main memory, and of the others; the first
            must divide the second.
        momentum: Titans' momentum on every memory, one learnt decay `theta` a head, eta
            and budget scaled by 1 - theta. Eq. 88 has none, and neither has the default.
        adaptive_q: a sixth memory makes the query; by default a plain matrix does (eq. 83).
        eta_max: upper bound of eta, and the write budget: at most 1/2, what is proved stable.
            That is no narrow bound: a write's transition, alpha - 2 eta, then reaches from -1 to 1.
        pull_to_start: retention towards the learnt start, or plain decay as printed, which
            shrinks the memories towards zero even where nothing is written (eta 0).
        projections_share: the part of eta and of the budget with which all memories but the main
            one are written. They make the key and the rates of their own next write, so what
            they write comes back to them. 1 is there for runs that were begun so.
        reads: where the main memory is read: "boundary", "before" or "after".
        narrow_rates: the memories of eta and alpha answer one number a head (`NarrowMLP`), to which a slow
            vector adds what it reads from their input; by default they answer a vector, which it reads.

    Raises ValueError, with one sentence, for sizes that do not fit together.
    """

    def __init__(
        self,
        dim: int,
        heads: int,
        hidden: int,
        chunks: tuple[int, int] = (16, 64),
        momentum: bool = False,
        adaptive_q: bool = False,
        eta_max: float = 0.5,
        pull_to_start: bool = True,
        reads: str = "boundary",
        narrow_rates: bool = False,
        projections_share: float = 0.1,
    ) -> None:
        super().__init__()
        _check(dim, heads, chunks, eta_max, reads, projections_share)
        self.heads, self.width, self.chunks, self.eta_max = heads, dim // heads, tuple(chunks), eta_max
        self.pull_to_start, self.reads = pull_to_start, reads
        self.eta_scale = 1.0  # steers the in-context level from outside; 0 freezes every memory
        sizes, rates, share = (heads, self.width, hidden), ("eta", "alpha"), projections_share
        made = ("k", "v") + rates * (not narrow_rates) + ("q",) * adaptive_q
        self.projections = MemoryGroup(made, *sizes, share=share)
        self.rate_memories = MemoryGroup(rates, *sizes, share=share, narrow=True) if narrow_rates else None
        self.memory = MemoryGroup(("memory",), *sizes)
        self.w_in = nn.Linear(dim, dim, bias=False)
        self.convolution = near_identity(dim)
        self.w_q = None if adaptive_q else nn.Linear(dim, dim, bias=False)
        self.read_eta = nn.Parameter(torch.randn(heads, self.width) * 0.1)
        self.read_alpha = nn.Parameter(torch.randn(heads, self.width) * 0.1)
        self.bias_eta = nn.Parameter(torch.zeros(heads))
        # Half-lives from 38 to 760 tokens: heads that forget at different speeds.
        self.bias_alpha = nn.Parameter(torch.linspace(4.0, 7.0, heads))
        self.theta = nn.Parameter(torch.full((heads,), -2.0)) if momentum else None
        self.norm = rms_norm(self.width)
        self.w_out = nn.Linear(dim, dim, bias=False)

    @property
    def periods(self) -> dict[str, int]:
        """Tokens between two writes of each in-context level, fastest first."""
        return {"memory": self.chunks[0], "projections": self.chunks[1]}

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
            **self._by_group(lambda group, own: group.detach(own, self.pull_to_start), state),
            open=Tokens(*(x.detach().clone() for x in state.open)),
            tail=state.tail.detach().clone(),
            position=state.position,
        )

    def attach(self, detached: SelfModifyingState) -> SelfModifyingState:
        """The state to go on from, from what `detach` made of an earlier one: see `MemoryGroup.attach`."""
        return detached._replace(**self._by_group(lambda group, own: group.attach(own, self.pull_to_start), detached))

    def _by_group(self, make: Callable[..., State], *states: SelfModifyingState) -> dict[str, State | tuple[()]]:
        """What `make` makes of each group, and of its part of the states; () for a group that is not there."""
        groups = {name: getattr(self, name) for name in GROUPS}
        return {
            name: () if group is None else make(group, *(getattr(state, name) for state in states))
            for name, group in groups.items()
        }

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
        inputs, queries, tail = self.inputs(x, state.tail)
        with torch.autocast(x.device.type, enabled=False):
            answers, state, log = self._run(unit(inputs.to(dtype)), queries, state._replace(tail=tail))
            merged = self.norm(answers.to(self.norm.weight.dtype)).transpose(1, 2).flatten(2)
        report = self._report(log, state.position) if probe.listening() else None
        return self.w_out(merged.to(x.dtype)), state, report

    def inputs(self, x: Tensor, tail: Tensor) -> tuple[Tensor, Tensor | None, Tensor]:
        """Mix channels, convolve, split heads: memory inputs and static queries (B, H, T, d), new tail."""
        convolved, tail = convolve(self.w_in(x).to(x.dtype), tail, self.convolution)
        queries = None if self.w_q is None else self._split(self.w_q(convolved))
        return self._split(convolved), queries, tail

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(-1, (self.heads, self.width)).transpose(1, 2)

    def rates(self, eta: Tensor, alpha: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        """eta and log alpha (B, H, T), from their memories' answers to u (B, H, T, d): as wide as u, or one number."""

        def scalar(answer: Tensor, read: Tensor, bias: Tensor) -> Tensor:
            narrow = self.rate_memories is not None
            number = answer.squeeze(-1) + (u * read[:, None]).sum(-1) if narrow else (answer * read[:, None]).sum(-1)
            return number + bias[:, None]

        log_alpha = F.logsigmoid(scalar(alpha, self.read_alpha, self.bias_alpha))
        share = torch.sigmoid(scalar(eta, self.read_eta, self.bias_eta)) * self.eta_scale
        return self.budget(eta.dtype) * share, log_alpha

    def budget(self, dtype: torch.dtype) -> Tensor | float:
        """The most that tokens with one key may write in a chunk: one number, or with momentum one a head, (H, 1).

        Momentum's echoes of one step add up to 1 / (1 - theta) times it.
        """
        return self.eta_max if self.theta is None else self.eta_max * (1 - self.decay(dtype)[:, None])

    def decay(self, dtype: torch.dtype) -> Tensor | None:
        """theta, (H,), or None without momentum."""
        return None if self.theta is None else torch.sigmoid(self.theta.to(dtype))

    def _run(
        self, inputs: Tensor, queries: Tensor | None, state: SelfModifyingState
    ) -> tuple[Tensor, SelfModifyingState, "_Log"]:
        """All tokens, one projection chunk after the other."""
        answers, log, done = [], _Log(), 0
        while done < inputs.shape[2]:
            count = min(inputs.shape[2] - done, self.chunks[1] - state.position % self.chunks[1])
            part = slice(done, done + count)
            u = inputs[:, :, part]
            made = self._made(u, state)
            q = made["q"] if queries is None else queries[:, :, part].to(inputs.dtype)
            tokens = Tokens(unit(made["k"]), unit(made["v"]), *self.rates(made["eta"], made["alpha"], u))
            answer, state = self._run_open(unit(q), tokens, state, log)
            answers.append(answer)
            done += count
        return torch.cat(answers, dim=2), state, log

    def _made(self, u: Tensor, state: SelfModifyingState) -> dict[str, Tensor]:
        """What every memory but the main one answers to the inputs (B, H, T, d), by name."""
        made = {}
        for name in GROUPS[:2]:
            if (group := getattr(self, name)) is not None:
                made |= dict(zip(group.names, group.read(getattr(state, name).memory, u).unbind(1)))
        return made

    def _run_open(
        self, q: Tensor, tokens: Tokens, state: SelfModifyingState, log: "_Log"
    ) -> tuple[Tensor, SelfModifyingState]:
        """Tokens of one projection chunk: the main memory is read and written by its own chunks."""
        size, everything, before = self.chunks[0], state.open.then(tokens), state.open.k.shape[2]
        answers, done = [], 0
        while done < q.shape[2]:
            since = state.position % size
            count = min(q.shape[2] - done, size - since)
            seen = everything.part(before + done - since, before + done + count)
            answer, state = self._run_chunk(q[:, :, done : done + count], seen, state, log)
            answers.append(answer)
            done += count
        if state.position % self.chunks[1] == 0:
            for names in self._written_at(1):
                state = self._close(self._chunk(names, everything, state), names, state, log)
            everything = everything.part(0, 0)
        log.tokens.append(tokens)
        return torch.cat(answers, dim=2), state._replace(open=everything)

    def _run_chunk(
        self, q: Tensor, seen: Tokens, state: SelfModifyingState, log: "_Log"
    ) -> tuple[Tensor, SelfModifyingState]:
        """Answers to the last tokens of a chunk of which `seen` is what has come so far; written if that is all."""
        closes = seen.k.shape[2] == self.chunks[0]
        (names,) = self._written_at(0) if closes else [("memory",)]  # the others are only read where it closes
        chunk = self._chunk(names, seen, state) if closes or self.reads != "boundary" else None
        if self.reads == "boundary":
            answer = self.memory.read(state.memory.memory, q)[:, 0]
        else:
            answer = chunk.read(q, before=self.reads == "before")
        state = state._replace(position=state.position + q.shape[2])
        return answer, self._close(chunk, names, state, log) if closes else state

    def _written_at(self, boundary: int) -> list[tuple[str, ...]]:
        """Groups written at the main memory's boundary (0), or else at the projections' (1), those of a batch together.

        Projections with the main memory's chunk and architecture are one batch with it.
        """
        together = self.chunks[0] == self.chunks[1]
        if boundary == 0:
            return [("projections", "memory") if together else ("memory",)]
        return [("projections",)] * (not together) + [("rate_memories",)] * (self.rate_memories is not None)

    def _chunk(self, names: tuple[str, ...], tokens: Tokens, state: SelfModifyingState) -> OpenChunk:
        return OpenChunk(
            [getattr(self, name) for name in names],
            [getattr(state, name) for name in names],
            tokens,
            self.budget(tokens.k.dtype),
            self.decay(tokens.k.dtype),
            self.pull_to_start,
        )

    def _close(
        self, chunk: OpenChunk, names: tuple[str, ...], state: SelfModifyingState, log: "_Log"
    ) -> SelfModifyingState:
        for name, (new, written) in zip(names, chunk.close(probe.listening())):
            state = state._replace(**{name: new})
            getattr(log, name).append(written)
        return state

    @torch.no_grad()
    def _report(self, log: "_Log", position: int) -> dict[str, Tensor]:
        """Per token (B, T): surprise of the main memory (0 where not yet written), eta, alpha.

        Per write and memory: surprise/NAME, update/NAME, norm/NAME.
        """
        eta = torch.cat([t.eta for t in log.tokens], 2).mean(1)
        alpha = torch.cat([t.log_alpha for t in log.tokens], 2).exp().mean(1)
        waiting = eta.new_zeros(len(eta), max(position % self.chunks[0], 0 if log.memory else eta.shape[1]))
        surprise = torch.cat([w.surprise[:, 0] for w in log.memory] + [waiting], 1)[:, -eta.shape[1] :]
        report = {"surprise": surprise, "eta": eta, "alpha": alpha}
        for group_name in GROUPS:
            writes = getattr(log, group_name)
            for index, name in enumerate(getattr(getattr(self, group_name), "names", ())):
                per_write = {
                    "surprise": [w.surprise[:, index].mean() for w in writes],
                    "update": [w.update[index] for w in writes],
                    "norm": [w.norm[index] for w in writes],
                }
                for figure, values in per_write.items():
                    report[f"{figure}/{name}"] = torch.stack(values) if values else eta.new_zeros(0)
        return {name: value.float() for name, value in report.items()}


class _Log:
    """What happened during one call, for its report."""

    def __init__(self) -> None:
        self.tokens: list[Tokens] = []
        self.memory: list[Written | None] = []
        self.projections: list[Written | None] = []
        self.rate_memories: list[Written | None] = []


def _check(dim: int, heads: int, chunks: tuple[int, int], eta_max: float, reads: str, share: float) -> None:
    if dim % heads:
        raise ValueError(f"{heads} heads do not divide a width of {dim}: choose a number of heads that does")
    if min(chunks) < 1 or chunks[1] % chunks[0]:
        raise ValueError(
            f"chunks {tuple(chunks)} do not fit: the memory's chunk must divide that of the projections, as (16, 64) does"
        )
    if not 0 < eta_max <= STABLE:
        raise ValueError(
            f"eta_max is {eta_max}: choose it above 0 and at most {STABLE:g}, where memories are stable "
            "(to write nothing, set eta_scale to 0)"
        )
    if reads not in READS:
        raise ValueError(f"reads is {reads!r}: choose one of {', '.join(READS)}")
    if not 0 <= share <= 1:
        raise ValueError(f"projections_share is {share}: choose it between 0 and 1")
