"""How long the folder of a run of a million steps takes to open: `python -m bench.long_run`.

The folder is written in place of the run: lines of the stored replay again and again, at the steps at which such a run
reports, with every figure in six digits, `blocks` of two blocks, a validation every 100 steps.
"""

import json
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from nlcore.train import attach
from nlcore.train.config import configure
from nlcore.train.folder import RunFolder, write_json
from nlcore.train.records import Record, read_json, records
from nlcore.train.reporting import FELT, apart
from nlcore.viz.dashboard import picture
from nlcore.viz.dashboard.dashboard import Dashboard
from nlcore.viz.dashboard.played import STORED

STEPS, EVERY, VALIDATES = 1_000_000, 10, 100


def write(folder: RunFolder, steps: int = STEPS) -> None:
    """Fills a folder as a run of so many steps does."""
    source = RunFolder(STORED / "tiny-hope")
    facts = read_json(source.config)["facts"]
    config = configure("tiny", steps=steps, report_every=EVERY, validate_every=VALIDATES)
    write_json(folder.config, read_json(source.config) | {"config": config.as_json(), "facts": facts})
    write_json(folder.status, {"state": "stopped", "step": steps, "steps": steps, "attempt": 1, "sentence": ""})
    levels = [list(rows) for _, rows in groupby(records(source.levels), key=lambda row: row["step"])]
    stored = {name: records(getattr(source, name)) for name in ("metrics", "surprise", "samples")}
    full = [step for step in range(EVERY, steps + 1, EVERY) if step % apart(step, EVERY) == 0]
    felt = [step for step in full if step % apart(step, EVERY, FELT) == 0]
    told = sorted({*full, *range(VALIDATES, steps + 1, VALIDATES)})
    fill(folder.levels, ((step, row) for at, step in enumerate(full) for row in levels[at % len(levels)]))
    for path, at in ((folder.metrics, told), (folder.surprise, felt), (folder.samples, range(VALIDATES, steps + 1, VALIDATES))):
        lines = stored[path.stem]
        fill(path, ((step, lines[n % len(lines)]) for n, step in enumerate(at)))


def fill(path: Path, lines: Iterator[tuple[int, Record]]) -> None:
    """Writes lines for these steps, each a little unlike the one it was made from."""
    with open(path, "w", encoding="utf-8") as file:
        for step, line in lines:
            made = {name: _another(value) for name, value in line.items() if value is not None}
            made |= {"step": step, "attempt": 1, "time": 1.7e9 + step + random.random()}
            if line.get("unit") == "tokens":
                made["blocks"] = {name: [made[name]] * 2 for name in ("update_norm", "weight_norm", "surprise", "eta", "alpha")}
            file.write(json.dumps(made, ensure_ascii=False) + "\n")


def _another(value: Any) -> Any:
    return float(f"{value * (0.9 + 0.2 * random.random()):.6g}") if isinstance(value, float) else value


def timed(what: str, do: Callable[[], Any]) -> Any:
    """Prints what it took: seconds by the clock, and of this process alone."""
    clock, own = time.perf_counter(), time.process_time()
    found = do()
    print(f"{what:34s} {time.perf_counter() - clock:6.2f} s   {time.process_time() - own:6.2f} s of CPU")
    return found


def opened(path: Path) -> Dashboard:
    """A dashboard that has read and drawn the whole run."""
    shown = Dashboard(path)
    with shown.lock:
        shown._look()
        while shown._behind():
            shown._look()
    picture.picture(shown._whole())
    return shown


def main() -> None:
    """Prints sizes, and what opening takes."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / "run"
        path.mkdir()
        write(RunFolder(path))
        for file in sorted(path.glob("*.jsonl")):
            with open(file, "rb") as lines:
                print(f"{file.name:18s} {sum(1 for _ in lines):9,} lines   {file.stat().st_size / 1e6:7.1f} MB")
        picture.Figure().canvas  # what drawing anything takes the first time is no part of it
        run = timed("attach", lambda: attach(path))
        shown = timed("dashboard, the whole run drawn", lambda: opened(path))
        shown.close()
        timed("metrics()", run.metrics)
        timed("levels()", run.levels)
        timed("surprise()", run.surprise)
        timed("all three again", lambda: (run.metrics(), run.levels(), run.surprise()))
        factor = 1 if sys.platform == "darwin" else 1024
        print(f"memory at most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * factor / 1e6:,.0f} MB")


if __name__ == "__main__":
    main()
