"""The course's trained models: where they are, and one of them read. `checkpoints/make.py` makes them."""

import os
import sysconfig
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from nlcore.models import LanguageModel
from nlcore.tasks import tokenizers
from nlcore.tasks.tokenizers import Tokenizer
from nlcore.train import fits, parts
from nlcore.train.checkpoint import WEIGHTS, digest
from nlcore.train.config import TrainConfig, TrainError
from nlcore.train.config_file import check_format
from nlcore.train.records import Record, read_json
from nlcore.train.words import shown, visible

CARD, CONFIG, TOKENIZER = "card.json", "config.json", "tokenizer.json"
FILES = (WEIGHTS, CARD, CONFIG, TOKENIZER)
"""Of a trained model's folder: CARD says how it came to be and what it reaches, and README.md says it in words."""
SHELVES = (
    Path(__file__).parents[2] / "checkpoints",
    *(Path(sysconfig.get_path("data", scheme), "share", "nlcore", "checkpoints")
      for scheme in (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))),
)
"""Where they may lie: in a clone, or where pip puts them for all and for one user."""


def available() -> dict[str, Path]:
    """The folders of the trained models that are on this machine, by name."""
    return {card.parent.name: card.parent for shelf in reversed(SHELVES) for card in sorted(shelf.glob(f"*/{CARD}"))}


def find(name: str | Path) -> Path:
    """The folder that has that name, or else that of the trained model that is called so.

    Raises TrainError if there is neither.
    """
    models = available()
    names = ", ".join(models) or "the trained models that a clone of the course has"
    advice = f"name the folder of a run, or one of {names}"
    if not isinstance(name, (str, Path)) or not str(name).strip():
        raise TrainError(f"{shown(name)} names no model: {advice}.")
    path = Path(name)
    try:
        if path.exists():
            return path
    except OSError as error:
        raise TrainError(f"{shown(str(name))} cannot be looked at ({error.strerror}): {advice}.") from error
    if str(name).rstrip(f"/{os.sep}") == path.name and path.name in models:
        return models[path.name]
    raise TrainError(f"There is no folder {shown(str(name))}, and no trained model of that name: {advice}.")


def holds_one(path: Path) -> bool:
    """Whether the folder is that of a trained model, be it damaged, and not a run's."""
    return (path / CARD).exists() or (path / WEIGHTS).exists()


def described(path: Path) -> tuple[TrainConfig, Record]:
    """What the model in this folder was trained as, and its card: sha256 (of its weights), facts, figures, versions.

    Raises TrainError if a file is missing, or either of these two is damaged or of a newer version.
    """
    missing = next((name for name in FILES if not (path / name).is_file()), None)
    if missing is not None:
        raise TrainError(f"{path} lacks {missing}: {_advice(path)}.")
    try:
        stored, card = read_json(path / CONFIG), read_json(path / CARD)
    except TrainError as error:
        raise _damaged(path) from error
    check_format(path / CONFIG, stored, _anew(path))
    try:
        return TrainConfig.from_json({name: value for name, value in stored.items() if name != "format"}), card
    except TrainError as error:
        raise _damaged(path) from error


def read(path: Path) -> tuple[LanguageModel, Tokenizer]:
    """The model of such a folder, on the CPU, and its tokenizer.

    Raises TrainError if a file is missing or is not what was written.
    """
    config, card = described(path)
    if digest(path / WEIGHTS) != card.get("sha256"):
        raise TrainError(f"{path / WEIGHTS} is not the file that {CARD} describes: {_advice(path)}.")
    tokenizer = tokenizers.load(path / TOKENIZER)
    try:
        weights = load_file(path / WEIGHTS)
        with torch.device("meta"):  # sizes that are not the weights' may be any
            fits.weights(weights, parts.built(config, tokenizer.vocabulary))
    except (ValueError, SafetensorError, OSError) as error:
        reason = visible(" ".join(str(error).split())).rstrip(".")
        raise TrainError(f"{path} holds no model of this version ({reason}): {_advice(path)}.") from error
    model = parts.built(config, tokenizer.vocabulary)
    model.load_state_dict(weights)
    return model, tokenizer


def _damaged(path: Path) -> TrainError:
    return TrainError(f"{CONFIG} or {CARD} in {path} is damaged or of another version: {_advice(path)}.")


def _anew(path: Path) -> str:
    return f"make it anew with python -m checkpoints.make {path.name}"


def _advice(path: Path) -> str:
    return f"put the course's own files back, or {_anew(path)}"
