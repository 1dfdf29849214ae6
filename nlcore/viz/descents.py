"""The looks of chapter 05's rules: a rule has one colour, dash and marker in every picture of the chapter."""

from nlcore.viz.theme import COLOURS, MARKERS, Look

_PARTS = {  # colour and marker by their place, dash; objectives stand beside the rule that they make
    "gradient descent": (0, "solid"), "dot product": (0, "solid"), "SGD": (0, "solid"),
    "Delta GD, exact": (1, "dashed"), "L2": (1, "dashed"), "Delta GD": (1, "dashed"),
    "exact step": (2, "dotted"),
    "Delta GD as printed": (3, "dashdot"),
    "Huber": (4, "dotted"),
    "Lp, p = 1.5": (5, "dashdot"),
}  # fmt: skip

LOOKS = {name: Look(COLOURS[at], dash, MARKERS[at]) for name, (at, dash) in _PARTS.items()}
"""Name of a rule, or of an objective -> its look."""
