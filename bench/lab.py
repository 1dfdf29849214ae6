"""A real JupyterLab and a real headless Chromium: for what is measured, and tested, as a reader meets it."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
from playwright.sync_api import Browser, Page, sync_playwright

PATIENCE_S = 120
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
         "--disable-background-networking", "--disable-component-update", "--disable-sync"]


@contextmanager
def open_lab(home: Path, base: str = "/", **environment: str) -> Iterator[str]:
    """A JupyterLab on `home`, with settings of its own; its address, with {} for what to open.

    base: the path it is served under, as a JupyterHub gives each user one.

    Raises RuntimeError, with the end of its log, if it does not start.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    apart = {f"JUPYTER_{name}_DIR": str(home / name.lower()) for name in ("CONFIG", "RUNTIME", "DATA")} | {
        "IPYTHONDIR": str(home / "ipython"), "JUPYTERLAB_SETTINGS_DIR": str(home / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(home / "workspaces"), "NL_READER": str(home / "reader"),
    }
    log = open(home / "log.txt", "w")
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.root_dir={home}",
         "--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0", f"--ServerApp.base_url={base}",
         f"--IdentityProvider.token={token}"],
        env=os.environ | apart | environment, stdout=log, stderr=log,
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}{base}api", server, home / "log.txt")
        yield f"http://127.0.0.1:{port}{base}lab/tree/{{}}?token={token}"
    finally:
        server.terminate()
        server.wait(PATIENCE_S)
        log.close()


def _wait_for(address: str, server: subprocess.Popen, log: Path) -> None:
    until = time.monotonic() + PATIENCE_S
    while time.monotonic() < until and server.poll() is None:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.3)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


@contextmanager
def open_browser(chromium: str) -> Iterator[Browser]:
    """Headless Chromium."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=QUIET)
        yield browser
        browser.close()


@contextmanager
def open_page(browser: Browser) -> Iterator[Page]:
    """A page, as of a reader who was never here, that lists what its console complains of in `page.complaints`."""
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(PATIENCE_S * 1000)
    page.complaints = []
    page.on("console", lambda m: page.complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    yield page
    page.close()


def notebook_of(*cells: str) -> nbformat.NotebookNode:
    """A notebook of these code cells."""
    metadata = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=metadata)


def ask(lab: str, what: str, method: str = "GET", body: dict | None = None) -> object:
    """The server's answer to a REST call."""
    address, token = lab.split("/lab/tree/{}?token=")
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{address}/api/{what}", data, {"Authorization": f"token {token}"}, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read() or b"null")


def put(lab: str, name: str, notebook: nbformat.NotebookNode) -> None:
    """Saves a notebook under this name."""
    ask(lab, f"contents/{name}", "PUT", {"type": "notebook", "content": notebook})


def run_all(page: Page, address: str) -> None:
    """Opens a notebook, alone, and runs all its cells; returns when the kernel is idle again."""
    start_all(page, address)
    page.locator(".jp-CodeCell .jp-InputArea-prompt").last.filter(has_text="[").wait_for()
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()


def start_all(page: Page, address: str) -> None:
    """Opens a notebook, alone, and has all its cells run."""
    page.goto(f"{address}&reset")
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()  # Lab drops what is run before its kernel is connected
    page.locator(".jp-Notebook .jp-Cell").first.click()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
