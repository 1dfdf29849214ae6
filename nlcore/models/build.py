"""The models, each from its two kinds of layer."""

from collections.abc import Callable
from functools import partial

import torch
from torch import nn

from nlcore.layers import (
    FAMILY,
    Attention,
    ContinuumMemory,
    FastWeight,
    FastWeightSetting,
    HeadwiseContinuumMemory,
    SelfModifyingTitans,
    SlidingWindow,
    SwiGLU,
)
from nlcore.models.in_context import InContext, InnerLevel
from nlcore.models.language_model import LanguageModel
from nlcore.models.presets import CHOICES, Preset

Factory = Callable[[], nn.Module]
MATRICES = {"plain": 2, "gated": 3}
"""In a link of the continuum memory."""


def hope(preset: Preset, vocabulary: int) -> LanguageModel:
    """Hope (eq. 94-97): self-modifying Titans, then continuum memory."""

    def mixer() -> nn.Module:
        return SelfModifyingTitans(
            preset.dim,
            preset.heads,
            preset.hidden,
            preset.chunks,
            preset.momentum,
            preset.reads,
            preset.narrow_rates,
            preset.projections_share,
            adaptive=preset.adaptive,
            **{field: among[getattr(preset, field)] for field, among in CHOICES.items()},
        )

    return LanguageModel(preset, vocabulary, mixer, _continuum(preset, mixer))


def hope_attention(preset: Preset, vocabulary: int) -> LanguageModel:
    """Hope-Attention: softmax attention, then continuum memory."""

    def mixer() -> nn.Module:
        return Attention(preset.dim, preset.heads)

    return LanguageModel(preset, vocabulary, mixer, _continuum(preset, mixer))


def transformer(preset: Preset, vocabulary: int) -> LanguageModel:
    """Transformer++: RMSNorm, rotary positions, softmax attention, SwiGLU."""
    return gated(preset, vocabulary, lambda: Attention(preset.dim, preset.heads))


def sliding_window(preset: Preset, vocabulary: int) -> LanguageModel:
    """Transformer++ that sees a window: as many tokens as Hope's projections wait for, `preset.chunks[1]`."""
    return gated(preset, vocabulary, lambda: SlidingWindow(preset.dim, preset.heads, preset.chunks[1]))


def fast_weight(setting: FastWeightSetting, preset: Preset, vocabulary: int) -> LanguageModel:
    """Fast weights of any setting in the place of Transformer++'s attention; chunks are `preset.chunks[0]` long."""
    sizes = (preset.hidden, preset.chunks[0])
    return gated(preset, vocabulary, lambda: FastWeight(preset.dim, preset.heads, setting, *sizes))


MODELS = {"hope": hope, "hope-attention": hope_attention, "transformer": transformer, "sliding-window": sliding_window}
MODELS |= {name: partial(fast_weight, setting) for name, setting in FAMILY.items()}


def build(model: str, preset: Preset, vocabulary: int) -> LanguageModel | InContext:
    """One of MODELS at a preset's size. Under `torch.device("meta")` it costs nothing.

    Raises ValueError for a model that is not there, and as `InnerLevel` and `InContext` do.
    """
    if model not in MODELS:
        raise ValueError(f"there is no model {model!r}: choose one of {', '.join(MODELS)}")
    made = MODELS[model](preset, vocabulary)
    if not preset.in_context:
        return made
    levels = [InnerLevel(*given) for given in preset.in_context]
    return InContext(made, levels, preset.continuum == "nested", preset.second_order)


def parameter_count(model: nn.Module) -> int:
    """Parameters, the tied head counted once."""
    return sum(p.numel() for p in model.parameters())


def gated(preset: Preset, vocabulary: int, mixer: Factory) -> LanguageModel:
    """A sequence layer and SwiGLU in turn."""
    hidden = channel_width(preset, mixer, matrices=3)
    return LanguageModel(preset, vocabulary, mixer, lambda: SwiGLU(preset.dim, hidden))


def _continuum(preset: Preset, mixer: Factory) -> Factory:
    count = len(preset.periods)
    hidden = channel_width(preset, mixer, matrices=MATRICES[preset.links] * count)
    if preset.continuum == "head-wise":
        return lambda: HeadwiseContinuumMemory(preset.dim, hidden, count, preset.links)
    return lambda: ContinuumMemory(preset.dim, hidden, count, preset.order, preset.links)


def channel_width(preset: Preset, mixer: Factory, matrices: int) -> int:
    """The hidden width, divisible by 8 and at least 8, of a channel layer of so many (dim, hidden) matrices.

    With it a block has 12 dim^2 parameters, a Transformer's, the sequence layer that `mixer` makes included.
    """
    with torch.device("meta"):
        budget = 12 * preset.dim**2 - parameter_count(mixer())
    return max(8, round(budget / (matrices * preset.dim) / 8) * 8)
