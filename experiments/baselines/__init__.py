"""Models that only experiments need. They are trained, stored and loaded as `nlcore.models` are."""

from nlcore.models import MODELS

from experiments.baselines.lstm import lstm

BASELINES = {"lstm": lstm}


def register() -> None:
    """Makes BASELINES known to `nlcore.models.build`, and so to training: `configure(model="lstm")`."""
    MODELS.update(BASELINES)
