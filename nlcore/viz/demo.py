"""The pattern of every small demo: controls, a pure `compute`, a view, one line of what to try.

    def compute(alpha: float) -> Arrays: ...          # pure: tested without a browser

    Demo(compute, {"alpha": FloatSlider(...)}, view, draw=..., picture=..., alt="...", try_this="...")

As the last line of a cell it shows the live widget; where a notebook is being built, a picture.
"""

import asyncio
import html
import os
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import ipywidgets
from IPython.display import display
from matplotlib.figure import Figure

from nlcore.viz.show import show

Arrays = TypeVar("Arrays")
SLOW_S = 0.2


def _hand_over() -> Callable:
    """How a background thread has something called in this one; outside a kernel, it just calls it."""
    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        return lambda call, *arguments: call(*arguments)


def building() -> bool:
    """Whether this kernel builds a stored notebook, where nothing can be moved."""
    return "NL_STATIC" in os.environ


class Latest:
    """Does the newest request in a background thread; what was asked for in between is dropped."""

    def __init__(self, work: Callable[[Any], None]) -> None:
        self._work = work
        self._lock = threading.Lock()
        self._next: Any = None
        self._idle = threading.Event()
        self._idle.set()

    def ask(self, request: Any) -> None:
        """Asks for `work(request)`, instead of what was asked for and has not begun. Returns at once."""
        with self._lock:
            self._next = request
            if not self._idle.is_set():
                return
            self._idle.clear()
        threading.Thread(target=self._run, daemon=True).start()

    def wait(self, seconds: float) -> bool:
        """Waits until nothing is left to do; False if that took longer than `seconds`."""
        return self._idle.wait(seconds)

    def _run(self) -> None:
        while True:
            with self._lock:
                request, self._next = self._next, None
                if request is None:
                    self._idle.set()
                    return
            self._work(request)


class Demo(Generic[Arrays]):
    """Controls, what they compute and the view of it; a picture where nothing can be moved.

    compute: `compute(**values) -> arrays`, pure; the values are the controls', by name. It runs in
        a background thread, and what it raises becomes one sentence under the view.
    controls: name -> widget with a `value`; the view may be one of them.
    view: the widget that shows the arrays; `draw(arrays)` puts them there, in the kernel's own
        thread: a widget that two threads change at once loses changes.
    picture: the arrays as a matplotlib figure, for stored notebooks; `alt` says what it shows.
    try_this: a sentence: what to move, and what to look for.
    name: `make book` keeps the picture as figures/<name>.png; none by default.
    """

    def __init__(
        self,
        compute: Callable[..., Arrays],
        controls: Mapping[str, ipywidgets.Widget],
        view: ipywidgets.Widget,
        *,
        draw: Callable[[Arrays], None],
        picture: Callable[[Arrays], Figure],
        alt: str,
        try_this: str,
        name: str | None = None,
    ) -> None:
        self.compute, self.controls, self.view, self.draw = compute, dict(controls), view, draw
        self.picture, self.alt, self.name = picture, alt, name
        self._first = self.values()
        self._took_s = 0.0
        self._latest = Latest(self._update)
        self.status = ipywidgets.HTML()
        self.reset_button = ipywidgets.Button(description="Reset", tooltip="Put every control back")
        self.reset_button.on_click(lambda _: self.reset())
        hint = ipywidgets.HTML(f"<b>Try this.</b> {try_this}")
        above = [control for control in self.controls.values() if control is not view]
        wrap = ipywidgets.Layout(flex_flow="row wrap")
        self.box = ipywidgets.VBox(
            [hint, ipywidgets.HBox(above, layout=wrap), view, ipywidgets.HBox([self.reset_button, self.status])]
        )
        for control in self.controls.values():
            control.observe(lambda _: self.ask(), names="value")

    def values(self) -> dict:
        """The controls' values now, by name."""
        return {name: control.value for name, control in self.controls.items()}

    def reset(self) -> None:
        """Puts every control back to where it was when the demo was made."""
        for name, control in self.controls.items():
            control.value = self._first[name]

    def ask(self) -> None:
        """Computes and draws for the controls' values of now. Returns at once."""
        if self._took_s > SLOW_S:
            self._say("Computing ...")
        self._latest.ask((self.values(), _hand_over()))

    def wait(self, seconds: float = 30) -> bool:
        """Waits until what was asked for is computed; False if that took longer than `seconds`.

        In a script it is then drawn as well; in a notebook, once the cell has ended.
        """
        return self._latest.wait(seconds)

    def show(self) -> None:
        """The live widget, or the picture where a notebook is being built."""
        if building():
            show(self.picture(self.compute(**self.values())), alt=self.alt, name=self.name)
            return
        display(self.box)
        self._say("Computing ...")
        self.ask()

    _ipython_display_ = show

    def _update(self, request: tuple[dict, Callable]) -> None:
        values, hand_over = request
        started = time.perf_counter()
        try:
            arrays = self.compute(**values)
        except Exception as error:  # a thread has no cell to show a traceback in
            hand_over(self._fail, error)
        else:
            hand_over(self._put, arrays)
        self._took_s = time.perf_counter() - started

    def _put(self, arrays: Arrays) -> None:
        try:
            self.draw(arrays)
        except Exception as error:  # nor has the kernel's loop
            self._fail(error)
        else:
            self._say("")

    def _fail(self, error: Exception) -> None:
        self._say(f"This could not be drawn: {html.escape(str(error))}")

    def _say(self, text: str) -> None:
        self.status.value = f'<span role="status">{text}</span>' if text else ""
