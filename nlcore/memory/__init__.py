"""Associative memories: objective, architecture, rule and retention, and the type that joins them."""

from nlcore.memory.architectures import Architecture, DeepMLP, LayerGradient, Linear, NarrowMLP, ResidualMLP, Weights
from nlcore.memory.associative import AssociativeMemory, Rates, Report, State
from nlcore.memory.closed_form import ridge
from nlcore.memory.objectives import L2, DotProduct, Huber, Lp, Objective
from nlcore.memory.proximal import follow_the_leader, proximal_step, steepest_step
from nlcore.memory.rules import (
    Decay,
    DeltaGradientDescent,
    GradientDescent,
    KeepAll,
    Oja,
    Omega,
    PullToStart,
    Retention,
    Rule,
)

__all__ = [
    "L2",
    "Architecture",
    "AssociativeMemory",
    "Decay",
    "DeepMLP",
    "DeltaGradientDescent",
    "DotProduct",
    "GradientDescent",
    "Huber",
    "KeepAll",
    "LayerGradient",
    "Linear",
    "Lp",
    "NarrowMLP",
    "Objective",
    "Oja",
    "Omega",
    "PullToStart",
    "Rates",
    "Report",
    "ResidualMLP",
    "Retention",
    "Rule",
    "State",
    "Weights",
    "follow_the_leader",
    "proximal_step",
    "ridge",
    "steepest_step",
]
