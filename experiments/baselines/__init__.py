"""Models that only experiments need. They are trained, stored and loaded as `nlcore.models` are."""

from dataclasses import replace
from functools import partial

from nlcore import memory
from nlcore.layers import FAMILY
from nlcore.models import MODELS
from nlcore.models.build import fast_weight

from experiments.baselines.convolved import convolved_attention, convolved_window
from experiments.baselines.lstm import lstm
from experiments.baselines.unplaced import unplaced

DELTA_WITHOUT_ERASING = replace(FAMILY["deltanet"], objective=memory.DotProduct())
"""DeltaNet's layer to the last parameter, its keys of length one and its eta of each token included; only the objective
is linear attention's, so that a write adds and erases nothing."""
DELTA_NEGATIVE = replace(FAMILY["deltanet"], eta_max=2.0)
"""DeltaNet whose eta reaches 2, so that a write's transition on its key, 1 - eta, reaches -1: it can turn a state round."""
BASELINES = {
    "lstm": lstm,
    "convolved-attention": convolved_attention,
    "convolved-window": convolved_window,
    "deltanet-without-erasing": partial(fast_weight, DELTA_WITHOUT_ERASING),
    "deltanet-negative": partial(fast_weight, DELTA_NEGATIVE),
    "unplaced-transformer": unplaced,
}


def register() -> None:
    """Makes BASELINES known to `nlcore.models.build`, and so to training: `configure(model="lstm")`."""
    MODELS.update(BASELINES)
