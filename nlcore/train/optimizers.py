"""Which optimizer trains a run's levels: AdamW alone, or Muon or M3 for the matrices and AdamW for all else."""

from typing import Any

import torch
from torch.optim import Optimizer

from nlcore.optim import Combined, MultiscaleMomentumMuon, Muon
from nlcore.optim.leveled import Make
from nlcore.train.config import TrainConfig

Groups = list[dict[str, Any]]
OF_MATRICES: dict[str, Make] = {
    "muon": lambda groups, lr: Muon(groups, lr, rate="match_rms_adamw"),
    "m3": lambda groups, lr: MultiscaleMomentumMuon(groups, lr),
}
"""Each with its own settings: Muon with Newton-Schulz in bfloat16, as torch's; M3 with two running means, as "ema"."""
MATRIX_LR = {"muon": 1.0, "m3": 0.01}
"""What multiplies the rate for matrices, if nothing is chosen. Muon's step is made as large as AdamW's, so that one rate
fits both. M3 divides by the gradient's size, which the clip keeps small: its rate is in units of the gradient."""


def make(config: TrainConfig) -> Make:
    """What makes each level's optimizer for a `LevelOptimizer`. A group of matrices is one that has an `lr_factor`."""

    def adamw(groups: Groups, lr: float) -> Optimizer:
        return torch.optim.AdamW(groups, lr=lr, betas=config.betas)

    def both(groups: Groups, lr: float) -> Optimizer:
        rest = [group for group in groups if "lr_factor" not in group]
        matrices = [group for group in groups if "lr_factor" in group]
        return Combined(adamw(rest, lr), OF_MATRICES[config.optimizer](matrices, lr))

    return both if config.optimizer in OF_MATRICES else adamw


def matrices(config: TrainConfig) -> dict[str, Any]:
    """The settings of a group of matrices. Its factor on the rate leaves what a step decays as it was."""
    if config.optimizer not in OF_MATRICES:
        return {"weight_decay": config.weight_decay}
    factor = config.matrix_lr or MATRIX_LR[config.optimizer]
    return {"weight_decay": config.weight_decay / factor, "lr_factor": factor}
