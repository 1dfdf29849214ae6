"""Seconds a step of several models, which take turns, so that a machine that slows down slows them all."""

import statistics
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from nlcore.train import TrainConfig, device, parts
from nlcore.train.folder import RunFolder
from nlcore.train.loop import Trainer
from nlcore.train.progress import Progress
from nlcore.train.status import Status

from experiments.language import configure

WARM, ROUNDS = 2, 16
"""Steps of each that do not count, and that do. A median does not see what a rare level's firing adds."""


@dataclass(frozen=True)
class Pace:
    """How long an arm's run is, and how fast."""

    steps: int
    seconds: float
    """Of one step of training."""


def pace(arms: Sequence[dict[str, Any]]) -> list[Pace]:
    """The pace of `nlcore.train.configure("tiny", **settings)` for each of these settings: medians of real steps."""
    configs = [configure(settings, rate=1e-3, seed=0) for settings in arms]
    choice = device.choose("auto", "auto")
    with TemporaryDirectory() as folder, device.settled(choice, 1), redirect_stdout(None):
        trainers = [_trainer(config, Path(folder) / str(index), choice) for index, config in enumerate(configs)]
        taken: list[list[float]] = [[] for _ in trainers]
        for _ in range(WARM + ROUNDS):
            for trainer, seconds in zip(trainers, taken):
                before = trainer.elapsed
                trainer.advance()
                seconds.append(trainer.elapsed - before)
    return [Pace(config.preset.steps, statistics.median(seconds[WARM:])) for config, seconds in zip(configs, taken)]


def _trainer(config: TrainConfig, path: Path, choice: device.Choice) -> Trainer:
    folder = RunFolder(path)
    folder.create()
    status = Status(folder)
    status.set(attempt=1)
    return Trainer(config, folder, parts.make(config, folder, choice), status, Progress(folder))
