"""An LSTM in the place of attention: what a recurrence without associative memory makes of the same block."""

from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from nlcore.models import LanguageModel, Preset
from nlcore.models.build import gated


class LSTMState(NamedTuple):
    """What an LSTM remembers, each (1, B, dim)."""

    hidden: Tensor
    cell: Tensor


class LSTM(nn.Module):
    """`torch.nn.LSTM` of as many units as the model is wide, and the projection that attention has too.

    The forget gates begin open (bias 1), as is usual. Weight decay reaches the projection, not the recurrence, whose
    matrices are no `nn.Linear`.
    """

    periods: ClassVar[dict[str, int]] = {}
    """It has no associative memory."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.recurrence = nn.LSTM(dim, dim, batch_first=True)
        self.w_out = nn.Linear(dim, dim, bias=False)
        with torch.no_grad():
            for name, bias in self.recurrence.named_parameters():
                if name.startswith("bias"):
                    bias.zero_()
            self.recurrence.bias_ih_l0[dim : 2 * dim] = 1.0

    def forward(self, x: Tensor, state: LSTMState | None = None) -> tuple[Tensor, LSTMState, None]:
        """`x` (B, T, dim) to (B, T, dim), and the state after it; there is nothing to report."""
        y, after = self.recurrence(x, None if state is None else tuple(state))
        return self.w_out(y), LSTMState(*after), None

    def detach(self, state: LSTMState) -> LSTMState:
        """The state without gradient, each (B, 1, dim): for `attach`."""
        return LSTMState(*(x.detach().transpose(0, 1) for x in state))

    def attach(self, detached: LSTMState) -> LSTMState:
        """The state to go on from, from what `detach` made of an earlier one."""
        return LSTMState(*(x.transpose(0, 1).contiguous() for x in detached))


def lstm(preset: Preset, vocabulary: int) -> LanguageModel:
    """LSTM and SwiGLU in turn, at the other models' number of parameters."""

    return gated(preset, vocabulary, lambda: LSTM(preset.dim))
