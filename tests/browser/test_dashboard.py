"""The dashboard in a real JupyterLab: it draws while a run trains, steers it, and finds it again."""

import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from bench.lab import notebook_of
from nlcore.train import attach
from nlcore.train.folder import RunFolder
from nlcore.train.records import read_json, records

PATIENCE_S = 90
TINY = """from nlcore.train import configure, start
from nlcore.viz.dashboard import Dashboard
config = configure("tiny", steps=100_000, dim=32, hidden=8, context=64, batch=2, threads=1, data="builtin:english",
                   report_every=5, validate_every=50, checkpoint_every=10_000, validation_windows=1)"""


def put(lab: str, name: str, *cells: str) -> None:
    """Puts a notebook of these cells where JupyterLab finds it."""
    body = json.dumps({"type": "notebook", "content": notebook_of(*cells)}).encode()
    ask(lab, f"contents/{name}", "PUT", body)


def ask(lab: str, what: str, method: str = "GET", body: bytes | None = None) -> object:
    """The server's answer to a REST call."""
    address, token = lab.split("/lab/tree/{}?token=")
    request = urllib.request.Request(f"{address}/api/{what}", body, {"Authorization": f"token {token}"}, method=method)
    with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
        return json.loads(answer.read() or b"null")


def run_cells(page: Page, address: str, count: int) -> None:
    """Opens a notebook and runs its first cells."""
    page.goto(f"{address}&reset")  # nothing else open
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.locator(".jp-Notebook .jp-Cell .jp-InputArea-editor").first.click()
    for _ in range(count):
        page.keyboard.press("Shift+Enter")


def eventually(condition: Callable[[], object], what: str) -> None:
    until = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.1)


def read_at(page: Page, share: float) -> str:
    """What the readout says with the pointer on the first row of the score, at a share of its width."""
    score = page.locator("canvas[data-part=score]")
    score.scroll_into_view_if_needed()
    box = score.bounding_box()
    score.hover(position={"x": max(share * box["width"], 1), "y": 8})
    return page.locator("[data-part=readout]").inner_text()


def tab_to(page: Page, selector: str) -> None:
    """Presses Tab until the focus is on `selector`."""
    for _ in range(60):
        if page.evaluate("s => document.activeElement?.matches(s)", selector):
            return
        page.keyboard.press("Tab")
    pytest.fail(f"Tab never reached {selector}")


def test_a_run_is_watched_steered_and_found_again(lab, page, tmp_path):
    folder = RunFolder(tmp_path / "run")
    put(lab, "dashboard.ipynb", TINY, f"Dashboard(start(config, {str(folder.path)!r}))")
    try:
        run_cells(page, lab.format("dashboard.ipynb"), 2)
        watch(page)
        pause_with_the_keyboard(page, folder)
        slide(page, folder)
        close_and_find_again(lab, page, folder)
        fits_and_follows_the_theme(page, tmp_path)
        assert page.complaints == []
    finally:
        if folder.config.exists() and attach(folder.path).alive():
            attach(folder.path).command("stop")
            assert attach(folder.path).wait(PATIENCE_S)["state"] == "stopped"


def watch(page: Page) -> None:
    """It draws, and goes on drawing while training runs."""
    dashboard = page.locator(".nl-dashboard")
    expect(dashboard.locator("[data-part=chip]")).to_have_text("training", timeout=PATIENCE_S * 1000)
    expect(dashboard.locator("[role=option]")).to_have_count(13, timeout=PATIENCE_S * 1000)
    before = int(dashboard.get_attribute("data-draws"))
    eventually(lambda: int(dashboard.get_attribute("data-draws")) > before + 3, "the dashboard stopped drawing")
    assert page.evaluate(
        "() => { const c = document.querySelector('canvas[data-part=score]');"
        " return c.getContext('2d').getImageData(0, 0, c.width, 20).data.some((x, i) => i % 4 === 2 && x > 100); }"
    )


