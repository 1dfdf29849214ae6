"""What every small demo is: a live view, and a picture that stands there when nothing runs."""

import os
from collections.abc import Callable

from IPython import get_ipython
from IPython.display import publish_display_data
from matplotlib.figure import Figure

from nlcore.viz.show import png, publish
from nlcore.viz.view import View

RUN = "Run this cell to move it."


def building() -> bool:
    """Whether this kernel builds a stored notebook, where nothing can be moved."""
    return "NL_STATIC" in os.environ


class Demo:
    """A live view with a picture of it.

    As the last line of a cell it shows the picture, what the picture shows in words, and the view. A page
    keeps all three: while the view lives it stands in for the picture, and without a kernel, or without
    widgets, or in a built notebook, the picture is there.

    view: the widget.
    picture: draws the view as it opens.
    alt: what that picture shows, in a sentence or two; name: `make book` keeps it as figures/<name>.png.
    """

    def __init__(self, view: View, picture: Callable[[], Figure], *, alt: str, name: str) -> None:
        self.view, self.picture, self.alt, self.name = view, picture, alt, name

    def show(self) -> None:
        """Shows picture, words and view; a script, which has no display, shows nothing."""
        if get_ipython() is None:
            return
        publish(png(self.picture()), self.alt, self.name, moves=RUN)
        if not building():
            data, about = self.view._repr_mimebundle_()
            words = "This is live in a notebook with widgets while its kernel runs: run this cell again."
            publish_display_data(data | {"text/plain": words}, about)

    _ipython_display_ = show
