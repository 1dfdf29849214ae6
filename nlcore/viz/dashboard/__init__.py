"""The live dashboard: watches a run from its folder, and steers it; a stored run plays in it as a live one does."""

from nlcore.viz.dashboard.dashboard import Dashboard
from nlcore.viz.dashboard.played import replay

__all__ = ["Dashboard", "replay"]
