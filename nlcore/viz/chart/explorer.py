"""An explorer from a computation, its controls and its chart."""

from collections.abc import Callable, Mapping
from typing import TypeVar

import ipywidgets

from nlcore.viz.chart.live import ChartView
from nlcore.viz.chart.plot import Chart
from nlcore.viz.chart.static import draw
from nlcore.viz.demo import Demo

Arrays = TypeVar("Arrays")


def explorer(
    compute: Callable[..., Arrays],
    controls: Mapping[str, ipywidgets.Widget],
    chart: Callable[[Arrays], Chart],
    *,
    alt: str,
    try_this: str,
    name: str | None = None,
) -> Demo[Arrays]:
    """A Demo whose view is `chart(compute(**values))`: live in a notebook, a picture in a stored one.

    compute: pure; the values are the controls', by name.
    alt, try_this, name: as in Demo.
    """
    view = ChartView(chart(compute(**{key: control.value for key, control in controls.items()})))
    return Demo(
        compute,
        controls,
        view.widget,
        draw=lambda arrays: view.draw(chart(arrays)),
        picture=lambda arrays: draw(chart(arrays)),
        alt=alt,
        try_this=try_this,
        name=name,
    )
