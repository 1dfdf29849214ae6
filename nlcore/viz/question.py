"""A prediction on the page: asked before a view opens, answered, laid over the result, and remembered."""

import html
from collections.abc import Mapping
from typing import Any

import traitlets
from IPython import get_ipython
from IPython.display import publish_display_data

from nlcore.viz import reader
from nlcore.viz.axis import Axis
from nlcore.viz.prediction import Curve, Drawing, Prediction, Tick
from nlcore.viz.show import NO_COMPLAINT
from nlcore.viz.view import View, building, script, style

Data = dict[str, Any]


class Asks(View):
    """A view that may begin with a prediction; its script calls `prediction` of prediction.js."""

    prediction = traitlets.Dict().tag(sync=True)
    """The question and, once there is one, its outcome; {} for none."""
    guess = traitlets.Dict().tag(sync=True)
    """What the reader drew, to be laid over the chart; {} for nothing."""

    def ask(
        self, prediction: Prediction, drawing: Drawing | None = None, stops: Mapping[str, int] | None = None, setting: str = ""
    ) -> None:
        """Begins with this question, or with its outcome if the reader has answered it before.

        drawing: of a curve or a point, on the axes of the view's chart.
        stops: where the view's controls go once it is answered, by name; where they are, if it names none.
        setting: the same in words; "" for where they are.
        Raises ValueError for a curve or a point without a drawing.
        """
        if drawing is None and not isinstance(prediction, Tick):
            raise ValueError(f"{prediction.key} is drawn on an explorer's chart: ask it with that explorer's predict")
        self._prediction, self._drawing = prediction, drawing
        self._name = f"your guess ({setting})" if setting else "your guess"
        self.prediction = {"outcome": None, "trouble": "", "stops": dict(stops or {}), "setting": setting, **_question(prediction, drawing)}
        try:
            answer = reader.answers().get(prediction.key)
        except reader.ReaderError as error:
            self.prediction = self.prediction | {"trouble": str(error)}
            return
        if answer and (answer.answer is None or prediction.takes(answer.answer)):
            self._tell(answer.answer)

    def heard(self, message: Data) -> None:
        """What the reader did: answered, looked, or wants to be asked again."""
        match message:
            case {"predict": "answer", "answer": answer} if self._prediction.takes(answer):
                self._remember(answer, self._tell(answer))
            case {"predict": "look"}:
                self._remember(None, self._tell(None))
            case {"predict": "again"}:
                self.guess, self.prediction = {}, self.prediction | {"outcome": None}

    def _tell(self, answer: Any) -> bool | None:
        """Puts the outcome on the page; whether the answer was right, and None for none."""
        prediction, drawing = self._prediction, self._drawing
        outcome: Data = {"answer": answer, "right": None, "words": "You looked first.", "because": prediction.because}
        if answer is not None:
            verdict = prediction.judge(answer) if isinstance(prediction, Tick) else prediction.judge(answer, drawing)
            outcome |= {"right": verdict.right, "words": verdict.words}
        if isinstance(prediction, Tick):
            outcome["truth"] = prediction.right
        elif answer is not None:
            x, y = (drawing.x.tolist(), answer) if isinstance(prediction, Curve) else ([answer[0]], [answer[1]])
            self.guess = {"plot": prediction.plot, "name": self._name, "x": x, "y": list(y)}
        self.prediction = self.prediction | {"outcome": outcome}
        return outcome["right"]

    def _remember(self, answer: Any, right: bool | None) -> None:
        try:
            known = reader.answers().get(self._prediction.key)
            if answer is not None or known is None:  # who looks has still answered before
                reader.remember(self._prediction.key, reader.Answer(answer, right))
        except reader.ReaderError as error:
            self.prediction = self.prediction | {"trouble": str(error)}
        else:
            self.prediction = self.prediction | {"trouble": ""}


class Question(Asks):
    """A prediction alone, about what a later cell will show."""

    _esm = script("page", "prediction", "question")
    _css = style("page", "prediction")

    def __init__(self, prediction: Tick) -> None:
        super().__init__()
        self.ask(prediction)

    def _ipython_display_(self) -> None:
        publish_question(self._prediction, alone=True)
        if not building():
            publish_display_data(*self._repr_mimebundle_())


def plain(prediction: Prediction) -> str:
    """The question in words, with its options."""
    options = prediction.options if isinstance(prediction, Tick) else ()
    return "\n  - ".join((f"Predict. {prediction.question}", *options))


def folded(prediction: Prediction) -> str:
    """The question as HTML that needs no kernel; the answer is behind a fold."""
    options = "".join(f"<li>{html.escape(option)}</li>" for option in getattr(prediction, "options", ()))
    answer = f"<strong>{html.escape(prediction.right)}.</strong> " if isinstance(prediction, Tick) else ""
    return (
        f"<p><strong>Predict.</strong> {html.escape(prediction.question)}</p>{options and f'<ul>{options}</ul>'}"
        f"<details><summary>The answer</summary><p>{answer}{html.escape(prediction.because)}</p></details>"
    )


def publish_question(prediction: Prediction, alone: bool = False) -> None:
    """Puts the question on the page in words, for where nothing runs; a live view beside it stands in for them.

    alone: no picture comes between the words and the view.
    """
    kind, rest = ("nl-words", NO_COMPLAINT) if alone else ("nl-asked", "")
    page = f'<div class="{kind}">{folded(prediction)}{rest}</div>'  # with anything beside it, page.js takes it for more than words
    publish_display_data({"text/html": page, "text/plain": plain(prediction)})


def say(prediction: Prediction) -> None:
    """Prints the question where there is no page, as in a script."""
    if get_ipython() is None:
        print(plain(prediction))


def _question(prediction: Prediction, drawing: Drawing | None) -> Data:
    """The question as the page gets it."""
    asked: Data = {"key": prediction.key, "kind": type(prediction).__name__.lower(), "question": prediction.question}
    if isinstance(prediction, Tick):
        return asked | {"options": list(prediction.options), "hides": prediction.spoils}
    across, up = drawing.axes
    given = [
        {"name": line.name.split(":")[0], "colour": line.look.colour, "dash": line.look.dash,
         "x": list(across.share(line.x)), "y": list(up.share(line.y))}
        for line in drawing.given
    ]  # fmt: skip
    places = list(across.share(drawing.x)) if isinstance(prediction, Curve) else [0.5]
    return asked | {"axes": [_axis(across), _axis(up)], "places": places, "given": given, "hides": True}


def _axis(axis: Axis) -> Data:
    return {
        "label": axis.label, "low": axis.low, "high": axis.high, "log": axis.log,
        "ticks": [{"share": axis.share(at), "words": words} for at, words in axis.ticks.items()],
    }  # fmt: skip
