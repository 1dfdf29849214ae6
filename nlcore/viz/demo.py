"""What every small demo is: a live view, and a picture that stands there when nothing runs."""

from collections.abc import Callable
from typing import Self

from IPython import get_ipython
from IPython.display import publish_display_data
from matplotlib.figure import Figure

from nlcore.viz.prediction import Prediction
from nlcore.viz.predictions import find
from nlcore.viz.question import Asks, publish_question, say
from nlcore.viz.show import png, publish
from nlcore.viz.view import building

RUN = "Run this cell to move it."


class Demo:
    """A live view with a picture of it.

    As the last line of a cell it shows the picture, what the picture shows in words, and the view. A page
    keeps all three: while the view lives it stands in for the picture, and without a kernel, or without
    widgets, or in a built notebook, the picture is there.

    view: the widget.
    picture: draws the view as it opens.
    alt: what that picture shows, in a sentence or two; name: `make book` keeps it as figures/<name>.png.
    """

    def __init__(self, view: Asks, picture: Callable[[], Figure], *, alt: str, name: str) -> None:
        self.view, self.picture, self.alt, self.name = view, picture, alt, name
        self.asks: Prediction | None = None

    def predict(self, key: str) -> Self:
        """Asks the prediction of this key first: the view opens once it is answered, or looked at.

        Raises ValueError for a key that there is not.
        """
        self.asks = find(key)
        self.put_question(self.asks)
        say(self.asks)
        return self

    def put_question(self, prediction: Prediction) -> None:
        """Hands the question to the view."""
        self.view.ask(prediction)

    def show(self) -> None:
        """Shows picture, words and view; a script, which has no display, shows nothing."""
        if get_ipython() is None:
            return
        if self.asks:
            publish_question(self.asks)
        publish(png(self.picture()), self.alt, self.name, moves=RUN, fold=self.asks is not None and self.asks.spoils)
        if not building():
            data, about = self.view._repr_mimebundle_()
            words = "This is live in a notebook with widgets while its kernel runs: run this cell again."
            publish_display_data(data | {"text/plain": words}, about)

    _ipython_display_ = show
