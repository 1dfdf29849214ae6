"""The dashboard's widget: it draws messages, and reports what the reader does. It knows nothing of runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

STATIC = Path(__file__).parent.parent / "static"


class Panel(anywidget.AnyWidget):
    """Draws what it is sent; calls `heard` with each message from the browser."""

    _esm = STATIC / "dashboard.js"
    _css = STATIC / "dashboard.css"
    page = traitlets.Unicode((STATIC / "dashboard.html").read_text(encoding="utf-8")).tag(sync=True)

    def __init__(self, heard: Callable[[dict[str, Any]], None]) -> None:
        super().__init__()
        self.on_msg(lambda _, message, buffers: heard(message))
