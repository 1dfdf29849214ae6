"""The metrics of one run, followed, and what tells it from others in a table."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from nlcore.train import Run, TrainConfig
from nlcore.train.records import Record
from nlcore.viz.dashboard.bins import Bins
from nlcore.viz.dashboard.history import METRICS, MetricHistory
from nlcore.viz.dashboard.lines import Lines
from nlcore.viz.dashboard.table import table

Message = dict[str, Any]
DIGITS = 7
"""Of metrics: what is read off or saved is to be the run's own number."""
OWN = ("keep", "checkpoint_every", "checkpoint_blocks")
"""Settings that do not tell one run's curve from another's."""


class Curves:
    """The metrics of one run, followed. Raises TrainError if the folder holds no run."""

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

    def bins(self) -> list[Bins]:
        """All that is kept in columns."""
        return [self.metrics.bins]

    def follows(self) -> list[Lines]:
        return [self.file]

    def table(self, whole: bool) -> Message | None:
        """Columns that changed since the last table, or all; None if none did."""
        return table(self.metrics.bins, METRICS, [(0,)], whole, DIGITS)

    def step(self) -> int:
        """The last step that is known of."""
        return max(self.status.get("step") or 0, self.metrics.latest.get("step", 0))

    def about(self, name: str) -> Message:
        """The run's line in the table of runs."""
        result, best = self.status.get("result") or {}, self.metrics.best
        order1 = self.facts.get("order1_entropy")
        return {
            "name": name,
            "state": self.status.get("state", "not begun"),
            "result": result.get("bits_per_byte"),
            "best": None if best is None else {"value": best[0], "step": best[1]},
            "order1": result.get("order1_entropy") if order1 is None else order1,
            "step": self.step(),
            "seconds": self.metrics.latest.get("elapsed"),
            "tokens_a_step": self.config.preset.batch * self.config.preset.context,
            "settings": settings(self.config, self.facts),
        }


def settings(config: TrainConfig, facts: Record) -> dict[str, str]:
    """All that was chosen for a run, and its size, in words."""
    chosen = asdict(config)
    preset = chosen.pop("preset")
    found = {"size": preset.pop("name")} | chosen | preset
    if "parameters" in facts:
        found["parameters"] = f"{facts['parameters']:,}"
    if config.seconds:
        del found["steps"]
    return {name.replace("_", " "): _word(value) for name, value in found.items() if name not in OWN}


def _word(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def names(paths: list[Path]) -> list[str]:
    """A name for each folder: its own, with as many of those above it as tell it from the others."""
    deep = 1
    while deep < max(len(path.parts) for path in paths) and len({path.parts[-deep:] for path in paths}) < len(set(paths)):
        deep += 1
    return ["/".join(path.parts[-deep:]) for path in paths]
