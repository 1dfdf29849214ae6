"""What each level holds of a text: what it is worth on the text, after the same text and after another."""

from collections.abc import Mapping

from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import Tensor

from nlcore.viz.theme import level_looks, tidy


def held(before: Mapping[str, Mapping[str, Tensor]]) -> Figure:
    """A row a level, a point a condition, with two standard errors over the texts.

    before: by what was read before ("the same text", "another text"): by level, fastest first, the bits a
        token that are lost without the level, (N, T) for N texts.
    """
    figure, axes = plt.subplots(figsize=(8, 3.4), layout="constrained")
    for shift, (condition, fill, worth) in enumerate(zip(before, ("full", "none"), before.values())):
        for row, (level, lost) in enumerate(worth.items()):
            look, texts = level_looks([level])[level], lost.mean(1)
            axes.errorbar(
                texts.mean(), row - 0.12 + 0.24 * shift, xerr=2 * texts.std() / len(texts) ** 0.5, capsize=3, color=look.colour,
                marker=look.marker, markersize=8, fillstyle=fill, label=f"after {condition}" if row == 0 else None,
            )
    axes.axvline(0, color="#7a7a7a", linewidth=0.8)
    axes.set_yticks(range(len(worth)), list(worth))
    axes.invert_yaxis()
    tidy(axes, "What a level is worth on a text", "bits per token lost without it", "")
    axes.grid(axis="x", alpha=0.25)
    axes.legend(frameon=False)
    return figure
