"""The live dashboard: one line in a notebook watches a run and steers it."""

import importlib.util
import threading
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from IPython import get_ipython
from IPython.display import display

from nlcore.train import Run, TrainConfig, TrainError, resume, start
from nlcore.train.control import answers, sender
from nlcore.train.folder import RunFolder
from nlcore.train.status import LIVE, is_elsewhere
from nlcore.viz.dashboard import picture
from nlcore.viz.dashboard.company import Company
from nlcore.viz.dashboard.curves import Curves, Message, names
from nlcore.viz.dashboard.live import Live, differ, gone, open_run
from nlcore.viz.dashboard.played import Replay
from nlcore.viz.dashboard.stored import Stored
from nlcore.viz.show import png, publish
from nlcore.viz.theme import run_looks
from nlcore.viz.view import building

PAUSE, CATCHING_UP, ENDED = 0.3, 0.005, 2.0
"""Seconds between two looks at a run that trains, at one whose history is still being read, at one that ended."""
REDRAW = 0.3
"""Seconds between two messages to the browser, at least."""
GREETINGS = (1.5, 4.0, 10.0, 25.0)
"""Seconds after it was shown, at which a browser that has not spoken gets everything: a busy kernel does not hear it."""
COMPANY = 3.0
"""Seconds between two looks for other dashboards."""
SMALL = ("sentences", "alarms", "closed", "played", "rows", "state", "runs")
_open: dict[Path, "Dashboard"] = {}
"""Those of this kernel, by run folder."""


