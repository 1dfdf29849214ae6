"""Makes the run that chapter 11 plays: `python -m checkpoints.record`.

It trains Hope at size tiny, seed 0, reports every second step, and keeps of the run folder what a dashboard shows:
lines without what it does not draw, numbers of four digits, and the text strip at every tenth report. Interrupted, it
begins anew.
"""

import json
import shutil
import sys
from pathlib import Path

from nlcore.train import TrainConfig, configure, new, train
from nlcore.train.folder import RunFolder, write_json
from nlcore.train.records import LEVELS, METRICS, SAMPLES, SURPRISE, Record, read_json, records
from nlcore.viz.dashboard.played import STORED

RUNS = Path(__file__).parent.parent / "runs"
RECIPE = configure("tiny", report_every=2, validate_every=20, checkpoint_every=380, device="cpu")
DIGITS, FELT_EVERY = 4, 10


def main(recipe: TrainConfig = RECIPE, runs: Path = RUNS, stored: Path = STORED) -> int:
    """Trains the recipe and stores it as `stored`/`size`-`model`; 1 if its training was stopped."""
    name = f"{recipe.preset.name}-{recipe.model}"
    folder = RunFolder(runs / f"record-{name}")
    shutil.rmtree(folder.path, ignore_errors=True)
    new(recipe, folder.path)
    if train(folder)["state"] != "done":
        return 1
    keep(folder, RunFolder(stored / name))
    print(f"The run is in {stored / name}.")
    return 0


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
    sys.exit(main())
