"""Measures slider to picture of both explorers, in headless Chromium on a real JupyterLab.

    python -m bench.latency

Prints the median and the slowest tenth, in milliseconds, from the slider's event to the changed
picture on the page: browser, kernel, computation, and back. No computation is repeated.
"""

import os
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from playwright.sync_api import Page, sync_playwright

CELLS = (
    "from nlcore.viz.explorers.clock_of_levels import clock_of_levels\nclock_of_levels()",
    "from nlcore.viz.explorers.fading import fading\nfading()",
)
SLIDERS = ("momentum", "CMS, fast", "CMS, middle")
# Each returns the milliseconds until the picture is another one.
CLOCK = """async ([name, value]) => {
  const slider = document.querySelector(`input[aria-label="How often ${name} is updated"]`);
  const canvas = slider.closest('.nl-clock-row').querySelector('canvas');
  const before = canvas.toDataURL();
  const started = performance.now();
  slider.value = value;
  slider.dispatchEvent(new Event('input'));
  do { await new Promise(requestAnimationFrame); } while (canvas.toDataURL() === before);
  return performance.now() - started;
}"""
FADING = """async () => {
  const line = document.querySelector('.js-plotly-plot path.js-line');
  const handle = document.querySelector('.noUi-handle');
  const before = line.getAttribute('d');
  const started = performance.now();
  handle.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight', bubbles: true}));
  const now = () => document.querySelector('.js-plotly-plot path.js-line').getAttribute('d');
  do { await new Promise(requestAnimationFrame); } while (now() === before);
  return performance.now() - started;
}"""


@contextmanager
def lab(folder: Path) -> Iterator[str]:
    """A JupyterLab on `folder`; its address, with {} for what to open."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    names = ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.root_dir={folder}",
               "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", f"--IdentityProvider.token={token}"]
    environment = os.environ | {name: str(folder / name) for name in names} | {"OMP_NUM_THREADS": "1"}
    server = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api", timeout=5).close()
                break
            except OSError:
                time.sleep(0.3)
        yield f"http://127.0.0.1:{port}/lab/tree/{{}}?token={token}"
    finally:
        server.terminate()
        server.wait()


def measure(page: Page) -> dict[str, list[float]]:
    """Milliseconds of each move, by explorer, in a page on which both are shown."""
    page.locator(".nl-clock input[aria-label='Words read']").fill("40")
    clock = []
    for name in SLIDERS:
        for value in (0, 6, 2, 8, 4, 7, 3, 9):
            clock.append(page.evaluate(CLOCK, [name, value]))
            page.wait_for_timeout(150)
    fading = []
    page.locator(".noUi-handle").first.press("Home")
    page.wait_for_timeout(1000)
    for _ in range(24):
        fading.append(page.evaluate(FADING))
        page.wait_for_timeout(150)
    return {"clock_of_levels (canvas)": clock, "fading (plotly)": fading}


def main() -> None:
    """Prints a line for each explorer."""
    with tempfile.TemporaryDirectory() as home, lab(Path(home)) as address, sync_playwright() as driver:
        cells = [nbformat.v4.new_code_cell(text) for text in CELLS]
        metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), Path(home, "latency.ipynb"))
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1400, "height": 1800})
        page.set_default_timeout(120_000)
        page.goto(address.format("latency.ipynb"))
        page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
        page.locator(".jp-Notebook .jp-Cell").first.click()
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_text("Run All Cells", exact=True).click()
        page.locator(".js-plotly-plot path.js-line").first.wait_for()
        page.wait_for_timeout(3000)
        for name, taken in measure(page).items():
            slow = sorted(taken)[int(0.9 * len(taken))]
            print(f"{name:<26} median {statistics.median(taken):4.0f} ms, one in ten above {slow:4.0f} ms")
        browser.close()


if __name__ == "__main__":
    main()
