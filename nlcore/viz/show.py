"""Shows a matplotlib figure in a notebook with words for those who cannot see it."""

import io

from IPython import get_ipython
from IPython.display import publish_display_data
from matplotlib import pyplot as plt
from matplotlib.figure import Figure


def show(figure: Figure, alt: str, name: str | None = None) -> None:
    """Displays `figure` as one PNG and closes it; a script, which has no display, shows nothing.

    alt: what the picture shows, in a sentence; the book puts it on the page.
    name: `make book` keeps the picture as figures/<name>.png; none by default.
    """
    if get_ipython() is None:
        plt.close(figure)
        return
    about = {"alt": alt} | ({"name": name} if name else {})
    publish_display_data({"image/png": png(figure), "text/plain": alt}, {"image/png": about})


def png(figure: Figure) -> bytes:
    """`figure` as a PNG; closes it."""
    plt.close(figure)
    data = io.BytesIO()
    figure.savefig(data, format="png", dpi=120, bbox_inches="tight")
    return data.getvalue()
