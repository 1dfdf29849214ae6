"""The looks of chapter 05's rules: a rule has one colour, dash and marker in every picture of the chapter."""

from nlcore.viz.theme import COLOURS, DASHES, MARKERS, Look

_ORDER = {  # objectives stand beside the rule that they make
    "gradient descent": 0, "dot product": 0, "SGD": 0,
    "Delta GD, exact": 1, "L2": 1, "Delta GD": 1,
    "exact step, value given": 2,
    "Delta GD as printed": 3,
    "Huber": 4,
    "Lp, p = 1.5": 5,
    "Delta GD, loss × 100": 7,
}  # fmt: skip

LOOKS = {name: Look(COLOURS[at], DASHES[at % len(DASHES)], MARKERS[at]) for name, at in _ORDER.items()}
"""Name of a rule, or of an objective -> its look."""
