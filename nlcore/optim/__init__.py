"""Optimizers: the outer levels of a nested system."""

from nlcore.optim.leveled import LevelOptimizer, LevelReport

__all__ = ["LevelOptimizer", "LevelReport"]
