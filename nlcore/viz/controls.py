"""Controls of explorers: labelled, with units in the label, on a grid that a keyboard can walk."""

from collections.abc import Sequence
from typing import Any

from ipywidgets import Dropdown, FloatSlider, IntSlider, Layout, SelectionSlider

WIDE = {"style": {"description_width": "initial"}, "layout": Layout(width="370px")}


def slider(label: str, value: float, low: float, high: float, step: float) -> FloatSlider | IntSlider:
    """A number from `low` to `high`; whole if all of them are."""
    kind = IntSlider if all(isinstance(number, int) for number in (value, low, high, step)) else FloatSlider
    return kind(value, min=low, max=high, step=step, description=label, **WIDE)


def stops(label: str, value: Any, options: Sequence[Any]) -> SelectionSlider:
    """A slider over given values, as powers of two or a logarithmic grid; pairs are (words, value)."""
    return SelectionSlider(options=list(options), value=value, description=label, **WIDE)


def choice(label: str, value: Any, options: Sequence[Any]) -> Dropdown:
    """One of a few things by name; pairs are (words, value)."""
    return Dropdown(options=list(options), value=value, description=label, **WIDE)
