"""A run small enough for tests: a model of some thousand parameters on the licence's text."""

from pathlib import Path

import pytest
import torch

from nlcore.train import TrainConfig, checkpoint, configure, train
from nlcore.train.checkpoint import Checkpoint
from nlcore.train.folder import RunFolder
from nlcore.train.loop import Trainer
from nlcore.train.records import latest, records

TEXT = Path(__file__).parents[2] / "LICENSE"
SIZES = dict(
    dim=16, depth=1, heads=2, hidden=8, chunks=(4, 8), periods=(1, 2, 4), context=32, batch=2, lr=1e-2, carry=0
)  # fmt: skip
OFTEN = dict(report_every=2, validate_every=8, checkpoint_every=4, validation_windows=4, final_windows=4)
QUIET = dict(report_every=1, validate_every=10**6, checkpoint_every=10**6, final_windows=1)
"""In the place of OFTEN, for runs of which the reports alone are looked at."""


def small(**choices: object) -> TrainConfig:
    """12 steps, a report every 2, a checkpoint every 4; `choices` as in `configure`."""
    return configure("tiny", **SIZES | OFTEN | dict(steps=12, data=str(TEXT), threads=1) | choices)


def losses(folder: RunFolder) -> list[tuple[int, float]]:
    """Step and loss of each report that counts."""
    return [(line["step"], line["loss"]) for line in latest(records(folder.metrics))]


def last(folder: RunFolder) -> Checkpoint:
    """The newest whole checkpoint."""
    return checkpoint.newest(folder.checkpoints, print)


def same(one: object, other: object) -> bool:
    """Equal in structure and, bit for bit, in value."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def equal_runs(one: RunFolder, other: RunFolder) -> bool:
    """Whether two runs ended with the same bits and reported the same losses; their clocks may differ."""
    a, b = last(one), last(other)
    timeless = [{k: v for k, v in run.state.items() if k not in ("elapsed", "window", "command")} for run in (a, b)]
    return same(a.weights, b.weights) and same(*timeless) and losses(one) == losses(other)


def stopped(folder: RunFolder, step: int) -> None:
    """Trains until a step and stops there, as on a signal."""
    advance = Trainer.advance

    def advance_and_leave(trainer: Trainer) -> None:
        advance(trainer)
        trainer.leave = trainer.leave or trainer.step == step

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "advance", advance_and_leave)
        assert train(folder)["state"] == "stopped"
