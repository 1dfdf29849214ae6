"""What a dashboard costs the run it watches: `python -m bench.dashboard`.

One run trains in its own process while a dashboard is opened and closed in turn, so that with and
without are measured side by side. The dashboard draws in a real headless Chromium, beside it.
"""

import queue
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import torch
from playwright.sync_api import Page, sync_playwright

from nlcore.train import Run, configure, start
from nlcore.viz.dashboard import dashboard
from nlcore.viz.dashboard.panel import Panel
from nlcore.viz.view import plotly

ROUNDS, SECONDS, SETTLE = 8, 6.0, 0.5
PAGE = """async ([script, html, plotly]) => {
  const module = await import(URL.createObjectURL(new Blob([script], {type: "text/javascript"})));
  const takers = new Set(), model = {get: () => html, on: (_, take) => takers.add(take), off: (_, take) => takers.delete(take), send() {}};
  window.take = (message, buffers = []) => [...takers].forEach((take) => take(message, buffers));
  document.body.replaceChildren();
  module.default.render({model, el: document.body});
  if (!window.drawn) window.take({kind: "plotly"}, [plotly]);
  window.drawn = true;
}"""


class Screen:
    """Takes the place of the widget: passes messages on to a page."""

    def __init__(self, page: Page) -> None:
        self.page, self.waiting = page, queue.Queue()
        shown = Panel(lambda message: None)
        page.evaluate(PAGE, [shown._esm, shown.page, plotly().decode()])
        page.add_style_tag(content=shown._css)
        page.wait_for_function("window.nlPlotly")

    def greet(self) -> None:
        """It has all it needs."""

    def send(self, message: dict) -> None:
        """Keeps a message for `draw`."""
        self.waiting.put(message)

    def draw(self, seconds: float) -> list[float]:
        """Draws what comes for so long; milliseconds of each redraw."""
        until, drawn, taken = time.monotonic() + seconds, 0, []
        while time.monotonic() < until:
            try:
                self.page.evaluate("message => window.take(message)", self.waiting.get(timeout=0.05))
            except queue.Empty:
                continue
            self.page.wait_for_timeout(30)
            now, milliseconds = self.page.evaluate("() => (({draws, milliseconds}) => [+draws, +milliseconds])(document.body.querySelector('.nl-dashboard').dataset)")
            taken += [milliseconds] * (now - drawn > 0)
            drawn = now
        return taken


def watched(run: Run, page: Page) -> tuple[list[float], float]:
    """A dashboard for one round: milliseconds of its redraws, and its thread's share of a core."""
    opened = dashboard.Dashboard(run)
    opened.panel = Screen(page)
    opened._heard({"whole": True})
    clock = time.pthread_getcpuclockid(opened.thread.ident)
    before = time.clock_gettime(clock)
    taken = opened.panel.draw(SECONDS)
    share = (time.clock_gettime(clock) - before) / SECONDS
    opened.close()
    opened.thread.join()
    return taken, share


def step_seconds(run: Run, begin: float, end: float) -> list[float]:
    """Training time of a step, for each report written between two moments."""
    lines = [line for line in run.metrics() if begin + SETTLE < line["time"] < end]
    return [(b["elapsed"] - a["elapsed"]) / (b["step"] - a["step"]) for a, b in zip(lines, lines[1:])]


def measure(run: Run, page: Page) -> tuple[list[float], ...]:
    """Seconds a step without and with a dashboard, milliseconds a redraw, and the thread's share of a core."""
    alone, beside, redraws, shares = [], [], [], []
    while len(run.metrics()) < 5:
        time.sleep(0.5)
    for _ in range(ROUNDS):
        begin = time.time()
        time.sleep(SECONDS)
        middle = time.time()
        drawn, share = watched(run, page)
        alone += step_seconds(run, begin, middle)
        beside += step_seconds(run, middle, time.time())
        redraws += drawn
        shares.append(share)
    return alone, beside, redraws, shares


def main() -> None:
    """Prints what a step takes with and without a dashboard, and what the dashboard takes."""
    torch.set_num_threads(1)
    config = configure("tiny", batch=2, steps=1_000_000, threads=1, report_every=1, validate_every=1_000_000, checkpoint_every=1_000_000)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"])
        run = start(config, Path(folder) / "run")
        try:
            alone, beside, redraws, shares = measure(run, browser.new_page(viewport={"width": 1280, "height": 1000}))
        finally:
            run.command("stop")
            run.wait()
            browser.close()
    without, with_one = statistics.median(alone), statistics.median(beside)
    print(f"a step without a dashboard  {1000 * without:8.1f} ms   median of {len(alone)} reports")
    print(f"a step with a dashboard     {1000 * with_one:8.1f} ms   median of {len(beside)} reports")
    print(f"ratio                       {with_one / without:8.3f}")
    print(f"redraws a second            {len(redraws) / (ROUNDS * SECONDS):8.2f}   each {statistics.median(redraws):.1f} ms")
    print(f"its thread in the kernel    {100 * statistics.median(shares):8.2f} % of a core")


if __name__ == "__main__":
    main()
