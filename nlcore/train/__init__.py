"""Training: a run in its own process and folder, which can be watched, steered, killed and resumed."""

import os

# Before torch loads: its threads sleep while they wait. Spinning, they slow a busy machine several times over.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

from nlcore.train.config import TrainConfig, TrainError, change, configure
from nlcore.train.export import export
from nlcore.train.launch import Run, attach, resume, start
from nlcore.train.load import load
from nlcore.train.run import new, train

__all__ = [
    "Run", "TrainConfig", "TrainError", "attach", "change", "configure", "export", "load", "new", "resume", "start", "train",
]  # fmt: skip
