"""A trained model taken out of its run: a folder of its own, with a card that says how it came to be."""

import os
import platform
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
from torch import Tensor

from nlcore.models import save_pretrained
from nlcore.tasks.tokenizers import Tokenizer
from nlcore.train import card, pretrained
from nlcore.train.checkpoint import digest
from nlcore.train.config import TrainConfig, TrainError
from nlcore.train.config_file import read_config, write_with_format
from nlcore.train.folder import RunFolder
from nlcore.train.load import newest
from nlcore.train.pretrained import CARD, WEIGHTS
from nlcore.train.records import Record, latest, records
from nlcore.train.status import read_status

FIGURES = (
    "bits_per_byte", "bits_per_byte_eta_0", "order1_entropy", "scored_bytes", "validation_bytes", "steps", "seconds",
)  # fmt: skip
"""Of a run's result: what its card keeps."""


def export(run: str | Path, folder: str | Path) -> Path:
    """Writes a model to a folder that `nlcore.models.from_pretrained`, `load` and Hugging Face's libraries read.

    run: as `load` takes it: a run's folder, whose newest whole checkpoint is taken, or the name of a trained model.
    folder: one that is not there yet, or is empty; it is there when all of it is written, or as it was before.

    Raises TrainError if the folder holds anything, or as `load` does, and OSError if it cannot be written.
    """
    path, found = Path(folder), pretrained.find(run)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise TrainError(f"{path} is there already, and nothing is overwritten: name a new folder, or an empty one.")
    if pretrained.holds_one(found):
        config, about = pretrained.described(found)
        model, tokenizer = pretrained.read(found)
    else:
        (model, tokenizer, step), (config, facts) = newest(RunFolder(found)), read_config(RunFolder(found))
        config = replace(config, data=facts["corpus"]["name"])  # where a text lies on this machine is its owner's business
        about = {"figures": _figures(RunFolder(found), step), "facts": facts, "versions": versions()}
    temporary = path.absolute().with_name(f".{path.name}.{os.getpid()}")
    try:
        write_folder(temporary, path.name, config, model.state_dict(), tokenizer, about)
        if path.exists():
            path.rmdir()
        os.rename(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return path


def write_folder(
    path: Path, name: str, config: TrainConfig, weights: dict[str, Tensor], tokenizer: Tokenizer, about: Record
) -> None:
    """Writes the folder of a model that is called so, over the files that are there.

    about: figures (see FIGURES), facts (of its run), versions; and where they are known command, purpose and licence.
    """
    save_pretrained(path, config.model, config.preset, weights, tokenizer)
    write_with_format(path / CARD, about | {"sha256": digest(path / WEIGHTS), "config": config.as_json()})
    (path / "README.md").write_text(card.words(name, *pretrained.described(path)), encoding="utf-8")


def versions() -> Record:
    """Of what a training depends on, beside torch, which a run's facts name."""
    return {"python": platform.python_version(), "numpy": np.__version__}


def _figures(folder: RunFolder, step: int) -> Record:
    """What is known of the model at this step: the run's result if it is of this step, else its last validation."""
    result = read_status(folder).get("result") or {}
    if result.get("steps") == step and result.get("scored_bytes"):
        return {field: result.get(field) for field in FIGURES}
    lines = [line for line in latest(records(folder.metrics)) if line["step"] <= step]
    scored = [line for line in lines if line["validation_bits_per_byte"] is not None]
    last = {"bits_per_byte": scored[-1]["validation_bits_per_byte"], "scored_step": scored[-1]["step"]} if scored else {}
    return dict.fromkeys(FIGURES) | last | {"steps": step, "seconds": lines[-1]["elapsed"] if lines else None}
