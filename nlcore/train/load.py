"""A trained model, out of its run's folder."""

from pathlib import Path

from nlcore.models import LanguageModel, build
from nlcore.tasks import tokenizers
from nlcore.tasks.tokenizers import Tokenizer
from nlcore.train import checkpoint, fits
from nlcore.train.config import TrainError
from nlcore.train.config_file import read_config
from nlcore.train.folder import RunFolder


def load(path: str | Path) -> tuple[LanguageModel, Tokenizer]:
    """The model of a run's newest whole checkpoint, on the CPU, and its tokenizer.

    Raises TrainError if the folder holds no run, or none that has written a checkpoint.
    """
    folder = RunFolder(path)
    config, _ = read_config(folder)
    if not checkpoint.steps(folder.checkpoints):
        raise TrainError(f"{folder.path} has no checkpoint yet: let the run go on, or send it the command checkpoint.")
    tokenizer = tokenizers.load(folder.tokenizer)
    model = build(config.model, config.preset, tokenizer.vocabulary)
    saved = checkpoint.newest(folder.checkpoints, print, lambda saved: fits.weights(saved.weights, model))
    if saved is None:
        raise TrainError(f"{folder.path} has no checkpoint that is whole: resume the run, and it will write one.")
    model.load_state_dict(saved.weights)
    return model, tokenizer
