"""What telemetry costs a run: `python -m bench.telemetry`.

Two tiny trainers in one process take turns, a few steps each: one that reports every tenth step, as runs do, and one
that reports only at its end. What is compared is the process's own time on the CPU, which others on the machine hardly
touch. Surprise, levels, metrics, status and progress are all in it; validations and checkpoints are in neither.
"""

import statistics
import tempfile
import time
from pathlib import Path

from nlcore.train import configure, device, new, parts
from nlcore.train.loop import Trainer
from nlcore.train.progress import Progress
from nlcore.train.status import Status

ROUNDS, STEPS, NEVER = 9, 10, 10**6
"""Rounds, steps of a turn, and a distance that no run here reaches."""


def trainer(path: Path, report_every: int) -> Trainer:
    """One that has begun, and has made a turn already."""
    rare = dict.fromkeys(("validate_every", "checkpoint_every", "steps"), NEVER)
    config = configure("tiny", report_every=report_every, threads=1, **rare)
    folder, choice = new(config, path), device.choose(config.device, config.dtype)
    status = Status(folder)
    status.fields["attempt"] = 1
    made = Trainer(config, folder, parts.make(config, folder, choice), status, Progress(folder, open("/dev/null", "w")))
    turn(made)
    return made


def turn(one: Trainer) -> float:
    """Seconds of CPU that a turn takes."""
    begin = time.process_time()
    for _ in range(STEPS):
        one._between_steps()
        one.advance()
    return time.process_time() - begin


def main() -> None:
    """Prints what a step takes with and without reports, and the share that reports are."""
    with tempfile.TemporaryDirectory() as place:
        telling, silent = trainer(Path(place, "telling"), 10), trainer(Path(place, "silent"), NEVER)
        with device.settled(telling.parts.choice, 1):
            found = [(turn(telling), turn(silent)) for _ in range(ROUNDS)]
    told, alone = (1000 * statistics.median(turns) / STEPS for turns in zip(*found))
    share = statistics.median((a - b) / a for a, b in found)
    print(f"a step that reports every tenth time {told:8.1f} ms of CPU, median of {ROUNDS} turns of {STEPS} steps")
    print(f"a step without reports               {alone:8.1f} ms of CPU")
    print(f"share of reports                     {100 * share:8.2f} %, median of the turns' own")


if __name__ == "__main__":
    main()
