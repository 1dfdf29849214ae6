"""Models that only experiments need. They are trained, stored and loaded as `nlcore.models` are."""

from nlcore.models import MODELS

from experiments.baselines.lstm import lstm
from experiments.baselines.plain_links import plain_links

BASELINES = {"lstm": lstm, "plain-links": plain_links}


def register() -> None:
    """Makes BASELINES known to `nlcore.models.build`, and so to training: `configure(model="lstm")`."""
    MODELS.update(BASELINES)
