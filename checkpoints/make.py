"""Makes one of the course's trained models: `python -m checkpoints.make tiny-hope`.

It trains in runs/checkpoint-NAME, as any run: interrupt it, and the same command goes on. When the run has ended, the
same command writes the model's folder, and once the run folder is gone it begins anew.
"""

import argparse
import sys
from pathlib import Path

from nlcore.train import TrainConfig, TrainError, configure, load, new, train
from nlcore.train.config_file import check_same_way, read_config
from nlcore.train.export import FIGURES, versions, write_folder
from nlcore.train.folder import RunFolder
from nlcore.train.load import newest
from nlcore.train.records import Record
from nlcore.train.status import read_status

SHELF = Path(__file__).parent
RUNS = SHELF.parent / "runs"
SELDOM = {"report_every": 100, "validate_every": 1000, "checkpoint_every": 500, "device": "cpu"}
# About half an hour each, of one core. So long a run has a lower peak rate than tiny's own 380 steps.
RECIPES = {
    "tiny-hope": configure("tiny", model="hope", steps=12_000, lr=2e-3, **SELDOM),
    "tiny-hope-attention": configure("tiny", model="hope-attention", steps=32_000, lr=1e-3, **SELDOM),
    "tiny-transformer": configure("tiny", model="transformer", steps=32_000, lr=1e-3, **SELDOM),
}
"""What each is trained as; the seed is 0."""
PURPOSE = """Trained for the chapters of this course, so that they can show what a trained model does without training one
first: `nlcore.train.load` finds it by its name. It is for looking into: its levels, its surprise, how it goes on with a
text. It has read program code and a little English, all of it from the packages that the course needs, and what it writes
resembles that and means nothing; do not use it where an answer has to be right. Nor does one model, from one seed, say
which architecture is better."""


def make(name: str, recipe: TrainConfig, runs: Path = RUNS, shelf: Path = SHELF) -> Path | None:
    """Trains the recipe, on from where its run stands, and writes `shelf`/`name`; None if the run was stopped.

    Raises TrainError as `train` does, or if the run that is there has another recipe.
    """
    folder = RunFolder(runs / f"checkpoint-{name}")
    if not folder.is_ours():
        new(recipe, folder.path)
    check_same_way(folder)
    if read_config(folder)[0] != recipe:
        raise TrainError(f"{folder.path} was begun by another recipe than {name} has now: move it away to begin anew.")
    status = read_status(folder)
    if status.get("state") != "done":
        status = train(folder)
    return write(folder, shelf / name, status["result"]) if status["state"] == "done" else None


def write(folder: RunFolder, path: Path, result: Record) -> Path:
    """Writes the model of a finished run to `path`, with its card. Raises TrainError if its last checkpoint is lost."""
    model, tokenizer, step = newest(folder)
    if step != result["steps"]:
        raise TrainError(f"The last checkpoint of {folder.path} is damaged: move the folder away to begin anew.")
    config, facts = read_config(folder)
    figures = {field: result[field] for field in FIGURES}
    about = {"figures": figures, "facts": facts, "versions": versions()} | told(path.name)
    write_folder(path, path.name, config, model.state_dict(), tokenizer, about)
    load(path)
    return path


def told(name: str) -> Record:
    """What the card of a model of the course says beside what every card does."""
    return {"command": f"python -m checkpoints.make {name}", "purpose": PURPOSE, "licence": "Apache-2.0, as the course."}


def main(arguments: list[str] | None = None) -> int:
    """Makes the model named in the arguments; 1 if its training was stopped."""
    parser = argparse.ArgumentParser("python -m checkpoints.make", description=__doc__.partition(":")[0])
    parser.add_argument("name", choices=RECIPES)
    name = parser.parse_args(arguments).name
    path = make(name, RECIPES[name])
    print(f"Its model is in {path}." if path else f"The same command goes on: python -m checkpoints.make {name}")
    return 0 if path else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except ValueError as error:
        sys.exit(str(error))
