"""Fast weights: a sequence layer whose memory is written at every token, by any member of the family."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlcore.layers.convolution import WIDTH, check_call, convolve, near_identity
from nlcore.layers.family import FastWeightSetting
from nlcore.layers.fast_weight_forms import FastState, FastTokens, Trace, closed_form
from nlcore.layers.norm import EPS, rms_norm
from nlcore.memory import AssociativeMemory, Linear, Weights

BIASES = {"eta": (0.0, 0.0), "alpha": (4.0, 7.0), "theta": (0.0, 0.0)}
"""Of the rates made of the tokens, from the first head to the last; alpha's half-lives are those of `SelfModifyingTitans`."""


class FastWeightState(NamedTuple):
    """All that a layer carries from one call to the next: its memories' state, and the convolution's last inputs (B, 3, dim)."""

    inner: FastState
    tail: Tensor


class FastWeight(nn.Module):
    """A memory a head, written at every token and read after it: `y_t = M_t(q_t)` (eq. 14-18, 64-68).

    A short convolution, then projections to keys, values and queries; rates that the setting leaves to the data are
    sigmoids of one more projection, a number a head and token. The memory belongs to the in-context level, which
    changes at every token; all else to the slow one, and receives gradient through every write. The memory is kept in
    float32 or wider, under autocast too. Two calls with the state carried between them equal one, wherever the cut.

    `form` is what runs it: `chunked`, the closed form, or `token_by_token` where these choices have none.

    Args:
        dim: width of the input and of the output.
        heads: must divide `dim`.
        setting: a member of `FAMILY`, or one of your own.
        hidden: hidden width of a memory that has one.
        chunk: tokens that the closed form takes at once. With gradients taken at the chunk's start it is part of the
            model, and eta is divided by it, since stale gradients add up; else results do not depend on it.

    Raises ValueError, with one sentence, for sizes that do not fit together, and for memories of several layers
    without a learnt start, whose gradients are zero for ever.
    """

    def __init__(self, dim: int, heads: int, setting: FastWeightSetting, hidden: int = 32, chunk: int = 64) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"{heads} heads do not divide a width of {dim}: choose a number of heads that does")
        if chunk < 1:
            raise ValueError(f"the chunk is {chunk} tokens: give 1 or more")
        width = dim // heads
        architecture = Linear(width, width + 1) if setting.mean else setting.architecture(width, hidden)
        self.heads, self.setting, self.chunk, self.shapes = heads, setting, chunk, architecture.shapes()
        if len(self.shapes) > 1 and setting.persistent != "start":
            raise ValueError("a memory of several layers that starts at zero stays there: choose persistent 'start'")
        self.memory = AssociativeMemory(architecture, setting.objective, setting.rule, setting.retention)
        self.form = closed_form(self.memory, setting.at, setting.momentum)
        self.eta_scale = 1.0  # steers the in-context level from outside; 0 and nothing is written
        self.periods = {"memory": 1}
        made = {"eta": setting.eta_max is not None, "alpha": setting.alpha == "token", "theta": setting.momentum}
        self.made = tuple(name for name, is_made in made.items() if is_made)

        self.convolution = near_identity(dim)
        self.w_qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.w_rates = nn.Linear(dim, len(self.made) * heads) if self.made else None
        if self.made:
            self.w_rates.bias = nn.Parameter(torch.cat([torch.linspace(*BIASES[name], heads) for name in self.made]))
        self.w_gate = nn.Linear(dim, dim, bias=False) if setting.persistent == "gate" else None
        self.starts = nn.ParameterList(self._starts() if setting.persistent == "start" else [])
        self.norm = None if setting.mean else rms_norm(width)
        self.w_out = nn.Linear(dim, dim, bias=False)

    def _starts(self) -> list[Tensor]:
        """Weights at which a key of length one gets an answer about as long."""
        starts, deepest = [], len(self.shapes) - 1
        for layer, (out, inputs) in enumerate(self.shapes):
            # silu makes of a unit normal something of root mean square 0.6
            std = (1.0 if layer == deepest else inputs**-0.5 / 0.6) * (out**-0.5 if layer == 0 else 1.0)
            starts.append(torch.randn(self.heads, out, inputs) * std)
        return starts

    def writers(self, level: str) -> list[nn.Module]:
        """Those parts that write on a level of `periods`, each with an `eta_scale`."""
        return {"memory": [self]}[level]

    def start(self, batch: int, dtype: torch.dtype = torch.float32) -> FastWeightState:
        """The state before the first token: memories at their learnt starts, or at zero."""
        weights = self._first(batch, dtype)
        momentum = tuple(torch.zeros_like(w) for w in weights) if self.setting.momentum else ()
        before, sizes = len(self.setting.rule.window) - 1, (self.shapes[-1][1], self.shapes[0][0])
        window = tuple(weights[0].new_zeros(batch, self.heads, before, d) for d in sizes) if before else ()
        anchor = weights if self.setting.at == "chunk" else ()
        tail = weights[0].new_zeros(batch, WIDTH - 1, self.w_out.out_features)
        return FastWeightState(FastState(weights, momentum, anchor, window, 0), tail)

    def _first(self, batch: int, dtype: torch.dtype) -> Weights:
        zero = self.w_out.weight.new_zeros(())
        weights = list(self.starts) or [zero.expand(self.heads, *shape) for shape in self.shapes]
        return tuple(w.to(dtype).expand(batch, *w.shape) for w in weights)

    def forward(
        self, x: Tensor, state: FastWeightState | None = None
    ) -> tuple[Tensor, FastWeightState, dict[str, Tensor] | None]:
        """`x` (B, T, dim), T at least 1, to (B, T, dim), the state after it, and a report while `probe` listens.

        Raises ValueError for no token at all, or for a state narrower than float32.
        """
        dtype = torch.promote_types(x.dtype, torch.float32)
        check_call(x, None if state is None else state.tail, dtype)
        inner, tail = self.start(len(x), dtype) if state is None else state
        mixed, tail = convolve(x, tail, self.convolution)
        qkv, rates = self.w_qkv(mixed).to(dtype), self.w_rates(mixed).to(dtype) if self.made else None
        with torch.autocast(x.device.type, enabled=False):
            tokens = self.tokens(qkv, rates)
            start = self._first(len(x), dtype)
            answers, inner, trace = self.form(self.memory, self.setting.at, self.chunk, tokens, inner, start)
            y = self.read_out(answers).transpose(1, 2).flatten(2).to(x.dtype)
        if self.w_gate is not None:
            y = y * F.silu(self.w_gate(mixed))
        return self.w_out(y), FastWeightState(inner, tail), None if trace is None else _report(tokens, trace)

    def tokens(self, qkv: Tensor, rates: Tensor | None) -> FastTokens:
        """What the memory is given, a head each, from the projections (B, T, ...)."""
        setting = self.setting
        q, k, v = qkv.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        v = setting.value(v)
        if setting.mean:
            v = torch.cat([v, torch.ones_like(v[..., :1])], dim=-1)
        logits = dict(zip(self.made, rates.unflatten(-1, (-1, self.heads)).permute(2, 0, 3, 1))) if self.made else {}
        eta = setting.eta_max * logits["eta"].sigmoid() if "eta" in logits else torch.ones_like(v[..., 0])
        eta = self.eta_scale * eta / (self.chunk if setting.at == "chunk" else 1)
        log_alpha, log_theta = torch.zeros_like(eta), None
        if setting.momentum:
            log_theta, eta = F.logsigmoid(logits["theta"]), eta * torch.sigmoid(-logits["theta"])
        if setting.alpha == "head":
            lost = 2.0 ** (-5 - torch.arange(self.heads, dtype=eta.dtype, device=eta.device))
            log_alpha = log_alpha + torch.log1p(-lost)[:, None]
        elif setting.alpha == "token":
            log_alpha = F.logsigmoid(logits["alpha"])
        return FastTokens(setting.feature(k), v, setting.feature(q), eta, log_alpha, log_theta)

    def read_out(self, answers: Tensor) -> Tensor:
        """(B, H, T, d), of one scale whatever the memory holds."""
        if self.setting.mean:
            return answers[..., :-1] / (answers[..., -1:] + EPS)
        return self.norm(answers.to(self.norm.weight.dtype))

    def detach(self, state: FastWeightState) -> FastWeightState:
        """The state without gradient, and without the activations that it is a view of."""
        parts = [tuple(w.detach().clone() for w in part) for part in state.inner[:-1]]
        return FastWeightState(FastState(*parts, state.inner.position), state.tail.detach().clone())

    def attach(self, detached: FastWeightState) -> FastWeightState:
        """The state to go on from: a memory stays where it is, wherever an outer step has moved its start."""
        return detached

    def extra_repr(self) -> str:
        """The memory's choices and the form that runs it."""
        return f"{self.memory}, form={self.form.__name__}"


@torch.no_grad()
def _report(tokens: FastTokens, trace: Trace) -> dict[str, Tensor]:
    """Per token (B, T), the mean over heads: surprise, eta, alpha. Per write, over the batch too: NAME/memory, (T,)."""
    each = {"surprise": trace.surprise, "eta": tokens.eta, "alpha": tokens.log_alpha.exp()}
    report = {name: values.mean(1).float() for name, values in each.items()}
    return report | {f"{name}/memory": x.mean((0, 1)).float() for name, x in trace._asdict().items()}
