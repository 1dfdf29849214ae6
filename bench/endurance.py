"""Does a long run lose anything? `python -m bench.endurance` disturbs one of 5,000 steps, and counts.

It trains Hope at size tiny, in small batches, on two CPU processes under torchrun. On its way it is paused, steered,
stopped, and twice killed, once one of its processes and once the launcher with all, and each time resumed. All the while
a dashboard stands open in a real JupyterLab, in a headless Chromium. Then: is every report there once, every firing
counted, every command carried out, and does the page that was never touched show the end? It exits with 1 if not.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import Page

from bench.lab import notebook_of, open_browser, open_lab, open_page, put, run_all
from nlcore.train import Run, TrainConfig, configure, resume, start
from nlcore.train.folder import is_locked

STEPS, EVERY = 5_000, 10
CONFIG = configure("tiny", batch=2, context=64, chunks=(16, 16), carry=3, steps=STEPS, report_every=EVERY, validate_every=500,
                   checkpoint_every=100, validation_windows=4, final_windows=16, device="cpu", threads=1)  # fmt: skip
PERIOD = 8
"""That of cms-1 after it is steered."""
HEAP = "() => performance.memory.usedJSHeapSize"


def reach(run: Run, page: Page, step: int) -> None:
    """Waits until the run is there. The page's own clock goes on meanwhile."""
    while run.status().get("step", 0) < step:
        assert run.alive(), run.status()
        page.wait_for_timeout(200)


def until(page: Page, holds: Callable[[], bool]) -> None:
    while not holds():
        page.wait_for_timeout(200)


def processes(run: Run) -> list[int]:
    """Those that its launcher started."""
    table = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    return [int(child) for child, parent in map(str.split, table.splitlines()) if int(parent) == run.process.pid]


def disturb(config: TrainConfig, path: Path, page: Page, show: Callable[[], None]) -> Run:
    """The run, from its first step to its last."""
    tenth = config.preset.steps // 10
    run = start(config, path, processes=2)
    show()
    reach(run, page, tenth)
    run.command("pause")
    until(page, lambda: run.status()["state"] == "paused")
    page.wait_for_timeout(3000)
    run.command("period", level="cms-1", value=PERIOD)
    run.command("level_lr", level="memory", value=0.5)
    run.command("resume")
    reach(run, page, 3 * tenth)
    os.kill(processes(run)[1], signal.SIGKILL)
    until(page, lambda: not run.alive())
    run.process.wait()
    run = resume(path, processes=2)
    reach(run, page, 5 * tenth)
    run.command("stop")
    run.wait()
    run.process.wait()
    run = resume(path, processes=2)
    run.command("lr_scale", value=0.5)
    reach(run, page, 7 * tenth)
    for pid in (run.process.pid, *processes(run)):
        os.kill(pid, signal.SIGKILL)
    run.process.wait()
    until(page, lambda: not is_locked(run.folder))
    run = resume(path, processes=2)
    while run.alive():
        page.wait_for_timeout(1000)
    return run


def lost(run: Run, config: TrainConfig) -> list[str]:
    """What is not as it should be."""
    steps = config.preset.steps
    found = [] if run.status()["state"] == "done" else [f"the run ended as {run.status()['state']}"]
    if [line["step"] for line in run.metrics()] != list(range(EVERY, steps + 1, EVERY)):
        found.append("reports are missing, or there twice")
    commands = run.applied()
    if [(line["command"], line["applied"]) for line in commands] != [
        (name, True) for name in ("pause", "period", "level_lr", "resume", "stop", "lr_scale")
    ]:
        found.append(f"commands: {commands}")
    steered = commands[1]["step"] - 1  # from the last firing before it, cms-1 counts with its new period
    first = steered - steered % 16
    expected = {"weights": steps, "cms-3": steps, "cms-2": steps // 4}
    expected["cms-1"] = first // 16 + (steps - first) // PERIOD
    for level, count in expected.items():
        counted = sum(line["writes"] for line in run.levels() if line["level"] == level)
        if counted - count not in (0, 1):  # the last gradients are used at the end, whatever is due
            found.append(f"{level} fired {counted} times, {count} were due")
        print(f"{level:8}{counted:7,} firings")
    return found


def main() -> int:
    with tempfile.TemporaryDirectory() as folder, open_browser(shutil.which("chromium")) as browser, open_page(browser) as page:
        path, home, began = Path(folder) / "run", Path(folder) / "lab", time.monotonic()
        home.mkdir()
        with open_lab(home, PYTHONPATH=str(Path.cwd())) as lab:

            def show() -> None:
                put(lab, "watch.ipynb", notebook_of(f"from nlcore.viz.dashboard import Dashboard\nDashboard({str(path)!r})"))
                run_all(page, lab.format("watch.ipynb"))
                page.locator(".nl-dashboard").wait_for()

            heaps = []
            run = disturb(CONFIG, path, page, lambda: (show(), heaps.append(page.evaluate(HEAP))))
            page.wait_for_timeout(5000)
            heaps.append(page.evaluate(HEAP))
            shown = page.locator(".nl-dashboard").inner_text()
            page.screenshot(path=Path("build") / "endurance.png", full_page=True)
        wrong = lost(run, CONFIG)
        if f"{STEPS:,}" not in shown:
            wrong.append("the page does not show the last step")
        wrong += page.complaints
        attempts = {line["attempt"] for line in run.metrics()}
        print(f"{STEPS:,} steps in {(time.monotonic() - began) / 60:.0f} minutes and {len(attempts)} attempts; "
              f"the page's heap {heaps[0] / 1e6:.0f} MB at first, {heaps[-1] / 1e6:.0f} MB at last")
    print("\n".join(wrong) or "Nothing was lost.")
    return len(wrong) > 0


if __name__ == "__main__":
    sys.exit(main())