def pause_with_the_keyboard(page: Page, folder: RunFolder) -> None:
    page.keyboard.press("Escape")
    tab_to(page, "[data-command=pause]")
    page.keyboard.press("Enter")
    expect(page.locator("[data-part=chip]")).to_have_text("paused")
    step = read_json(folder.status)["step"]
    time.sleep(1.5)
    assert read_json(folder.status)["step"] == step and records(folder.metrics)[-1]["step"] <= step
    tab_to(page, "[data-command=resume]")
    page.keyboard.press("Space")
    eventually(lambda: read_json(folder.status)["step"] > step, "the run did not go on")


def slide(page: Page, folder: RunFolder) -> None:
    """An arrow key on a slider reaches the command file, the log and the run; in the rows it chooses a level."""
    tab_to(page, "[role=listbox]")
    page.keyboard.press("End")
    slowest = page.locator("[role=option]").last
    expect(slowest).to_have_attribute("aria-selected", "true")
    expect(page.locator("[data-part=traced]")).to_have_text(slowest.locator("span").inner_text())
    tab_to(page, "[data-knob=lr_scale]")
    page.keyboard.press("ArrowLeft")
    eventually(lambda: [c for c in records(folder.control) if c["command"] == "lr_scale"], "no command was written")
    assert records(folder.control)[-1]["value"] == pytest.approx(2**-0.25)
    tab_to(page, "[data-knob=cms-1]")
    page.keyboard.press("ArrowRight")
    eventually(lambda: "learning rate times 0.84" in folder.log.read_text(), "the log does not know of it")
    eventually(lambda: "cms-1 updated every" in folder.log.read_text(), "the log does not know of the period")
    expect(page.locator("[data-part=events]")).to_contain_text("cms-1 updated every")
    period = records(folder.control)[-1]["value"]
    eventually(
        lambda: [row for row in records(folder.levels) if row["level"] == "cms-1"][-1]["period"] == period, "the run has the old period"
    )


def close_and_find_again(lab: str, page: Page, folder: RunFolder) -> None:
    """A closed browser and a restarted kernel lose nothing."""
    page.goto("about:blank")
    step = read_json(folder.status)["step"]
    eventually(lambda: read_json(folder.status)["step"] > step, "the run ended with the page")
    for kernel in ask(lab, "kernels"):
        ask(lab, f"kernels/{kernel['id']}/restart", "POST", b"{}")
    put(lab, "again.ipynb", "from nlcore.viz.dashboard import Dashboard", f"Dashboard({str(folder.path)!r})")
    run_cells(page, lab.format("again.ipynb"), 2)
    expect(page.locator("[data-part=chip]")).to_have_text("training", timeout=PATIENCE_S * 1000)
    expect(page.locator("[role=option]")).to_have_count(13)
    assert read_at(page, 0).startswith(f"step {records(folder.metrics)[0]['step']} ·")
    slider = page.locator("[data-knob=lr_scale]")
    expect(slider).to_have_attribute("aria-valuetext", "× 0.841")


def fits_and_follows_the_theme(page: Page, shots: Path) -> None:
    """No part is cut at two widths, and text stays readable in both themes; pictures go to `shots`."""
    for theme, dark in (("Light", False), ("Dark", True)):
        page.get_by_role("menuitem", name="Settings", exact=True).click()
        page.get_by_text("Theme", exact=True).hover()
        page.locator(".lm-Menu-itemLabel").get_by_text(f"JupyterLab {theme}", exact=True).click()
        page.locator(f"body[data-jp-theme-light={'false' if dark else 'true'}]").wait_for(state="attached")
        for width in (1280, 1920):
            page.set_viewport_size({"width": width, "height": 1600})
            expect(page.locator("[data-part=status]")).to_be_in_viewport()
            page.wait_for_timeout(600)  # a frame or two at the new size
            page.screenshot(path=shots / f"{theme.lower()}-{width}.png")
            found = page.locator(".nl-dashboard").evaluate(
                "node => [node.scrollWidth - node.clientWidth, ...getComputedStyle(node).color.match(/[0-9]+/g)].map(Number)"
            )
            assert found[0] <= 0 and (found[1] > 128) == dark
