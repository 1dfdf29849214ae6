"""The looks of chapter 04: an optimizer, a memory inside one, or a reading of the print has one colour in all its pictures."""

from dataclasses import replace

from nlcore.viz.theme import COLOURS, Look

_NAMES = ("Adam", "Muon", "M3", "slow memory", "m", "AdaGrad", "as printed", "cubic")
_DASHES = ("solid", "dashed", "dotted", "dashdot", "solid", "solid", "dotted", "solid")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
LOOKS = {name: Look(*look) for name, *look in zip(_NAMES, COLOURS, _DASHES, _MARKERS)}


def like(name: str, dash: str, marker: str = "") -> Look:
    """The colour of one of `LOOKS`, for a form of it, with a dash of its own."""
    return replace(LOOKS[name], dash=dash, marker=marker or LOOKS[name].marker)
