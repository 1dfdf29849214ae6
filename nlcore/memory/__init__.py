"""Associative memories: objective, architecture, rule and retention, and the type that joins them."""

from nlcore.memory.architectures import Architecture, DeepMLP, LayerGradient, Linear, ResidualMLP, Weights
from nlcore.memory.associative import AssociativeMemory, Rates, Report, State
from nlcore.memory.objectives import L2, DotProduct, Objective
from nlcore.memory.rules import Decay, DeltaGradientDescent, GradientDescent, PullToStart, Retention, Rule

__all__ = [
    "L2",
    "Architecture",
    "AssociativeMemory",
    "Decay",
    "DeepMLP",
    "DeltaGradientDescent",
    "DotProduct",
    "GradientDescent",
    "LayerGradient",
    "Linear",
    "Objective",
    "PullToStart",
    "Rates",
    "Report",
    "ResidualMLP",
    "Retention",
    "Rule",
    "State",
    "Weights",
]
