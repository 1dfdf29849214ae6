"""An explorer: a pure computation, its controls, and the chart of what it finds."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Generic, TypeVar

import traitlets

from nlcore.viz.asked import Asks
from nlcore.viz.chart.data import Data, describe
from nlcore.viz.chart.plot import Chart
from nlcore.viz.chart.static import draw
from nlcore.viz.controls import Control
from nlcore.viz.demo import Demo
from nlcore.viz.latest import Latest, hand_over
from nlcore.viz.prediction import Prediction, Tick
from nlcore.viz.view import script, style

Arrays = TypeVar("Arrays")


class ExplorerView(Asks):
    """Controls and a chart. The page writes `asked`, the kernel `answer`; the numbers say which belongs to which."""

    _esm = script("page", "controls", "chart", "prediction", "asking", "explorer")
    _css = style("page", "controls", "chart", "prediction")
    controls = traitlets.Dict().tag(sync=True)
    """By name, as `Control`, without values."""
    try_this = traitlets.Unicode().tag(sync=True)
    asked = traitlets.Dict().tag(sync=True)
    """{"number": of the request, "at": name -> stop}."""
    answer = traitlets.Dict().tag(sync=True)
    """{"number": of the request, "chart": as `describe`, or "error": a sentence}."""


class Explorer(Demo, Generic[Arrays]):
    """A Demo whose view is `chart(compute(**values))`.

    compute: pure; the values are the controls', by name. It runs in a background thread, and what it
        raises becomes one sentence under the chart.
    controls: by name. chart: draws what was found.
    try_this: what to move, and what to look for, in a sentence or two.
    alt, name: as in Demo.
    """

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
            controls={name: facts(control) for name, control in controls.items()},
            try_this=try_this,
            asked={"number": 0, "at": self.first},
            answer={"number": 0, "chart": self.answer(self.first)},
        )
        super().__init__(view, lambda: draw(chart(compute(**self.values(self.first)))), alt=alt, name=name)
        self._latest = Latest(self._work)
        view.observe(self._ask, names="asked")

    def values(self, at: Mapping[str, int]) -> dict[str, Any]:
        """What `compute` gets when each control stands on the stop that `at` names."""
        return {name: control.values[at[name]] for name, control in self.controls.items()}

    def answer(self, at: Mapping[str, int]) -> list[Data]:
        """The chart at these stops, as plain data."""
        return describe(self.chart(self.compute(**self.values(at))))

    def put_question(self, prediction: Prediction) -> None:
        """Hands the question to the view, on the axes of the chart at its setting."""
        stops = {name: self.controls[name].values.index(value) for name, value in prediction.at.items()}
        setting = ", ".join(self.controls[name].at(stop) for name, stop in stops.items())
        drawing = None
        if not isinstance(prediction, Tick):
            drawing = prediction.drawing(self.chart(self.compute(**self.values(self.first | stops))))
        self.view.ask(prediction, drawing, stops, setting)

    def wait(self, seconds: float = 30) -> bool:
        """Waits until what was asked for is computed; False if that took longer than `seconds`."""
        return self._latest.wait(seconds)

    def _ask(self, change: Mapping[str, Any]) -> None:
        self._latest.ask((change["new"], hand_over()))

    def _work(self, request: tuple[dict[str, Any], Callable]) -> None:
        asked, answer_in = request
        try:
            found: Data = {"chart": self.answer(asked["at"])}
        except Exception as error:  # a thread has no cell to show a traceback in
            found = {"error": f"This could not be drawn: {error}"}
        answer_in(setattr, self.view, "answer", {"number": asked["number"]} | found)


def facts(control: Control) -> Data:
    """A control as the page gets it."""
    return {name: value for name, value in asdict(control).items() if name != "values"}