class Dashboard:
    """Watches a run and steers it; the last expression of a cell shows it.

        Dashboard(configure("tiny"))              starts a new run in a process of its own
        Dashboard("runs/tiny-hope-1")             attaches to a run, or opens one that has ended
        Dashboard(run, against=other)             the same, with another run's curves in the same axes
        Dashboard(run, against=[a, b])            or several, and a table of what they differ in
        Dashboard(replay("tiny-hope"))            plays a stored run; see `replay`

    Everything is read from the run's folder by a background thread, so the kernel stays free, a
    restarted kernel loses nothing, and the run goes on without any dashboard. In one kernel a new
    dashboard of a run takes the place of the older one. Above it the page keeps a picture of the run,
    which is what is left when the kernel is gone.

    Args:
        run: a config, a Run, or a run's folder.
        against: a Run or folder to compare with, or several.

    Raises TrainError if a config cannot be started. All that goes wrong later is a sentence in the dashboard.
    """

    def __init__(
        self, run: TrainConfig | Run | str | Path, against: Run | str | Path | Iterable[Run | str | Path] = ()
    ) -> None:
        run = start(run) if isinstance(run, TrainConfig) else run
        self.played = run if isinstance(run, Replay) else None
        self.folder = _folder(run)
        self.against = [_folder(one) for one in ([against] if isinstance(against, (Run, str, Path)) else against)]
        self.names = names([self.folder.path, *(one.path for one in self.against)])
        self.live: Live | str = "Opening the run."
        self.others: list[Curves | str] = [""] * len(self.against)
        """Curves, or why there are none."""
        self.said, self.error = "", ""
        self.number = 0
        """Of the command that `said` speaks of; 0 if it speaks of none."""
        self.sender: str | None = None
        """What this machine is called where the run trains elsewhere."""
        self.panel, self.sent = None, 0.0
        self.greetings: list[float] = []
        """When to greet the browser, unless it has been heard."""
        self.company, self.watched, self.asked = None, False, 0.0
        self.stored = Stored()
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
        live = self.live  # the thread that looks may open the run meanwhile
        if isinstance(live, str):
            return [self.said if self.closed.is_set() else gone(self.folder) or live]
        spoilt = sum(file.spoilt for file in live.follows())
        found = [
            gone(self.folder),
            self.error,
            live.status.get("sentence", ""),
            *(other if isinstance(other, str) else differ(live, other) for other in self.others),
            f"{spoilt} unreadable {'lines' if spoilt > 1 else 'line'} in the run folder left out." if spoilt else "",
            "Another dashboard watches this run too: both may steer it, no command is lost." if self.watched else "",
            "Reading the run's history." if self._behind() else "",
            "" if self._done() else self.said,
        ]
        return [sentence for sentence in found if sentence]

    def _done(self) -> bool:
        """Whether the trainer has answered the last command."""
        return any(answers(event, self.number, self.sender) for event in self.live.events)

    def _behind(self) -> bool:
        return isinstance(self.live, Live) and any(file.more for file in self.live.follows())

    def _work(self) -> None:
        while not self.closed.is_set():
            try:
                with self.lock:
                    self._look()
                    if time.monotonic() - self.sent >= REDRAW and len(self.greetings) < len(GREETINGS):  # not while it opens
                        self._push(whole=False)
                    self._greet()
                if isinstance(self.live, Live) and not self._behind():
                    self.stored.renew(self.live.status.get("state", "not begun"), self._whole)
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
        for at, other in enumerate(self.others):
            if not isinstance(other, Curves):
                self.others[at] = _curves(self.against[at])
            if isinstance(self.others[at], Curves):
                self.others[at].look()
        if time.monotonic() - self.asked > COMPANY and not is_elsewhere(self.folder, self.live.status):
            self.company = self.company or Company(self.folder.path)
            self.watched, self.asked = self.company.others(), time.monotonic()

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

    def _greet(self) -> None:
        if self.greetings and time.monotonic() > self.greetings[0]:
            del self.greetings[0]
            self.panel.greet()
            self._push(whole=True)

    def _message(self, whole: bool) -> Message:
        message: Message = {"sentences": self.sentences(), "closed": self.closed.is_set(), "played": self.played is not None}
        if not isinstance(self.live, Live):
            return message
        runs = [self.live, *self.others]
        message |= self.live.message(whole) | {"alarms": [] if self.closed.is_set() else self.live.alarms()}
        drawn = zip(runs, self.names, run_looks(len(runs)))
        message["runs"] = [run.about(name) | asdict(look) if isinstance(run, Curves) else None for run, name, look in drawn]
        others = [other.table(whole) if isinstance(other, Curves) else None for other in self.others]
        message["others"] = others if any(others) else None
        return message

    def _whole(self) -> Message:
        """All there is, without a word to the browser: what it has not got yet stays to be sent."""
        with self.lock:
            curves = [one for one in (self.live, *self.others) if isinstance(one, Curves)]
            marks = [(bins, bins.touched) for one in curves for bins in one.bins()]
            fresh = self.live.fresh
            message = self._message(whole=True)
            for bins, touched in marks:
                bins.touched = touched
            self.live.fresh = fresh
        return message

    def _heard(self, message: dict[str, Any]) -> None:
        """What the reader did in the browser, or a view that asks for everything."""
        with self.lock:
            self.greetings.clear()
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
        if command == "resume" and self.played is not None and not self.run.alive():
            self.played.play()
            return "Playing it again, from its first step."
        if command == "resume" and not self.run.alive():
            self.live.run = resume(self.folder.path)
            return "Resuming in a new process, from the newest checkpoint."
        self.number, self.sender = self.run.command(command, level, value), sender(self.folder)
        when = "at the next step" if self.sender is None else "once this folder has been synced with the run's"
        return f"Command {self.number} sent: {command.replace('_', ' ')}; it takes effect {when}."

    def __repr__(self) -> str:
        return " ".join([f"Dashboard of {self.folder.path}.", *self.sentences()])

    def _ipython_display_(self) -> None:
        """The picture, what it shows, and the widget; the first two alone where a notebook is built.

        Where there are no widgets, a sentence that says so.
        """
        if building():
            self._build()
        elif why := _unsupported():
            display({"text/plain": f"{why} The run itself needs none: {self.folder.path} holds all it writes."}, raw=True)
        else:
            self._show()

    def _show(self) -> None:
        from nlcore.viz.dashboard.panel import Panel

        with self.lock:
            self._look()
        if isinstance(self.live, Live):
            self.stored.put(self._whole())
        self.panel = self.panel or Panel(self._heard)
        self.greetings = [time.monotonic() + seconds for seconds in GREETINGS]
        display(self.panel)

    def _build(self) -> None:
        """The whole run as a picture, once it has ended."""
        self.run.wait()
        with self.lock:
            self._look()
            while self._behind():
                self._look()
        message = self._whole()
        publish(png(picture.picture(message)), picture.words(message), "dashboard_against" if self.against else "dashboard")


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
