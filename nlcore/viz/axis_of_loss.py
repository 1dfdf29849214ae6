"""The axis of a loss: the first steps, which all runs share, may leave it, so that what sets runs apart fills it."""

from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

BEGUN, ROOM = 0.1, 0.15
"""The share of each line that is over by then, and what is left free of the rest's range."""


def near(axes: Axes, lines: Iterable[Line2D]) -> None:
    """Sets the y axis to where these lines lie once a tenth of each is over."""
    later = [values[int(len(values) * BEGUN) :] for values in (np.asarray(line.get_ydata(), dtype=float) for line in lines)]
    found = np.concatenate([np.zeros(0), *(values[np.isfinite(values)] for values in later)])
    if len(found) > 1 and found.max() > found.min():
        room = ROOM * (found.max() - found.min())
        axes.set_ylim(found.min() - room, found.max() + room)
