"""The short table of what classes are known to do: objective and rule cannot be measured. All else is 'unknown'."""

from typing import NamedTuple

from torch import nn
from torch import optim as torchs
from torch.nn.modules.batchnorm import _BatchNorm

from nlcore import optim as ours
from nlcore.layers import SelfModifyingTitans
from nlcore.layers.learning import Learning, given
from nlcore.models import InContext


class Known(NamedTuple):
    """What one kind of state is for, as far as it is known."""

    objective: str = "unknown"
    rule: str = "unknown"
    context: str = "unknown"


UNKNOWN = Known()
ATTENTION = Known("L2, weighted by the kernel (eq. 62)", "solved anew at each read, in no steps", "tokens")
_SUM = Known("-<m, g>, with decay (eq. 33-37)", "gradient descent", "gradients")
_MEAN = Known("L2 to the gradients, the newest count most", "running mean", "gradients")
_SQUARES = Known("L2 to their squares, the newest count most", "running mean", "gradients")
_READING = Known("the next-token loss of a chunk", "gradient descent (eq. 71)", "tokens")
_OPTIMIZERS: dict[tuple[type, ...], tuple[str, dict[str, Known]]] = {
    (torchs.SGD, ours.Momentum): ("gradient descent", {"momentum_buffer": _SUM, "momentum": _SUM}),
    (torchs.Adam, torchs.AdamW, torchs.NAdam, torchs.RAdam): ("Adam", {"exp_avg": _MEAN, "exp_avg_sq": _SQUARES}),
    (ours.Adam, ours.AMSGrad, ours.NAdam, ours.RAdam): ("Adam", {"momentum": _MEAN, "second_moment": _SQUARES}),
    (torchs.RMSprop, ours.RMSProp): ("RMSProp", {"square_avg": _SQUARES, "second_moment": _SQUARES}),
    (torchs.Adagrad, ours.AdaGrad): ("AdaGrad", {}),
    (torchs.Muon, ours.Muon): ("orthogonalised momentum", {"momentum_buffer": _MEAN, "momentum": _MEAN}),
    (ours.Lion,): ("sign of momentum mixed with gradient", {"momentum": _MEAN}),
    (ours.MultiscaleMomentumMuon,): (
        "two orthogonalised momenta over a second moment (Alg. 1)",
        {"fast": _MEAN, "slow": _MEAN._replace(context="gradients, summed over its period"), "second_moment": _SQUARES},
    ),
    (ours.DeltaMomentum,): (
        "gradient descent", {"momentum": Known("L2: to answer each gradient (eq. 48-49)", "gradient descent", "gradients")}
    ),
    (ours.DeltaGradientDescent,): ("Delta Gradient Descent (eq. 57)", {}),
}
_LAYERS: dict[tuple[type, ...], dict[str, Known]] = {
    (_BatchNorm,): {
        "running_mean": Known("L2 to the batches' means, the newest count most", "running mean", "activations"),
        "running_var": Known("L2 to the batches' variances, the newest count most", "running mean", "activations"),
    },
    (nn.LSTM, nn.LSTMCell): {"state": Known(rule="gates: c <- f c + i g, h <- o tanh(c)", context="tokens")},
    (nn.GRU, nn.GRUCell): {"state": Known(rule="gate: h <- z h + (1 - z) n", context="tokens")},
    (nn.RNN, nn.RNNCell): {"state": Known(rule="h <- tanh(W x + U h)", context="tokens")},
}


def of_optimizer(kind: type, state: str | None = None) -> Known:
    """Of a state by its name, or of the weights, under exactly this class: a subclass may do what it likes."""
    rule, states = next((found for kinds, found in _OPTIMIZERS.items() if kind in kinds), ("unknown", {}))
    if state is not None:
        return states.get(state, UNKNOWN)
    return Known("the loss of the step", rule, "batches") if states or rule != "unknown" else UNKNOWN


def of_layer(layer: nn.Module, state: str) -> Known:
    """Of a buffer, or of what a layer carries from token to token, by its name."""
    if isinstance(layer, InContext):
        return _READING
    if isinstance(layer, SelfModifyingTitans):
        return _memories(layer.learning) if state in layer.periods else UNKNOWN
    return next((states.get(state, UNKNOWN) for kinds, states in _LAYERS.items() if isinstance(layer, kinds)), UNKNOWN)


def _memories(how: Learning) -> Known:
    value = "the value given" if how.learns is given else "the value it makes itself (eq. 86)"
    asked = {"L2": "L2 to", "DotProduct": "dot product with"}[type(how.objective).__name__]
    rule = "DGD" if how.erases else "gradient descent"
    kept = ("with" if how.forgets else "without") + " retention" + " (eq. 88)" * how.erases
    return Known(f"{asked} {value}", f"{rule} {kept}", "tokens")


def attends(layer: nn.Module) -> bool:
    """Whether it is softmax attention: torch's, ours, or what others call `...Attention`; the innermost, if nested."""
    named = type(layer).__name__.endswith("Attention")
    return named and not any(attends(part) for part in layer.children())
