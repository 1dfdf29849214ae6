"""config.json of a run and of a trained model: what was asked for, what was found, and by which rules it trains."""

from pathlib import Path

from nlcore.train.config import TrainConfig, TrainError
from nlcore.train.folder import RunFolder, write_json
from nlcore.train.records import FACTS, Record, has_shape, read_json, whole

FORMAT = 4
"""Of the file and of what it asks for; 1 is that of files that name none.

To be raised whenever the same config trains in another way, however little: half a run by each way is a run that
nobody can repeat. So runs of an older format are opened as ever, and never resumed.
"""


def write_config(folder: RunFolder, config: TrainConfig, facts: Record) -> None:
    """Writes a run's file."""
    write_with_format(folder.config, {"config": config.as_json(), "facts": facts})


def write_with_format(path: Path, content: Record) -> None:
    """Writes the file in one step, onto the disk: this version's format, and the content beside it."""
    write_json(path, {"format": FORMAT} | content, durable=True)


def check_format(path: Path, stored: Record, instead: str) -> None:
    """Raises TrainError if what the file at `path` holds is of a newer version, or says no format that there can be.

    instead: what else can be done, for the sentence.
    """
    number = stored.get("format", 1)
    if not whole(number) or number < 1:
        raise TrainError(f"The format in {path} is damaged: put back a copy of that file, or {instead}.")
    if number > FORMAT:
        raise TrainError(
            f"{path.parent} was written by a newer version of the course (format {number}, and this one knows "
            f"{FORMAT}): update the course, or {instead}."
        )


def read_config(folder: RunFolder) -> tuple[TrainConfig, Record]:
    """A run's config, and the facts found when it first ran (corpus, device, threads, levels, ...).

    Raises TrainError if there is no run, or one of a newer version than this.
    """
    stored = _read(folder)
    try:
        config, facts = TrainConfig.from_json(stored["config"]), stored.get("facts", {})
    except TrainError as error:
        raise TrainError(f"{folder.config} cannot be used: {error}") from error
    if facts != {} and not has_shape(facts, FACTS):
        raise TrainError(f"The facts in {folder.config} are damaged: put back a copy of that file, or start a new run.")
    return config, facts


def check_same_way(folder: RunFolder) -> None:
    """Raises TrainError, as `read_config` too, if this version trains in another way than the run began."""
    if _read(folder).get("format", 1) < FORMAT:
        raise TrainError(
            f"{folder.path} was begun with an earlier version of the course, whose levels are trained in another way, "
            "so going on would make a mixture of both: open it as before, or start a new run."
        )


def _read(folder: RunFolder) -> Record:
    stored = read_json(folder.config)
    if "config" not in stored:
        raise TrainError(f"{folder.path} holds no run: name the folder of one, or start a new run without --resume.")
    check_format(folder.config, stored, "start a new run")
    return stored
