"""The live dashboard: one line in a notebook watches a run and steers it."""

import importlib.util
import threading
import time
from pathlib import Path
from typing import Any

from IPython import get_ipython

from nlcore.train import Run, TrainConfig, TrainError, resume, start
from nlcore.train.control import send
from nlcore.train.folder import RunFolder
from nlcore.train.status import LIVE
from nlcore.viz.dashboard import picture
from nlcore.viz.dashboard.company import Company
from nlcore.viz.demo import building
from nlcore.viz.show import png
from nlcore.viz.dashboard.live import Curves, Live, Message, differ, gone, open_run

PAUSE, CATCHING_UP, ENDED = 0.3, 0.02, 2.0
"""Seconds between two looks at a run that trains, at one whose history is still being read, at one that ended."""
REDRAW = 0.3
"""Seconds between two messages to the browser, at least."""
COMPANY = 3.0
"""Seconds between two looks for other dashboards."""
SMALL = ("sentences", "closed", "rows", "state")
_open: dict[Path, "Dashboard"] = {}
"""Those of this kernel, by run folder."""


class Dashboard:
    """Watches a run and steers it; the last expression of a cell shows it.

        Dashboard(configure("tiny"))              starts a new run in a process of its own
        Dashboard("runs/tiny-hope-1")             attaches to a run, or opens one that has ended
        Dashboard(run, against=other)             the same, with another run's curves in the same axes

    Everything is read from the run's folder by a background thread, so the kernel stays free, a
    restarted kernel loses nothing, and the run goes on without any dashboard. In one kernel a new
    dashboard of a run takes the place of the older one.

    Args:
        run: a config, a Run, or a run's folder.
        against: a Run or folder to compare with.

    Raises TrainError if a config cannot be started. All that goes wrong later is a sentence in the dashboard.
    """

    def __init__(self, run: TrainConfig | Run | str | Path, against: Run | str | Path | None = None) -> None:
        run = start(run) if isinstance(run, TrainConfig) else run
        self.folder, self.against = _folder(run), None if against is None else _folder(against)
        self.live: Live | str = "Opening the run."
        self.other: Curves | str | None = None
        self.said, self.error = "", ""
        self.number = 0
        """Of the command that `said` speaks of; 0 if it speaks of none."""
        self.panel, self.sent = None, 0.0
        self.company, self.others, self.asked = None, False, 0.0
        self.told: Message = {}
        """The small parts of the last message: they are sent only when they change."""
        self.lock, self.closed = threading.RLock(), threading.Event()
        if (older := _open.pop(self.folder.path, None)) is not None:
            older.close("A newer dashboard of this run was opened in this notebook: this one has stopped.")
        _open[self.folder.path] = self
        self.thread = threading.Thread(target=self._work, name=f"dashboard {self.folder.path.name}", daemon=True)
        self.thread.start()

    @property
    def run(self) -> Run:
        """The run, for its metrics, samples and commands. Raises TrainError if the folder holds none."""
        return self.live.run if isinstance(self.live, Live) else Run(self.folder.path)

    def close(self, sentence: str = "This dashboard is closed; the run goes on.") -> None:
        """Stops watching. The run goes on."""
        with self.lock:
            self.said, self.number = sentence, 0
            self.closed.set()
            self._push(whole=False)
            if self.company is not None:
                self.company.leave()
            if _open.get(self.folder.path) is self:
                del _open[self.folder.path]

    def sentences(self) -> list[str]:
        """What the status line says: what is wrong, or what was last done."""
        if isinstance(self.live, str):
            return [self.said if self.closed.is_set() else gone(self.folder) or self.live]
        spoilt = sum(file.spoilt for file in self.live.follows())
        found = [
            gone(self.folder),
            self.error,
            self.live.status.get("sentence", ""),
            self.other if isinstance(self.other, str) else differ(self.live, self.other) if self.other else "",
            f"{spoilt} unreadable {'lines' if spoilt > 1 else 'line'} in the run folder left out." if spoilt else "",
            "Another dashboard watches this run too: both may steer it, no command is lost." if self.others else "",
            "Reading the run's history." if self._behind() else "",
            "" if self._done() else self.said,
        ]
        return [sentence for sentence in found if sentence]

    def _done(self) -> bool:
        """Whether the trainer has answered the last command."""
        return any(event["number"] == self.number for event in self.live.events)

    def _behind(self) -> bool:
        return isinstance(self.live, Live) and any(file.more for file in self.live.follows())

    def _work(self) -> None:
        while not self.closed.is_set():
            try:
                with self.lock:
                    self._look()
                    if time.monotonic() - self.sent >= REDRAW:
                        self._push(whole=False)
                self.error = ""
            except Exception as error:  # shown, since nobody sees a thread's traceback
                self.error = f"The dashboard met an error and goes on: {type(error).__name__}: {error}"
            self.closed.wait(self._pause())

    def _pause(self) -> float:
        if self._behind():
            return CATCHING_UP
        ended = isinstance(self.live, Live) and self.live.status.get("state") not in LIVE
        return ENDED if ended and not self.error else PAUSE

    def _look(self) -> None:
        if gone(self.folder):
            return
        if isinstance(self.live, str):
            self.live = open_run(self.folder.path)
        if isinstance(self.live, str):
            return
        self.live.look()
        if self.against is not None:
            if not isinstance(self.other, Curves):
                self.other = _curves(self.against)
            if isinstance(self.other, Curves):
                self.other.look()
        if time.monotonic() - self.asked > COMPANY:
            self.company = self.company or Company(self.folder.path)
            self.others, self.asked = self.company.others(), time.monotonic()

    def _push(self, whole: bool) -> None:
        """Sends what the browser has not got yet; nothing, if nothing changed."""
        if self.panel is None:
            return
        message = self._message(whole)
        news = {name: part for name, part in message.items() if part is not None and (whole or part != self.told.get(name))}
        self.told |= {name: message[name] for name in SMALL if name in message}
        if news:
            self.sent = time.monotonic()
            self.panel.send(news | {"whole": whole})

    def _message(self, whole: bool) -> Message:
        message: Message = {"sentences": self.sentences(), "closed": self.closed.is_set()}
        if isinstance(self.live, Live):
            message |= self.live.message(whole)
        if isinstance(self.other, Curves) and (table := self.other.table(whole)) is not None:
            message["other"] = {"name": self.other.run.folder.path.name, "metrics": table}
        return message

    def _heard(self, message: dict[str, Any]) -> None:
        """What the reader did in the browser, or a view that asks for everything."""
        with self.lock:
            try:
                if message.get("command"):
                    self.number = 0
                    self.said = self._steer(message["command"], message.get("level"), message.get("value"))
                self._push(whole=bool(message.get("whole")))
            except Exception as error:
                self.said = str(error)
                self._push(whole=False)

    def _steer(self, command: str, level: str | None, value: float | None) -> str:
        if self.closed.is_set():
            return self.said
        if gone(self.folder):
            return ""
        if command == "resume" and not self.run.alive():
            self.live.run = resume(self.folder.path)
            return "Resuming in a new process, from the newest checkpoint."
        self.number = self.run.command(command, level, value)
        return f"Command {self.number} sent: {command.replace('_', ' ')}; it takes effect at the next step."

    def __repr__(self) -> str:
        return " ".join([f"Dashboard of {self.folder.path}.", *self.sentences()])

    def _repr_mimebundle_(self, **choices: Any) -> Any:
        """The widget; words where there is no widget support."""
        if building():
            return self._picture()
        if why := _unsupported():
            return {"text/plain": f"{why} The run itself needs none: {self.folder.path} holds all it writes."}
        if self.panel is None:
            from nlcore.viz.dashboard.panel import Panel

            self.panel = Panel(self._heard)
        data, about = self.panel._repr_mimebundle_(**choices)
        words = (
            f"The dashboard of {self.folder.path} is live only in a notebook with widgets, while its kernel runs: "
            "run this cell again."
        )
        return data | {"text/plain": words}, about


    def _picture(self) -> tuple[Message, Message]:
        """The whole run as a picture, once it has ended, with words for those who cannot see it."""
        self.run.wait()
        with self.lock:
            self._look()
            while self._behind():
                self._look()
            message = self._message(whole=True)
        figure, said = picture.picture(message), picture.words(message)
        name = "dashboard" if self.against is None else "dashboard_against"
        return {"image/png": png(figure), "text/plain": said}, {"image/png": {"alt": said, "name": name}}


def _folder(run: Run | str | Path) -> RunFolder:
    return RunFolder((run.folder.path if isinstance(run, Run) else Path(run)).resolve())


def _curves(folder: RunFolder) -> Curves | str:
    try:
        return Curves(folder.path)
    except TrainError as error:
        return f"Nothing to compare with: {error}"


def _unsupported() -> str:
    """A sentence if this Python cannot show widgets, else ""."""
    if importlib.util.find_spec("anywidget") is None:
        return "This kernel has no widget support: pip install anywidget, restart the kernel, and run this cell again."
    if getattr(get_ipython(), "kernel", None) is None:
        return "The dashboard needs a notebook: start one with make lab."
    return ""
