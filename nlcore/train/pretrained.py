"""The course's trained models: where they are, and one of them read. `checkpoints/make.py` makes them."""

import sysconfig
from pathlib import Path

from safetensors.torch import load_file

from nlcore.models import LanguageModel, build
from nlcore.tasks import tokenizers
from nlcore.tasks.tokenizers import Tokenizer
from nlcore.train import fits
from nlcore.train.checkpoint import WEIGHTS, digest
from nlcore.train.config import TrainConfig, TrainError
from nlcore.train.records import Record, read_json

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
    """What stands in the file system under that name, or else the folder of the trained model that is called so.

    Raises TrainError for a bare name that is neither.
    """
    models, path = available(), Path(name)
    if path.exists() or path.name != str(name):
        return path
    if path.name not in models:
        raise TrainError(
            f"There is no folder {name}, and no trained model of that name: name the folder of a run, or one of "
            f"{', '.join(models) or 'the trained models that a clone of the course has'}."
        )
    return models[path.name]


def holds_one(path: Path) -> bool:
    """Whether the folder is that of a trained model, be it damaged, and not a run's."""
    return (path / CARD).exists() or (path / WEIGHTS).exists()


def described(path: Path) -> tuple[TrainConfig, Record]:
    """What the model in this folder was trained as, and its card: sha256 (of its weights), facts, figures, versions.

    Raises TrainError if a file is missing, or either of these two is damaged.
    """
    missing = next((name for name in FILES if not (path / name).is_file()), None)
    if missing is not None:
        raise TrainError(f"{path} lacks {missing}: {_advice(path)}.")
    try:
        return TrainConfig.from_json(read_json(path / CONFIG)), read_json(path / CARD)
    except TrainError as error:
        raise TrainError(f"{CONFIG} or {CARD} in {path} is damaged or of another version: {_advice(path)}.") from error


def read(path: Path) -> tuple[LanguageModel, Tokenizer]:
    """The model of such a folder, on the CPU, and its tokenizer.

    Raises TrainError if a file is missing or is not what was written.
    """
    config, card = described(path)
    if digest(path / WEIGHTS) != card.get("sha256"):
        raise TrainError(f"{path / WEIGHTS} is not the file that {CARD} describes: {_advice(path)}.")
    tokenizer = tokenizers.load(path / TOKENIZER)
    model = build(config.model, config.preset, tokenizer.vocabulary)
    weights = load_file(path / WEIGHTS)
    try:
        fits.weights(weights, model)
    except fits.Misfit as error:
        raise TrainError(f"{path} holds no model of this version ({error}): {_advice(path)}.") from error
    model.load_state_dict(weights)
    return model, tokenizer


def _advice(path: Path) -> str:
    return f"put the course's own files back, or make it anew with python -m checkpoints.make {path.name}"
