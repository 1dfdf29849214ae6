"""What a dashboard shows of a run, read from its folder: messages of plain data, and sentences for what is wrong."""

import math
from collections import deque
from pathlib import Path

from nlcore.levels import every
from nlcore.train import TrainError
from nlcore.train.folder import RunFolder
from nlcore.train.records import Record
from nlcore.viz.dashboard.bins import Bins
from nlcore.viz.dashboard.curves import Curves, Message
from nlcore.viz.dashboard.history import FIGURES, LevelHistory, Row
from nlcore.viz.dashboard.lines import Lines
from nlcore.viz.dashboard.rhythm import Rhythm
from nlcore.viz.dashboard.table import table
from nlcore.viz.theme import level_looks

EVENTS, SAMPLES, CHANGES = 100, 24, 1000
"""Commands and samples kept, and changes of a level's period, at most."""
DIGITS = 4
"""Of the levels' figures: they are seen and not computed with."""
STALL = 0.2
"""Share of the time waited for data above which a reader would want to know."""
MOMENTUM = " momentum"
TRAINS = ("training", "validating")
"""States in which levels ought to move."""


class Live(Curves):
    """One run, followed: curves, levels, text, samples, commands.

    Raises TrainError if the folder holds no run.
    """

    def __init__(self, path: str | Path) -> None:
        super().__init__(path)
        folder = self.run.folder
        self.levels_file, self.text_file = Lines(folder.levels), Lines(folder.surprise, last=True)
        self.samples_file, self.events_file = Lines(folder.samples), Lines(folder.applied)

        self.levels, self.text = LevelHistory(context=self.config.preset.context), {}
        self.samples: list[Record] = []
        self.events: deque[Record] = deque(maxlen=EVENTS)
        self.settings: Record = {"lr_scale": 1.0, "eta_scale": 1.0}
        self.fresh = True
        """Text, samples or events changed since the last message."""

    def bins(self) -> list[Bins]:
        return [*super().bins(), self.levels.bins]

    def follows(self) -> list[Lines]:
        return [self.file, self.levels_file, self.text_file, self.samples_file, self.events_file]

    def look(self) -> None:
        super().look()
        rows, again = self.levels_file.poll()
        if again:
            changes, self.levels = self.levels.changes, LevelHistory(context=self.config.preset.context)
            self.levels.changes = changes
        self._take_events()  # before the rows: they may be of a period that a command has set
        self.levels.add(rows)
        if lines := self.text_file.poll()[0]:
            self.text, self.fresh = lines[-1], True
        self._take_samples()

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
            self.levels.changes.clear()
        for line in lines:
            self.events.append({name: line[name] for name in ("number", "step", "sentence", "applied", "sender", "sent")})
            if line["applied"] and line["value"] is not None:
                self._set(line)
        self.fresh |= bool(lines)

    def _set(self, command: Record) -> None:
        if command["command"] == "lr_scale":
            self.settings["lr_scale"] = command["value"]
        elif command["command"] == "level_lr" and command["level"] in self._units("tokens"):
            self.settings["eta_scale"] = command["value"]
        elif command["command"] == "period":
            period = int(command["value"])
            self.levels.periods[command["level"]] = (period, "steps")
            self.levels.changes.setdefault(command["level"], deque(maxlen=CHANGES)).append((command["step"], period))

    def _units(self, unit: str) -> list[str]:
        return [level["name"] for level in self.facts.get("levels", []) if level["unit"] == unit]

    def alarms(self) -> list[str]:
        """Sentences for what a reader would want to be called for; none where nothing ought to move."""
        if self.status.get("state") not in TRAINS:
            return []
        found = [rhythm.sentence(_label(row)) for row, rhythm in self.levels.rhythms.items() if _late(row, rhythm)]
        if (waited := self.metrics.waited) > STALL:
            found.append(f"Training waits for its data, {waited:.0%} of the time at step {self.step():,}: see what its disk does.")
        if (spike := self.metrics.spike) is not None:
            step, loss, usual = spike
            per, unit = (math.log(2), "bits per byte") if self.config.preset.tokenizer == "bytes" else (1, "nats per token")
            found.append(f"The loss jumped at step {step:,}: {loss / per:.2f} {unit}, where {usual / per:.2f} was usual.")
        return found

    def message(self, whole: bool) -> Message:
        """What the browser needs to be up to date: what changed since the last message, or everything."""
        order = self._order()
        found: Message = {
            "metrics": self.table(whole),
            "rows": self._rows(order),
            "levels": table(self.levels.bins, FIGURES, order, whole, DIGITS),
            "state": self._state(),
        }
        if whole or self.fresh:
            found |= {"text": self.text, "samples": self.samples, "events": list(self.events)}
            self.fresh = False
        return found

    def _order(self) -> list[tuple[int, ...]]:
        """Rows fastest first: a level's momentum before the level; several memories of one level together, and then each."""
        levels = [level["name"] for level in self.facts.get("levels", [])]

        def place(item: tuple[Row, int]) -> tuple[int, bool, int]:
            (level, _), index = item
            name = level.removesuffix(MOMENTUM)
            return levels.index(name) if name in levels else len(levels), level == name, index

        found: list[tuple[int, ...]] = []
        names = list(self.levels.rows)
        for (level, _), index in sorted(self.levels.rows.items(), key=place):
            group = tuple(i for i, (name, _) in enumerate(names) if name == level)
            if len(group) > 1 and group not in found:
                found.append(group)
            found.append((index,))
        return found

    def _rows(self, order: list[tuple[int, ...]]) -> list[Message]:
        names = list(self.levels.rows)
        seen = level_looks(list(dict.fromkeys(level.removesuffix(MOMENTUM) for level, _ in names)))
        trains = self.status.get("state") in TRAINS
        grouped = {index for indices in order if len(indices) > 1 for index in indices}
        found = []
        for indices in order:
            level, memory = names[indices[0]]
            period, unit = self.levels.periods[level]
            look, rhythms = seen[level.removesuffix(MOMENTUM)], [self.levels.rhythms[names[index]] for index in indices]
            found.append(
                {
                    "label": level if len(indices) > 1 else _label((level, memory)),
                    "level": level,
                    "within": level if len(indices) == 1 and indices[0] in grouped else None,
                    "members": len(indices),
                    "every": every(period, unit),
                    "unit": unit,
                    "momentum": level.endswith(MOMENTUM),
                    "expected": rhythms[0].expected,
                    "seen": rhythms[0].seen,
                    "late": trains and any(_late(names[index], rhythm) for index, rhythm in zip(indices, rhythms)),
                    "colour": look.colour,
                    "dash": look.dash,
                }
            )
        return found

    def _state(self) -> Message:
        """The numbers of the header, and where the controls stand."""
        config, status, latest = self.config, self.status, self.metrics.latest
        periods = {name: self.levels.periods.get(name, (None,))[0] for name in self._units("steps") if name != "weights"}
        planned = {level["name"]: level["period"] for level in self.facts.get("levels", [])}
        corpus = self.facts.get("corpus", {})
        return {
            "about": _about(config.model, config.preset.name, self.facts),
            "corpus": corpus.get("name", config.data),
            "bytes": config.preset.tokenizer == "bytes",
            "report_every": config.report_every,
            "memories": self._units("tokens"),
            "settings": self.settings | {"period": {name: period or planned[name] for name, period in periods.items()}},
            "state": status.get("state", "not begun"),
            "step": self.step(),
            "steps": None if config.seconds else config.preset.steps,
            "done": status.get("done", 0.0),
            "seconds_left": status.get("seconds_left"),
            "loss": latest.get("loss"),
            "tokens_per_second": latest.get("tokens_per_second"),
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


def _label(row: Row) -> str:
    level, memory = row
    return level if memory in (None, level) else f"{level}: {memory}"


def _late(row: Row, rhythm: Rhythm) -> bool:
    """A momentum keeps its level's time, so it needs no alarm of its own."""
    return not row[0].endswith(MOMENTUM) and rhythm.late
