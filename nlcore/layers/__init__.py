"""Sequence layers and channel layers: PyTorch modules built from memories."""

from nlcore.layers.attention import Attention, AttentionState, SlidingWindow
from nlcore.layers.continuum import ContinuumMemory, HeadwiseContinuumMemory
from nlcore.layers.family import FAMILY, FastWeightSetting, matrix
from nlcore.layers.fast_weight import FastWeight, FastWeightState
from nlcore.layers.learning import given, own_answer, soft_answer
from nlcore.layers.self_modifying import SelfModifyingState, SelfModifyingTitans
from nlcore.layers.swiglu import SwiGLU

__all__ = [
    "FAMILY",
    "Attention",
    "AttentionState",
    "ContinuumMemory",
    "FastWeight",
    "FastWeightSetting",
    "FastWeightState",
    "HeadwiseContinuumMemory",
    "SelfModifyingState",
    "SelfModifyingTitans",
    "SlidingWindow",
    "SwiGLU",
    "given",
    "matrix",
    "own_answer",
    "soft_answer",
]
