"""What a view asks of its kernel, and what comes back: the kernel's side of asking.js."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import traitlets
from matplotlib.figure import Figure

from nlcore.viz.demo import Demo
from nlcore.viz.latest import Latest
from nlcore.viz.question import Asks

Data = dict[str, Any]


class AnsweredView(Asks):
    """Controls and what is computed for them. The page writes `asked`, the kernel `answer`, in the same number."""

    controls = traitlets.Dict().tag(sync=True)
    """By name, as `Control.facts`."""
    try_this = traitlets.Unicode().tag(sync=True)
    asked = traitlets.Dict().tag(sync=True)
    """{"number": of the request, "at": name of a control -> its stop}, and what else a view asks for."""
    answer = traitlets.Dict().tag(sync=True)
    """{"number": of the request}, with what was found or "error": a sentence."""


class Answering(Demo, ABC):
    """A Demo that answers what its view asks, in a background thread, the newest request only.

    What `found` raises there becomes a sentence of the view.
    """

    trouble: str
    """How that sentence begins."""

    def __init__(self, view: AnsweredView, picture: Callable[[], Figure], *, alt: str, name: str) -> None:
        super().__init__(view, picture, alt=alt, name=name)
        self._latest = Latest(self._work)
        view.observe(lambda change: self._latest.ask((change["new"], _hand_over())), names="asked")

    @abstractmethod
    def found(self, asked: Data) -> Data:
        """The answer to a request, without its number."""

    def wait(self, seconds: float = 30) -> bool:
        """Waits until what was asked for is computed; False if that took longer than `seconds`."""
        return self._latest.wait(seconds)

    def _work(self, request: tuple[Data, Callable]) -> None:
        asked, answer_in = request
        try:
            found = self.found(asked)
        except Exception as error:  # a thread has no cell to show a traceback in
            found = {"error": f"{self.trouble}: {str(error).removesuffix('.')}."}
        answer_in(setattr, self.view, "answer", {"number": asked["number"]} | found)


def _hand_over() -> Callable:
    """How a background thread has something called in this one, since a widget that two change at once loses
    changes; outside a kernel, it just calls it."""
    try:
        return asyncio.get_running_loop().call_soon_threadsafe
    except RuntimeError:
        return lambda call, *arguments: call(*arguments)
