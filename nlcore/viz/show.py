"""Shows a picture in a notebook, and says in words what it shows."""

import base64
import html
import io

from IPython import get_ipython
from IPython.display import publish_display_data
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from PIL import Image

COLOURS = 256
"""Of a picture that is stored."""

# An output after the words holds a live view. A page that finds no kernel for it says so in bare text: the
# picture says more, so it stands there alone.
NO_COMPLAINT = (
    "<style>.jp-OutputArea-child:has(.nl-words) + .jp-OutputArea-child .jupyter-widgets:not(:has(*))"
    "{display:none}</style>"
)


def show(figure: Figure, alt: str, name: str | None = None) -> None:
    """Displays `figure` and closes it; a script, which has no display, shows nothing.

    alt, name: as in `publish`.
    """
    if get_ipython() is None:
        plt.close(figure)
        return
    publish(png(figure), alt, name)


def publish(picture: bytes, alt: str, name: str | None = None, *, display_id: str | None = None, moves: str = "", fold: bool = False) -> None:
    """Two outputs: a PNG, and below it, folded, what it shows, since notebooks give a picture no alt text.

    alt: what the picture shows, in a sentence or two; the book makes it the picture's alt text.
    name: `make book` keeps the picture as figures/<name>.png; none by default.
    display_id: of the picture, so that `replace` can put another in its place; none by default.
    moves: how to bring the picture to life, where it stands for a live view; "" where it does not.
    fold: the picture is folded, as the answer to a question before it.
    """
    data, about = _picture(picture, alt, name)
    if fold:
        data["text/html"] = _folded(picture, alt)
    publish_display_data(data, about, transient={"display_id": display_id} if display_id else {})
    hint = f" <small>{html.escape(moves)}</small>" + NO_COMPLAINT if moves else ""
    words = f"<details><summary>What the picture shows</summary>{html.escape(alt)}</details>{hint}"
    publish_display_data({"text/html": f'<div class="nl-words">{words}</div>'})


def replace(picture: bytes, alt: str, display_id: str) -> None:
    """Puts another PNG where one was published under `display_id`."""
    publish_display_data(*_picture(picture, alt, None), transient={"display_id": display_id}, update=True)


def _picture(picture: bytes, alt: str, name: str | None) -> tuple[dict, dict]:
    about = {"alt": alt} | ({"name": name} if name else {})
    return {"image/png": picture, "text/plain": alt}, {"image/png": about}


def _folded(picture: bytes, alt: str) -> str:
    address = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    image = f'<img src="{address}" alt="{html.escape(alt)}" style="max-width: 100%">'
    return f"<details><summary>The picture, which gives the answer</summary>{image}</details>"


def png(figure: Figure) -> bytes:
    """`figure` as a PNG, in colours enough for the eye and a third of the bytes; closes it."""
    plt.close(figure)
    data, small = io.BytesIO(), io.BytesIO()
    figure.savefig(data, format="png", dpi=120, bbox_inches="tight")
    # By coverage, since a level's colour has few points in a large picture and has to stay what it is.
    picture = Image.open(data).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    picture.save(small, "PNG", optimize=True)
    return small.getvalue()
