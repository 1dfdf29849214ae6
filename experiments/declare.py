"""What an experiment is: a question, its arms, the rates each is tuned over, and the seeds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from experiments import language
from experiments.pace import Pace, pace

Settings = dict[str, Any]
Figures = dict[str, Any]


class ExperimentError(ValueError):
    """An experiment that cannot go on as asked. Its message is one sentence: what is wrong, and what to do."""


@dataclass(frozen=True)
class Arm:
    """One of the things that are compared."""

    name: str
    settings: Settings
    """Choices of `nlcore.train.configure("tiny", ...)`, or whatever the experiment's `run` takes."""
    minutes: float
    """What one run takes on one quiet core, for the estimate that is printed first."""


@dataclass(frozen=True)
class Experiment:
    """A question and how it is answered. Raises ExperimentError for what cannot be compared."""

    name: str
    """Of its results, `experiments/results/NAME.json`."""
    question: str
    arms: tuple[Arm, ...]
    rates: tuple[float, ...]
    """Peak learning rates, rising, each the same multiple of the one before. Every arm is tuned on them with the
    first seed; the grid grows by its own ratio while an arm's best lies at its edge."""
    seeds: tuple[int, ...]
    run: Callable[[Settings, float, int, Path], Figures]
    """(settings, rate, seed, folder) -> figures, in a process of its own. It goes on with what the folder holds."""
    score: str = "bits_per_byte"
    """The figure that the rate is chosen by: lower is better, None for a run that diverged."""
    same_time_as: str | None = None
    """An arm's name. Each arm then has as many steps as take as long as that arm's, and is tuned so ("equal time").
    Beside it stands the same number of steps for all, at the same rates ("equal steps")."""
    columns: Mapping[str, str] = field(default_factory=dict)
    """Other figures that the table shows, and their headings."""
    configuration: Callable[[Settings, float, int], Figures] = language.configuration
    """(settings, rate, seed) -> all that decides a run, ready for JSON: a stored run counts while this is the same.
    What it calls `corpus`, the hash of a text, has to be one for all."""
    renewed: Callable[[Figures], Figures] = language.renewed
    """A stored configuration, as `configuration` would have made it had it known all choices of today."""
    pace: Callable[[Sequence[Settings]], list[Pace]] = pace
    """Steps and seconds a step of several arms, which take turns in one process."""

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        if not names or len(set(names)) < len(names):
            raise ExperimentError(f"The arms of {self.name} are called {names}: give each a name of its own.")
        if self.same_time_as not in (None, *names):
            raise ExperimentError(f"There is no arm {self.same_time_as!r}: same_time_as names one of {names}.")
        if not self.seeds or len(set(self.seeds)) < len(self.seeds):
            raise ExperimentError(f"The seeds of {self.name} are {self.seeds}: give at least one, each once.")
        ratios = [after / before for before, after in pairwise(self.rates) if before > 0]
        if not ratios or len(ratios) != len(self.rates) - 1 or min(ratios) <= 1 or max(ratios) > 1.01 * min(ratios):
            raise ExperimentError(
                f"The rates of {self.name} are {self.rates}: give at least two, rising, each the same multiple of the "
                "one before, because the grid is extended by that multiple."
            )

    def arm(self, name: str) -> Arm:
        """The arm of this name."""
        return next(arm for arm in self.arms if arm.name == name)
