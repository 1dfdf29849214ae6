"""How long from `make lab` on a fresh clone to the first live update in the dashboard: `python -m bench.first_update`.

Clones the last commit to a temporary folder, types `make lab` there, opens notebook 11 in a headless
Chromium and runs its cells. Set-up downloads packages, so its part depends on the network.
"""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path

from playwright.sync_api import Page

from bench.lab import open_browser, open_page
from nlcore.train import attach

ROOT = Path(__file__).resolve().parent.parent
PATIENCE_S = 600


def wait_for_lab(log: Path, token: str) -> str:
    """The address under which JupyterLab answers, once it does."""
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until:
        lines = [line for line in log.read_text().splitlines() if "http://127.0.0.1:" in line]
        if lines:
            port = lines[-1].split("http://127.0.0.1:")[1].split("/")[0]
            address = f"http://127.0.0.1:{port}"
            try:
                urllib.request.urlopen(f"{address}/api?token={token}", timeout=5).close()
                return address
            except OSError:
                pass
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


def run_until_drawn(page: Page, address: str) -> None:
    """Opens notebook 11 and runs its cells; returns once the level score has rows, which the first report brings."""
    page.set_viewport_size({"width": 1400, "height": 12_000})  # the lab draws only what is in view
    page.goto(address)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.locator(".jp-Notebook .jp-Cell").first.click()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    page.locator(".nl-dashboard").nth(1).locator("[role=option]").first.wait_for()  # before it a stored run is played


def main() -> None:
    """Prints seconds since `make lab` was typed."""
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as home:
        clone, log = Path(home, "clone"), Path(home, "log.txt")
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        began = time.monotonic()
        with open(log, "w") as file:
            lab = subprocess.Popen(["make", "lab"], cwd=clone, stdout=file, stderr=file, start_new_session=True,
                                   env=os.environ | {"JUPYTER_TOKEN": token, "BROWSER": "true"})
        try:
            address = wait_for_lab(log, token)
            print(f"JupyterLab answers          {time.monotonic() - began:6.1f} s", flush=True)
            with open_browser(shutil.which("chromium")) as browser, open_page(browser) as page:
                page.set_default_timeout(PATIENCE_S * 1000)
                run_until_drawn(page, f"{address}/lab/tree/11_train_hope.ipynb?token={token}&reset")
                print(f"the first update is drawn   {time.monotonic() - began:6.1f} s")
        finally:
            for folder in Path(clone, "notebooks", "runs").glob("*"):  # a run outlives the notebook that started it
                if attach(folder).alive():
                    attach(folder).command("stop")
                    attach(folder).wait(60)
            os.killpg(lab.pid, signal.SIGTERM)
            lab.wait(60)


if __name__ == "__main__":
    main()
