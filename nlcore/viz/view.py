"""The base of all live views: a small widget of our own, with a script and a style put together from `static/`."""

import os
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
from plotly.offline import get_plotlyjs

STATIC = Path(__file__).parent / "static"


def building() -> bool:
    """Whether this kernel builds a stored notebook, where no view lives."""
    return "NL_STATIC" in os.environ


def script(*names: str) -> str:
    """The scripts of these names as one: what the first ones define, the last one uses and exports."""
    return "\n".join((STATIC / f"{name}.js").read_text(encoding="utf-8") for name in names)


def style(*names: str) -> str:
    """The style sheets of these names as one."""
    return "\n".join((STATIC / f"{name}.css").read_text(encoding="utf-8") for name in names)


@cache
def plotly() -> bytes:
    """Plotly's script, from the installed package."""
    return get_plotlyjs().encode()


class View(anywidget.AnyWidget):
    """A widget whose page may ask for plotly; what else it says goes to `heard`."""

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self.on_msg(self._answer)

    def heard(self, message: dict[str, Any]) -> None:
        """A message from the browser."""

    def _answer(self, _: Any, message: dict[str, Any], buffers: list[memoryview]) -> None:
        if message.get("need") == "plotly":
            self.send({"kind": "plotly"}, [plotly()])
        else:
            self.heard(message)
