"""What each level holds of a text: a curve a level, over two readings of it."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor

from nlcore.viz.chart import Line, Plot
from nlcore.viz.chart.static import draw
from nlcore.viz.theme import looks


def held(worth: Mapping[str, Tensor], width: int = 32) -> Figure:
    """Bits per token lost without each level, by place in the text.

    worth: by level, fastest first: (N, 2T - 1) for N texts of T tokens read twice.
    width: tokens that a point is the mean of; the band is two standard errors over the texts.
    """
    found = looks(tuple(worth))
    lines = tuple(_line(name, values.numpy(), found[name], width) for name, values in worth.items())
    half = (next(iter(worth.values())).shape[1] + 1) / 2
    ticks = {half / 2: "first reading", half: "|", 3 * half / 2: "second reading"}
    return draw((Plot("What is lost without a level", "place in the text", "bits per token, more is worse", lines, x_ticks=ticks, levels=(0.0,)),))


def _line(name: str, values: np.ndarray, look, width: int) -> Line:
    count = values.shape[1] // width
    parts = values[:, : count * width].reshape(len(values), count, width).mean(2)
    mean, error = parts.mean(0), 2 * parts.std(0, ddof=1) / len(parts) ** 0.5
    return Line(name, (np.arange(count) + 0.5) * width, mean, look, "both", band=(mean - error, mean + error))
