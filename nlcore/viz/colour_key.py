"""The key to a chapter's pictures: how each level is drawn, beside its name."""

from collections.abc import Mapping

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from nlcore.viz.show import show
from nlcore.viz.theme import Look


def colour_key(looks: Mapping[str, Look]) -> None:
    """Shows a line for each level, fastest on top, with its colour, dash and mark."""
    names = f"{', '.join(looks)}: a line for each level, fastest first, with its own colour, dash and mark."
    show(picture(looks), alt=names[0].upper() + names[1:])


def picture(looks: Mapping[str, Look]) -> Figure:
    """The same as a figure. Names are in black, since some colours are too pale for letters."""
    figure, axes = plt.subplots(figsize=(6, 0.36 * len(looks) + 0.2), layout="constrained")
    for row, (name, look) in enumerate(looks.items()):
        axes.plot([0, 1, 2], [-row] * 3, **look.line())
        axes.text(2.2, -row, name, va="center")
    axes.set(xlim=(-0.1, 5), ylim=(0.5 - len(looks), 0.5), xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return figure
