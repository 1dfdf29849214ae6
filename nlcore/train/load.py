"""A trained model, by its name or out of its run's folder."""

from pathlib import Path

from nlcore.models import LanguageModel
from nlcore.tasks import tokenizers
from nlcore.tasks.tokenizers import Tokenizer
from nlcore.train import checkpoint, fits, parts, pretrained
from nlcore.train.config import TrainError
from nlcore.train.config_file import read_config
from nlcore.train.folder import RunFolder


def load(run: str | Path) -> tuple[LanguageModel, Tokenizer]:
    """A trained model, on the CPU, and its tokenizer.

    run: the folder of a run, whose newest whole checkpoint is taken, or the name of one of the course's trained models
        ("tiny-hope"; `pretrained.available` lists them). A folder of that name here goes before the course's.

    Raises TrainError if there is neither, the run has written no checkpoint, or what is there is damaged.
    """
    folder = RunFolder(pretrained.find(run))
    if pretrained.holds_one(folder.path):
        return pretrained.read(folder.path)
    model, tokenizer, _ = newest(folder)
    return model, tokenizer


def newest(folder: RunFolder) -> tuple[LanguageModel, Tokenizer, int]:
    """The model of a run's newest whole checkpoint, its tokenizer, and the step that the checkpoint was written at.

    Raises TrainError as `load` does.
    """
    config, _ = read_config(folder)
    if not checkpoint.steps(folder.checkpoints):
        raise TrainError(f"{folder.path} has no checkpoint yet: let the run go on, or send it the command checkpoint.")
    tokenizer = tokenizers.load(folder.tokenizer)
    model = parts.built(config, tokenizer.vocabulary)
    saved = checkpoint.newest(folder.checkpoints, print, lambda saved: fits.weights(saved.weights, model))
    if saved is None:
        raise TrainError(f"{folder.path} has no checkpoint that is whole: resume the run, and it will write one.")
    model.load_state_dict(saved.weights)
    return model, tokenizer, saved.state["step"]
