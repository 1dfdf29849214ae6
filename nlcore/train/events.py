"""A run's figures as TensorBoard's event files too: the numbers of what metrics.jsonl and levels.jsonl get, as scalars."""

from collections.abc import Sequence
from importlib.util import find_spec

from nlcore.train.config import TrainConfig, TrainError
from nlcore.train.folder import RunFolder
from nlcore.train.records import Record, number


def check(config: TrainConfig) -> None:
    """Raises TrainError if event files are asked for and the package that writes them is not there."""
    if config.tensorboard and find_spec("tensorboard") is None:
        raise TrainError(
            "TensorBoard's event files need the package tensorboard: type pip install tensorboard, or leave out --tensorboard."
        )


class Events:
    """Writes them, from the first report of an attempt on; whoever opens none at all, as all processes but one, writes none."""

    def __init__(self, folder: RunFolder) -> None:
        self.path, self.writer = folder.events, None

    def write(self, step: int, records: Sequence[Record]) -> None:
        """Adds each number of these records, under its name, or under its level's and its own: "cms-3/update_norm".

        What an earlier attempt wrote of this step and later ones counts no more, as in `records.latest`.
        """
        if self.writer is None:
            from torch.utils.tensorboard import SummaryWriter

            self.writer = SummaryWriter(str(self.path), purge_step=step)
        for record in records:
            level = (record["memory"] or record["level"]) if "level" in record else None
            for name, value in record.items():
                if number(value):
                    self.writer.add_scalar(f"{level}/{name}" if level else name, value, step)
        self.writer.flush()
