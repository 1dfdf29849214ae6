"""Hope, Hope-Attention, Transformer++ and the fast-weight family, at equal numbers of parameters."""

from nlcore.models.build import MODELS, build, parameter_count
from nlcore.models.language_model import Block, LanguageModel, Output
from nlcore.models.memories import frozen_memories, set_memory_rate, state_bytes, without
from nlcore.models.presets import KEEP_ALL, OWN, PRESETS, Preset, preset_of

__all__ = [
    "KEEP_ALL",
    "MODELS",
    "OWN",
    "PRESETS",
    "Block",
    "LanguageModel",
    "Output",
    "Preset",
    "build",
    "frozen_memories",
    "parameter_count",
    "preset_of",
    "set_memory_rate",
    "state_bytes",
    "without",
]
