"""The reader's own small file: which predictions were made, in the user's data folder and never in the project."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from nlcore.train.config import TrainError
from nlcore.train.folder import held, write_json
from nlcore.train.records import read_json
from nlcore.train.words import refusal

FOLDER = "NL_READER"
"""The environment variable that names another folder."""


class ReaderError(Exception):
    """The reader's file cannot be used, in one sentence that says what to do."""


@dataclass(frozen=True)
class Answer:
    """What a reader answered to one prediction."""

    answer: Any
    """As the prediction takes it; None where the reader only looked."""
    right: bool | None
    """None where the reader only looked."""


def path() -> Path:
    """Where the file is, whether it is there or not."""
    folder = os.environ.get(FOLDER)
    return (Path(folder) if folder else user_data_path("nested-learning", appauthor=False)) / "predictions.json"


def answers() -> dict[str, Answer]:
    """Every answer by its prediction's key; none if there is no file. Raises ReaderError for one that is damaged."""
    return {key: Answer(found["answer"], found["right"]) for key, found in _read().items()}


def remember(key: str, answer: Answer) -> None:
    """Writes one answer down, and keeps all others. Raises ReaderError if that is not possible; nothing is lost then."""
    file = path()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with held(file.with_name("lock")):
            write_json(file, _read() | {key: asdict(answer)})
    except BlockingIOError as error:
        raise ReaderError(f"{file} is being written by another notebook, which does not end: restart its kernel.") from error
    except OSError as error:
        raise ReaderError(refusal(error, file)) from error


def _read() -> dict[str, dict[str, Any]]:
    file = path()
    try:
        found = read_json(file)
    except TrainError:
        found = None
    except OSError as error:
        raise ReaderError(refusal(error, file)) from error
    if found is None or not all(map(_is_answer, found.values())):
        raise ReaderError(f"{file} is damaged or cannot be read: mend it, or move it away to begin a new one.")
    return found


def _is_answer(found: Any) -> bool:
    return isinstance(found, dict) and found.keys() >= {"answer", "right"} and isinstance(found["right"], bool | None)
