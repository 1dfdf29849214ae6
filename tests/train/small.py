"""A run small enough for tests: a model of some thousand parameters on the licence's text."""

from pathlib import Path

from nlcore.train import TrainConfig, configure

TEXT = Path(__file__).parents[2] / "LICENSE"
SIZES = dict(dim=16, depth=1, heads=2, hidden=8, chunks=(4, 8), periods=(1, 2, 4), context=32, batch=2, lr=1e-2)
OFTEN = dict(report_every=2, validate_every=8, checkpoint_every=4, validation_windows=4, final_windows=4)


def small(**choices: object) -> TrainConfig:
    """12 steps, a report every 2, a checkpoint every 4; `choices` as in `configure`."""
    return configure("tiny", **SIZES | OFTEN | dict(steps=12, data=str(TEXT), threads=1) | choices)
