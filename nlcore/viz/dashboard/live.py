"""What a dashboard shows of a run, read from its folder: messages of plain data, and sentences for what is wrong."""

import math
from collections import deque
from pathlib import Path
from typing import Any

import numpy as np

from nlcore.train import Run, TrainError
from nlcore.train.folder import RunFolder
from nlcore.train.records import Record
from nlcore.viz.dashboard.bins import Bins
from nlcore.viz.dashboard.history import FIGURES, METRICS, LevelHistory, MetricHistory
from nlcore.viz.dashboard.lines import Lines
from nlcore.viz.theme import looks

EVENTS, SAMPLES = 100, 24
"""Commands and samples kept, at most."""
MOMENTUM = " momentum"
Message = dict[str, Any]


class Curves:
    """The metrics of one run, followed."""

    def __init__(self, path: str | Path) -> None:
        self.run, self.config, self.facts = Run(path), Run(path).config(), {}
        self.status: Record = {}
        self.file = Lines(self.run.folder.metrics)
        self._empty()

    def _empty(self) -> None:
        self.metrics = MetricHistory(self.config.preset.tokenizer == "bytes")

    def look(self) -> None:
        """Reads what is new, a bounded part of it."""
        if not self.facts:
            self.facts = self.run.facts()
        self.status = self.run.status()
        lines, again = self.file.poll()
        if again:
            self._empty()
        self.metrics.add(lines)

    def follows(self) -> list[Lines]:
        return [self.file]

    def table(self, whole: bool) -> Message | None:
        """Columns that changed since the last table, or all; None if none did."""
        return _table(self.metrics.bins, METRICS, [0], whole)


class Live(Curves):
    """One run, followed: curves, levels, text, samples, commands.

    Raises TrainError if the folder holds no run.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        folder = self.run.folder
        self.levels_file, self.text_file = Lines(folder.levels), Lines(folder.surprise)
        self.samples_file, self.events_file = Lines(folder.samples), Lines(folder.applied)

    def _empty(self) -> None:
        super()._empty()
        self.levels, self.text = LevelHistory(), {}
        self.samples: list[Record] = []
        self.events: deque[Record] = deque(maxlen=EVENTS)
        self.settings: Record = {"lr_scale": 1.0, "eta_scale": 1.0}
        self.fresh = True
        """Text, samples or events changed since the last message."""

    def follows(self) -> list[Lines]:
        return [self.file, self.levels_file, self.text_file, self.samples_file, self.events_file]

    def look(self) -> None:
        super().look()
        lines, again = self.levels_file.poll()
        if again:
            self.levels = LevelHistory()
        self.levels.add(lines)
        if lines := self.text_file.poll()[0]:
            self.text, self.fresh = lines[-1], True
        self._take_samples()
        self._take_events()

    def _take_samples(self) -> None:
        lines, again = self.samples_file.poll()
        self.samples = [] if again else self.samples
        for line in lines:
            self.samples.append({name: line[name] for name in ("step", "prompt", "text")})
            if len(self.samples) > SAMPLES:  # every other one goes; the first and the last stay
                self.samples = self.samples[:-1:2] + self.samples[-1:]
        self.fresh |= bool(lines)

    def _take_events(self) -> None:
        lines, again = self.events_file.poll()
        if again:
            self.events.clear()
        for line in lines:
            self.events.append({name: line[name] for name in ("number", "step", "sentence", "applied")})
            if line["applied"] and line["value"] is not None:
                self._set(line)
        self.fresh |= bool(lines)

    def _set(self, command: Record) -> None:
        if command["command"] == "lr_scale":
            self.settings["lr_scale"] = command["value"]
        elif command["command"] == "level_lr" and command["level"] in self._units("tokens"):
            self.settings["eta_scale"] = command["value"]
        elif command["command"] == "period":
            self.levels.periods[command["level"]] = (command["value"], "steps")

    def _units(self, unit: str) -> list[str]:
        return [level["name"] for level in self.facts.get("levels", []) if level["unit"] == unit]

    def message(self, whole: bool) -> Message:
        """What the browser needs to be up to date: what changed since the last message, or everything."""
        order = self._order()
        found: Message = {
            "metrics": self.table(whole),
            "rows": self._rows(order),
            "levels": _table(self.levels.bins, FIGURES, order, whole),
            "state": self._state(),
        }
        if whole or self.fresh:
            found |= {"text": self.text, "samples": self.samples, "events": list(self.events)}
            self.fresh = False
        return found

    def _order(self) -> list[int]:
        """Rows fastest first: a level's momentum before the level, memories as they were reported."""
        levels = [level["name"] for level in self.facts.get("levels", [])]

        def place(item: tuple[tuple[str, str | None], int]) -> tuple[int, bool, int]:
            (level, _), index = item
            name = level.removesuffix(MOMENTUM)
            return levels.index(name) if name in levels else len(levels), level == name, index

        return [index for _, index in sorted(self.levels.rows.items(), key=place)]

    def _rows(self, order: list[int]) -> list[Message]:
        names = list(self.levels.rows)
        levels = [level["name"] for level in self.facts.get("levels", [])]
        seen = looks(levels or list(dict.fromkeys(level.removesuffix(MOMENTUM) for level, _ in names)))
        found = []
        for level, memory in (names[index] for index in order):
            period, unit = self.levels.periods[level]
            label = level if memory in (None, level) else f"{level}: {memory}"
            look = seen.get(level.removesuffix(MOMENTUM))
            about = {"label": label, "level": level, "period": period, "unit": unit, "momentum": level.endswith(MOMENTUM)}
            found.append(about | {"colour": look.colour, "dash": look.dash} if look else about)
        return found

    def _state(self) -> Message:
        """The numbers of the header, and where the controls stand."""
        config, status, latest = self.config, self.status, self.metrics.latest
        periods = {name: self.levels.periods.get(name, (None,))[0] for name in self._units("steps") if name != "weights"}
        planned = {level["name"]: level["period"] for level in self.facts.get("levels", [])}
        corpus = self.facts.get("corpus", {})
        return {
            "name": self.run.folder.path.name,
            "about": _about(config.model, config.preset.name, self.facts),
            "corpus": corpus.get("name", config.data),
            "bytes": config.preset.tokenizer == "bytes",
            "report_every": config.report_every,
            "memories": self._units("tokens"),
            "settings": self.settings | {"period": {name: period or planned[name] for name, period in periods.items()}},
            "state": status.get("state", "not begun"),
            "step": max(status.get("step", 0), latest.get("step", 0)),
            "steps": None if config.seconds else config.preset.steps,
            "done": status.get("done", 0.0),
            "seconds_left": status.get("seconds_left"),
            "loss": latest.get("loss"),
            "tokens_per_second": latest.get("tokens_per_second"),
            "result": (status.get("result") or {}).get("bits_per_byte"),
        }


