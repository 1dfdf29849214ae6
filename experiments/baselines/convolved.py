"""Attention behind the short convolution that recurrent layers begin with, so that memories alone are compared.

Where a text is `key value key value ...`, a pair is spread over two tokens, and a layer that is to write it has to see
both at once. The convolution of `FastWeight` shows it the three tokens before; attention without one needs a whole
layer more for that.
"""

from typing import NamedTuple

from torch import Tensor, nn

from nlcore.layers import Attention, SlidingWindow
from nlcore.layers.attention import AttentionState, WindowState
from nlcore.layers.convolution import WIDTH, convolve, near_identity
from nlcore.models import LanguageModel, Preset
from nlcore.models.build import gated


class ConvolvedState(NamedTuple):
    """What is carried from one call to the next: attention's own state, and the last inputs (B, 3, dim)."""

    inner: AttentionState | WindowState
    tail: Tensor


class Convolved(nn.Module):
    """A convolution over four tokens, then attention. Two calls with the state carried between them equal one."""

    def __init__(self, dim: int, attention: Attention) -> None:
        super().__init__()
        self.convolution, self.attention, self.periods = near_identity(dim), attention, attention.periods

    def forward(self, x: Tensor, state: ConvolvedState | None = None) -> tuple[Tensor, ConvolvedState, None]:
        """`x` (B, T, dim) to (B, T, dim), and the state after it; there is nothing to report."""
        inner, tail = (None, x.new_zeros(len(x), WIDTH - 1, x.shape[-1])) if state is None else state
        mixed, tail = convolve(x, tail, self.convolution)
        y, inner, _ = self.attention(mixed, inner)
        return y, ConvolvedState(inner, tail), None

    def detach(self, state: ConvolvedState) -> ConvolvedState:
        """The state without gradient, and without the activations that it is a view of."""
        return ConvolvedState(self.attention.detach(state.inner), state.tail.detach().clone())

    def attach(self, detached: ConvolvedState) -> ConvolvedState:
        """The state that `detach` made is one to go on from: no parameter is part of it."""
        return detached


def convolved_attention(preset: Preset, vocabulary: int) -> LanguageModel:
    """Convolved attention over all tokens, and SwiGLU in turn, at the other models' number of parameters."""
    return gated(preset, vocabulary, lambda: Convolved(preset.dim, Attention(preset.dim, preset.heads)))


def convolved_window(preset: Preset, vocabulary: int) -> LanguageModel:
    """The same over a window of `preset.chunks[1]` tokens."""
    window = preset.chunks[1]
    return gated(preset, vocabulary, lambda: Convolved(preset.dim, SlidingWindow(preset.dim, preset.heads, window)))
