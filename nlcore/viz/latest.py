"""Work in the background, of which only the newest matters."""

import threading
from collections.abc import Callable
from typing import Any


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
