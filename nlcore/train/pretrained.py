"""Models out of their runs: the course's own and where they are, and the folder of one read. `export` writes them."""

import os
import sysconfig
from pathlib import Path

from nlcore.models import LanguageModel, from_pretrained
from nlcore.models.saved import CONFIG, TOKENIZER, WEIGHTS
from nlcore.tasks.corpus import DataError
from nlcore.tasks.tokenizers import Tokenizer
from nlcore.train.checkpoint import digest
from nlcore.train.config import TrainConfig, TrainError
from nlcore.train.config_file import check_format
from nlcore.train.records import Record, read_json
from nlcore.train.words import shown, visible

CARD = "card.json"
FILES = (WEIGHTS, CARD, CONFIG, TOKENIZER)
"""Of a trained model's folder: CARD says how it came to be and what it reaches, and README.md says it in words. The
others are what `nlcore.models.from_pretrained` reads."""
ADVICE = "put its own files back, or export it anew"
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

    Raises TrainError if a file is missing, or the card is damaged or of a newer version.
    """
    missing = next((name for name in FILES if not (path / name).is_file()), None)
    if missing is not None:
        raise TrainError(f"{path} lacks {missing}: {ADVICE}.")
    try:
        card = read_json(path / CARD)
    except TrainError as error:
        raise _damaged(path) from error
    check_format(path / CARD, card, ADVICE)
    try:
        return TrainConfig.from_json(card["config"]), card
    except (KeyError, TrainError) as error:
        raise _damaged(path) from error


def read(path: Path) -> tuple[LanguageModel, Tokenizer]:
    """The model of such a folder, on the CPU, and its tokenizer.

    Raises TrainError if a file is missing or is not what was written.
    """
    _, card = described(path)
    if digest(path / WEIGHTS) != card.get("sha256"):
        raise TrainError(f"{path / WEIGHTS} is not the file that {CARD} describes: {ADVICE}.")
    try:
        return from_pretrained(path)
    except DataError:  # of the tokenizer, which says what to do
        raise
    except ValueError as error:
        raise TrainError(f"{visible(str(error)).rstrip('.')}: {ADVICE}.") from error


def _damaged(path: Path) -> TrainError:
    return TrainError(f"{CARD} in {path} is damaged or of another version: {ADVICE}.")
