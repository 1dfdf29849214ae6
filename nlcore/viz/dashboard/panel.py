"""The dashboard's widget: it draws messages, and reports what the reader does. It knows nothing of runs."""

from collections.abc import Callable
from typing import Any

import traitlets

from nlcore.viz.view import STATIC, View, plotly, script, style

PARTS = ("numbers", "axis", "curves", "score", "steer", "runs", "felt", "save")
"""Scripts, in `static/dashboard/`, beside the one that puts them together."""


class Panel(View):
    """Draws what it is sent; calls `heard` with each message from the browser."""

    _esm = script("page", *(f"dashboard/{part}" for part in PARTS), "dashboard")
    _css = style("page", "dashboard")
    page = traitlets.Unicode((STATIC / "dashboard.html").read_text(encoding="utf-8")).tag(sync=True)

    def __init__(self, heard: Callable[[dict[str, Any]], None]) -> None:
        super().__init__()
        self._pass_on = heard

    def greet(self) -> None:
        """Sends plotly unasked."""
        self.send({"kind": "plotly"}, [plotly()])

    def heard(self, message: dict[str, Any]) -> None:
        self._pass_on(message)
