"""The looks of chapter 03: an optimizer, or a form of momentum, has one colour in all its pictures.

Adam and Muon look as in chapter 04, and momentum has the colour of the weights' level, as it has on the map and in a score.
"""

from dataclasses import replace

from nlcore.viz.optimizers import LOOKS as OPTIMIZERS
from nlcore.viz.theme import COLOURS, GREY, Look, level_looks

LOOKS = {
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
