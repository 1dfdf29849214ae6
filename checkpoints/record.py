"""Makes the runs that chapter 11 plays: `python -m checkpoints.record` makes all, `... record NAME` one.

They are one sound run of Hope at size tiny, seed 0, one with the clocks of a large model, and four that fail, each in
one way. Kept of a run folder is what a dashboard shows: lines without what it does not draw, numbers of four digits, and
the text strip at every tenth report. Interrupted, a run begins anew.
"""

import json
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import numpy as np

from nlcore.models import PRESETS
from nlcore.tasks.batches import Batch, Batches
from nlcore.train import TrainConfig, configure, new, train
from nlcore.train.folder import RunFolder, write_json
from nlcore.train.records import LEVELS, METRICS, SAMPLES, SURPRISE, Record, read_json, records
from nlcore.viz.dashboard.played import STORED

RUNS = Path(__file__).parent.parent / "runs"
SHORT = dict(steps=120, report_every=2, validate_every=20, checkpoint_every=1000, device="cpu", final_windows=64)
LARGE = PRESETS["160m"]
RECIPES = {
    "tiny-hope": configure("tiny", report_every=2, validate_every=20, checkpoint_every=380, device="cpu"),
    "large-clocks": configure("tiny", **SHORT | dict(
        steps=256, context=512, batch=2, carry=0, chunks=LARGE.chunks, periods=LARGE.periods, report_every=4)),
    "eta-too-high": configure("tiny", **SHORT, in_context=(("cms-3", 64, 30.0, 1000.0),)),
    "dead-level": configure("tiny", **SHORT, periods=(1, 4, 512)),
    "collapsed-gate": configure("tiny", **SHORT, lr=0.1),
    "data-stall": configure("tiny", **SHORT),
}  # fmt: skip
"""By name: what is trained. The fourth failure is not in its config; see `stalled`."""
STALL, LATE = range(41, 71), 2.0
"""Steps whose batch comes late, and by how many seconds."""
DIGITS, FELT_EVERY = 4, 10


def main(names: list[str], recipes: dict[str, TrainConfig] = RECIPES, runs: Path = RUNS, stored: Path = STORED) -> int:
    """Trains the recipes of these names, or all, and stores each as `stored`/NAME; 1 if a training was stopped."""
    if wrong := [name for name in names if name not in recipes]:
        print(f"There is no recipe {wrong[0]!r}: choose among {', '.join(recipes)}.")
        return 2
    for name in names or recipes:
        folder = RunFolder(runs / f"record-{name}")
        shutil.rmtree(folder.path, ignore_errors=True)
        new(recipes[name], folder.path)
        with stalled(STALL if name == "data-stall" else range(0)):
            if train(folder)["state"] != "done":
                return 1
        keep(folder, RunFolder(stored / name))
        print(f"The run is in {stored / name}.")
    return 0


@contextmanager
def stalled(late: range) -> Iterator[None]:
    """Inside the block the batches of these steps come late, as from a disk that others use."""
    sound, read = Batches.read, count(1)

    def waits(batches: Batches, starts: np.ndarray) -> Batch:
        time.sleep(LATE if next(read) in late else 0.0)
        return sound(batches, starts)

    Batches.read = waits
    try:
        yield
    finally:
        Batches.read = sound


def keep(run: RunFolder, to: RunFolder) -> None:
    """Writes of a run what a dashboard shows of it."""
    shutil.rmtree(to.path, ignore_errors=True)
    to.path.mkdir(parents=True)
    write_json(to.config, read_json(run.config))
    write_json(to.status, {"state": "done", "result": _short(read_json(run.status)["result"])})
    for name, shape in (("metrics", METRICS), ("levels", LEVELS), ("surprise", SURPRISE), ("samples", SAMPLES)):
        lines = records(getattr(run, name))
        if name == "surprise":
            lines = [line for i, line in enumerate(lines) if i % FELT_EVERY == 0 or i == len(lines) - 1]
        kept = [{field: _short(line[field]) for field in shape if line.get(field) is not None} for line in lines]
        getattr(to, name).write_text("".join(_line(one) for one in kept), encoding="utf-8")


def _line(record: Record) -> str:
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")) + "\n"


def _short(value: object) -> object:
    """Floats to DIGITS digits, in lists and objects too."""
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, list):
        return [_short(one) for one in value]
    return {name: _short(one) for name, one in value.items()} if isinstance(value, dict) else value


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
