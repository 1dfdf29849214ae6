"""Hope, Hope-Attention, Transformer++ and the fast-weight family, at equal numbers of parameters."""

from nlcore.models.build import MODELS, build, parameter_count
from nlcore.models.in_context import InContext, InContextState, InnerLevel
from nlcore.models.language_model import Block, LanguageModel, Output
from nlcore.models.memories import frozen_memories, set_memory_rate, state_bytes, without
from nlcore.models.presets import KEEP_ALL, OWN, PRESETS, Preset, preset_of
from nlcore.models.saved import from_pretrained, save_pretrained
from nlcore.models.stacked import Stacked, blocks_named, load_causal_lm

__all__ = [
    "KEEP_ALL",
    "MODELS",
    "OWN",
    "PRESETS",
    "Block",
    "InContext",
    "InContextState",
    "InnerLevel",
    "LanguageModel",
    "Output",
    "Preset",
    "Stacked",
    "blocks_named",
    "build",
    "from_pretrained",
    "frozen_memories",
    "load_causal_lm",
    "parameter_count",
    "preset_of",
    "save_pretrained",
    "set_memory_rate",
    "state_bytes",
    "without",
]
