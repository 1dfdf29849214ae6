"""One line in a notebook that says how far a run is, rewritten until the run ends."""

import time

from nlcore.train.launch import Run
from nlcore.train.records import Record
from nlcore.train.words import visible

EVERY_S = 0.5


def follow(run: Run) -> Record:
    """Shows `run`'s progress with the time left until it ends; returns its last status.

    Interrupting the kernel ends the watching, not the training.
    """
    shown = ""
    while run.alive():
        status = run.status()
        shown = _rewrite(shown, status.get("line") or status.get("state", ""))
        time.sleep(EVERY_S)
    status = run.status()
    _rewrite(shown, status.get("sentence") or "The run has not begun: `nlcore.train.resume` starts it.")
    print()
    return status


def _rewrite(shown: str, text: str) -> str:
    text = visible(text)
    if text != shown:
        print("\r" + text.ljust(len(shown)), end="", flush=True)
    return text
