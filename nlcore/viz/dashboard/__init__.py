"""The live dashboard: watches a run from its folder, and steers it."""

from nlcore.viz.dashboard.dashboard import Dashboard

__all__ = ["Dashboard"]