def differ(one: Curves, other: Curves) -> str:
    """A sentence if two runs did not read the same text, else ""."""
    first, second = one.facts.get("corpus", {}), other.facts.get("corpus", {})
    if not first or not second or first["hash"] == second["hash"]:
        return ""
    return (
        f"{one.run.folder.path.name} reads {first['name']} ({first['hash'][:8]}) and {other.run.folder.path.name} reads "
        f"{second['name']} ({second['hash'][:8]}): their losses cannot be compared; give both the same --data."
    )


def open_run(path: str | Path) -> Live | str:
    """The run in a folder, or a sentence that says why there is none to show."""
    try:
        return Live(path)
    except TrainError as error:
        return str(error)


def gone(folder: RunFolder) -> str:
    """A sentence if the folder is not there any more, else ""."""
    if folder.path.exists():
        return ""
    return f"The run folder {folder.path} is gone: what was read stays here; bring it back, or open another run."


def _about(model: str, size: str, facts: Record) -> str:
    parameters = f", {facts['parameters'] / 1e6:.3g} million parameters" if facts else ""
    return f"{model} {size}{parameters}" + (f", {facts['device']} in {facts['dtype']}" if facts else "")


def _table(bins: Bins, figures: tuple[str, ...], rows: list[int], whole: bool) -> Message | None:
    """The columns from `from` on; for each row by figure, and no figure that never had a value."""
    begin = 0 if whole else min(bins.touched, bins.used)
    if begin == bins.used and not whole:
        return None
    mean, largest, total = (values[:, begin:] for values in (bins.mean(), bins.largest(), bins.sum()))
    kept = bins.count[:, : bins.used].any(axis=1)
    data = []
    for row in rows:
        series = {name: row * len(figures) + i for i, name in enumerate(figures) if kept[row * len(figures) + i]}
        data.append(
            {
                "mean": {name: _numbers(mean[i]) for name, i in series.items() if name != "fired"},
                "most": {name: _numbers(largest[i]) for name, i in series.items() if name == "change"},
                "sum": {name: _numbers(total[i]) for name, i in series.items() if name == "fired"},
            }
        )
    bins.touched = bins.used
    return {"from": begin, "width": bins.width, "steps": bins.steps()[begin:].tolist(), "data": data}


def _numbers(values: np.ndarray) -> list[float | None]:
    """Short numbers for JSON, which has no NaN."""
    return [float(f"{value:.4g}") if math.isfinite(value) else None for value in values]
