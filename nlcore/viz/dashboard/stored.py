"""The dashboard's picture on the page: it stays when the kernel is gone, so it has to be of the run as it was then."""

import time
import uuid
from collections.abc import Callable

from nlcore.train.status import LIVE
from nlcore.viz.dashboard import picture
from nlcore.viz.dashboard.curves import Message
from nlcore.viz.show import png, publish, replace

SHARE, APART = 0.01, 30.0
"""Of the time that may go into pictures while a run trains, and seconds between two of them at least."""
MOVES = "Run this cell for the live dashboard."


class Stored:
    """One picture on the page, renewed when the run's state changes and, in between, so rarely that it costs nothing."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex
        self.state: str | None = None
        """Of the run in the picture, "training" for all in which it goes on; None before there is a picture."""
        self.due = 0.0

    def put(self, message: Message) -> None:
        """Publishes the picture, and what it shows in words."""
        publish(*self._draw(message), display_id=self.id, moves=MOVES)

    def renew(self, state: str, message: Callable[[], Message]) -> None:
        """Puts a new picture in its place, if it is time for one."""
        if self.state is not None and (_plain(state) != self.state or time.monotonic() > self.due):
            replace(*self._draw(message()), self.id)

    def _draw(self, message: Message) -> tuple[bytes, str]:
        began = time.monotonic()
        drawn = png(picture.picture(message)), picture.words(message)
        self.state = _plain(message["state"]["state"])
        self.due = time.monotonic() + max(APART, (time.monotonic() - began) / SHARE)
        return drawn


def _plain(state: str) -> str:
    """A validation is no other state of a run, to whoever looks at a picture."""
    return "training" if state in LIVE and state != "paused" else state
