"""An explorer: a pure computation, its controls, and the chart of what it finds."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import traitlets

from nlcore.viz.answering import AnsweredView, Answering
from nlcore.viz.chart.data import Data, describe
from nlcore.viz.chart.plot import Chart
from nlcore.viz.chart.static import draw
from nlcore.viz.controls import Control
from nlcore.viz.prediction import Prediction, Tick
from nlcore.viz.view import script, style

Arrays = TypeVar("Arrays")


class ExplorerView(AnsweredView):
    """Controls and a chart: what is found is a "chart", as `describe`."""

    _esm = script("page", "controls", "chart", "prediction", "asking", "explorer")
    _css = style("page", "controls", "chart", "prediction")
    name = traitlets.Unicode().tag(sync=True)
    """In words, for those who go from group to group."""


class Explorer(Answering, Generic[Arrays]):
    """A Demo whose view is `chart(compute(**values))`.

    compute: pure; the values are the controls', by name. It runs in a background thread, and what it
        raises becomes one sentence under the chart.
    controls: by name. chart: draws what was found.
    try_this: what to move, and what to look for, in a sentence or two.
    alt, name: as in Demo.
    """

    trouble = "This could not be drawn"

    def __init__(
        self,
        compute: Callable[..., Arrays],
        controls: Mapping[str, Control],
        chart: Callable[[Arrays], Chart],
        *,
        alt: str,
        try_this: str,
        name: str,
    ) -> None:
        self.compute, self.controls, self.chart = compute, dict(controls), chart
        self.first = {name: control.first for name, control in controls.items()}
        view = ExplorerView(
            name=name.replace("_", " "),
            controls={name: control.facts() for name, control in controls.items()},
            try_this=try_this,
            asked={"number": 0, "at": self.first},
            answer={"number": 0, "chart": self.answer(self.first)},
        )
        super().__init__(view, lambda: draw(chart(compute(**self.values(self.first)))), alt=alt, name=name)

    def values(self, at: Mapping[str, int | str]) -> dict[str, Any]:
        """What `compute` gets when each control stands on the stop, or on the text, that `at` names."""
        return {name: control.value(at[name]) for name, control in self.controls.items()}

    def answer(self, at: Mapping[str, int | str]) -> list[Data]:
        """The chart where the controls stand, as plain data."""
        return describe(self.chart(self.compute(**self.values(at))))

    def found(self, asked: Data) -> Data:
        """The chart that a request of the page is for."""
        return {"chart": self.answer(asked["at"])}

    def put_question(self, prediction: Prediction) -> None:
        """Hands the question to the view, on the axes of the chart at its setting.

        Raises ValueError for a setting that the controls cannot be put to.
        """
        if unknown := prediction.at.keys() - self.controls:
            raise ValueError(f"{prediction.key} is asked at {', '.join(sorted(unknown))}; {self.name} has {', '.join(self.controls)}")
        stops = {name: self.controls[name].stop(value) for name, value in prediction.at.items()}
        setting = ", ".join(self.controls[name].at(stop) for name, stop in stops.items())
        drawing = None
        if not isinstance(prediction, Tick):
            drawing = prediction.drawing(self.chart(self.compute(**self.values(self.first | stops))))
        self.view.ask(prediction, drawing, stops, setting)
