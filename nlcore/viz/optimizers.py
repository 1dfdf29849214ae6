"""The looks of chapters 03 to 05: an optimizer, a memory inside one, a rule or a reading of the print keeps its look."""

from dataclasses import replace

from nlcore.viz.theme import COLOURS, GREY, MARKERS, Look, level_looks


def _looks(dashes: dict[str, str]) -> dict[str, Look]:
    """The palette's colours and markers in their order, for names that each have a dash of their own."""
    return {name: Look(colour, dash, marker) for (name, dash), colour, marker in zip(dashes.items(), COLOURS, MARKERS)}


OPTIMIZERS = _looks({"Adam": "solid", "Muon": "dashed", "M3": "dotted", "slow memory": "dashdot", "m": "solid", "AdaGrad": "solid",
                     "as printed": "dotted", "cubic": "solid"})  # fmt: skip
"""Of chapter 04."""

MOMENTA = {
    "SGD": Look(GREY, "solid", "X"),
    "SGD that avoids": Look(GREY, "dotted", "v"),
    "momentum": replace(level_looks(["weights"])["weights"], dash="solid"),
    "Adam": OPTIMIZERS["Adam"],
    "Muon": OPTIMIZERS["Muon"],
    "literal": Look(COLOURS[4], "dashed", "s"),
    "bounded": Look(COLOURS[7], "dotted", "v"),
    "exact": Look(COLOURS[3], "dashdot", "D"),
    "deep": Look(COLOURS[5], "solid", "P"),
}
"""Of chapter 03. Momentum has the colour of the weights' level, as it has on the map and in a score."""

DESCENTS = _looks({"gradient descent": "solid", "Delta GD": "dashed", "exact step": "dotted", "Delta GD as printed": "dashdot",
                   "Huber": "dotted", "Lp, p = 1.5": "dashdot"})  # fmt: skip
DESCENTS |= {"dot product": DESCENTS["gradient descent"], "SGD": DESCENTS["gradient descent"], "L2": DESCENTS["Delta GD"]}
"""Of chapter 05. An objective looks like the rule that it makes."""


def like(name: str, dash: str, marker: str = "") -> Look:
    """The colour of one of `OPTIMIZERS`, for a form of it, with a dash of its own."""
    return replace(OPTIMIZERS[name], dash=dash, marker=marker or OPTIMIZERS[name].marker)
