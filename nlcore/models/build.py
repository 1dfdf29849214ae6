"""The three models, each from its two kinds of layer."""

from collections.abc import Callable

import torch
from torch import nn

from nlcore.layers import Attention, ContinuumMemory, SelfModifyingTitans, SwiGLU
from nlcore.models.language_model import LanguageModel
from nlcore.models.presets import Preset

Factory = Callable[[], nn.Module]


def hope(preset: Preset, vocabulary: int) -> LanguageModel:
    """Hope (eq. 94-97): self-modifying Titans, then continuum memory."""

    def mixer() -> nn.Module:
        return SelfModifyingTitans(preset.dim, preset.heads, preset.hidden, preset.chunks)

    return LanguageModel(preset, vocabulary, mixer, _continuum(preset, mixer))


def hope_attention(preset: Preset, vocabulary: int) -> LanguageModel:
    """Hope-Attention: softmax attention, then continuum memory."""

    def mixer() -> nn.Module:
        return Attention(preset.dim, preset.heads)

    return LanguageModel(preset, vocabulary, mixer, _continuum(preset, mixer))


def transformer(preset: Preset, vocabulary: int) -> LanguageModel:
    """Transformer++: RMSNorm, rotary positions, softmax attention, SwiGLU."""

    def mixer() -> nn.Module:
        return Attention(preset.dim, preset.heads)

    hidden = _rounded(_channel_budget(preset, mixer) / (3 * preset.dim))
    return LanguageModel(preset, vocabulary, mixer, lambda: SwiGLU(preset.dim, hidden))


MODELS = {"hope": hope, "hope-attention": hope_attention, "transformer": transformer}


def build(model: str, preset: Preset, vocabulary: int) -> LanguageModel:
    """One of MODELS at a preset's size. Under `torch.device("meta")` it costs nothing.

    Raises ValueError for a model that is not there.
    """
    if model not in MODELS:
        raise ValueError(f"there is no model {model!r}: choose one of {', '.join(MODELS)}")
    return MODELS[model](preset, vocabulary)


def parameter_count(model: nn.Module) -> int:
    """Parameters, the tied head counted once."""
    return sum(p.numel() for p in model.parameters())


def _continuum(preset: Preset, mixer: Factory) -> Factory:
    count = len(preset.periods)
    hidden = _rounded(_channel_budget(preset, mixer) / (2 * preset.dim * count))
    return lambda: ContinuumMemory(preset.dim, hidden, count)


def _channel_budget(preset: Preset, mixer: Factory) -> int:
    """What a block may spend on channels: 12 dim^2, a Transformer's block, less the sequence layer."""
    with torch.device("meta"):
        return 12 * preset.dim**2 - parameter_count(mixer())


def _rounded(hidden: float) -> int:
    """A hidden width divisible by 8, at least 8."""
    return max(8, round(hidden / 8) * 8)
