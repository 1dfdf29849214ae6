"""Optimizers: the outer levels of a nested system."""

from nlcore.optim.leveled import LevelOptimizer, LevelReport
from nlcore.optim.momentum import Momentum

__all__ = ["LevelOptimizer", "LevelReport", "Momentum"]
