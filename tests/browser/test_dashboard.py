"""The dashboard in a real JupyterLab: it draws while a run trains, steers it, finds it again, and compares runs."""

import csv
import math
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from bench.lab import ask, notebook_of, put
from nlcore.train import attach, change, new, train
from nlcore.train.folder import RunFolder
from nlcore.train.records import read_json, records
from tests.browser.seen import CUT, FAINT, choose_theme, nothing_is_missed, shut_down
from tests.train.small import small

PATIENCE_S = 90
TINY = """from nlcore.train import configure, start
from nlcore.viz.dashboard import Dashboard
config = configure("tiny", steps=100_000, dim=32, hidden=8, context=64, batch=2, threads=1, data="builtin:english",
                   report_every=5, validate_every=50, checkpoint_every=10_000, validation_windows=1)"""


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


LATE = """from nlcore.train.folder import RunFolder, locked, write_json
from nlcore.train.records import read_json
from nlcore.viz.dashboard import Dashboard
folder = RunFolder({path!r})
lines = [line.replace('"writes": 1', '"writes": 0') if '"cms-1"' in line else line for line in open(folder.levels)]
folder.levels.write_text("".join(lines))
write_json(folder.status, read_json(folder.status) | {{"state": "training", "sentence": ""}})
held = locked(folder)
held.__enter__()
Dashboard(folder.path)"""
"""A cell that takes the trainer's place in a run whose slowest level is stuck."""


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
    put(lab, "dashboard.ipynb", notebook_of(TINY, f"Dashboard(start(config, {str(folder.path)!r}))"))
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
    expect(dashboard.locator(".nl-rows [role=treeitem]")).to_have_count(10, timeout=PATIENCE_S * 1000)
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
    expect(page.locator("[data-part=events]")).to_have_text(f"after step {step}: paused")
    expect(page.locator("[data-part=step]")).to_have_text(f"{step:,}")
    expect(page.locator("[data-part=left]")).to_have_text(re.compile(r"^\d+ (d \d+ h|h \d+ min|min \d+ s|s)$"))
    expect(page.locator("[data-part=status]")).to_be_hidden()  # nothing is to be said, so no bar is there
    tab_to(page, "[data-command=resume]")
    page.keyboard.press("Space")
    eventually(lambda: read_json(folder.status)["step"] > step, "the run did not go on")


def slide(page: Page, folder: RunFolder) -> None:
    """An arrow key on a slider reaches the command file, the log and the run; in the rows it chooses a level."""
    tab_to(page, ".nl-rows")
    page.keyboard.press("End")
    slowest = page.locator(".nl-rows [role=treeitem]").last
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
        ask(lab, f"kernels/{kernel['id']}/restart", "POST", {})
    put(lab, "again.ipynb", notebook_of("from nlcore.viz.dashboard import Dashboard", f"Dashboard({str(folder.path)!r})"))
    run_cells(page, lab.format("again.ipynb"), 2)
    expect(page.locator("[data-part=chip]")).to_have_text("training", timeout=PATIENCE_S * 1000)
    expect(page.locator(".nl-rows [role=treeitem]")).to_have_count(10)
    first = f"step {records(folder.metrics)[0]['step']} ·"
    eventually(lambda: read_at(page, 0).startswith(first), "the score's first step is not read out")
    slider = page.locator("[data-knob=lr_scale]")
    expect(slider).to_have_attribute("aria-valuetext", "× 0.841")


def fits_and_follows_the_theme(page: Page, shots: Path) -> None:
    """Nothing is cut at any width, and text stays readable in both themes; pictures go to `shots`."""
    dashboard = page.locator(".nl-dashboard")
    for dark in (False, True):
        choose_theme(page, "Dark" if dark else "Light")
        for width, across in ((1280, 800), (1920, 1400)) if not dark else ((800, 368), (1280, 800)):
            page.set_viewport_size({"width": width, "height": 1600})
            eventually(lambda: abs(dashboard.evaluate("node => node.clientWidth") - across) < 150, "the cell has another width")
            page.wait_for_timeout(600)  # a frame or two at the new size
            page.screenshot(path=shots / f"{'dark' if dark else 'light'}-{width}.png")
            assert dashboard.evaluate(CUT) == []
            found = dashboard.evaluate(FAINT)
            assert found["seen"] > 60 and found["faint"] == []
            box, knob = dashboard.bounding_box(), page.locator("[data-knob=lr_scale]").bounding_box()
            assert knob["width"] > 80 and box["x"] < knob["x"] < knob["x"] + knob["width"] < box["x"] + box["width"]
            ink = dashboard.evaluate("node => getComputedStyle(node).color.match(/[0-9]+/g).map(Number)")
            assert (ink[0] > 128) == dark
            line = page.locator("[data-plot=loss] .scatterlayer .js-line").first.evaluate("node => getComputedStyle(node).stroke.match(/[0-9]+/g).map(Number)")
            assert (line[0] > 128) == dark, "the training line is drawn in the page's ink"


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Hope and a rival, trained for 48 steps."""
    config, home = small(steps=48), tmp_path_factory.mktemp("recorded")
    folders = [new(config, home / "hope"), new(change(config, model="transformer", lr=0.02), home / "rival")]
    for folder in folders:
        train(folder)
    return [folder.path for folder in folders]


def value(page: Page, figure: str, run: int = 0) -> float:
    """What stands beside a curve."""
    return float(page.locator(f"[data-value={figure}-{run}]").inner_text().replace(",", ""))


def ticks(page: Page, axis: str) -> list[str]:
    return page.locator(f"[data-plot=loss] .{axis}tick text").all_text_contents()


def test_runs_are_compared_read_off_zoomed_and_saved(lab, page, recorded, tmp_path):
    hope, rival = recorded
    cell = f"from nlcore.viz.dashboard import Dashboard\nDashboard({str(hope)!r}, against=[{str(rival)!r}])"
    put(lab, "compared.ipynb", notebook_of(cell))
    run_cells(page, lab.format("compared.ipynb"), 1)
    expect(page.locator("[data-part=chip]")).to_have_text("done", timeout=PATIENCE_S * 1000)
    expect(page.locator("[data-plot=loss] .js-line")).to_have_count(4, timeout=PATIENCE_S * 1000)
    the_picture_gives_way(page)
    the_table_says_what_differs(page)
    the_crosshair_reads_all_curves(page, hope, rival)
    zoomed_and_back_by_mouse_and_keyboard(page)
    the_axis_and_the_scale_can_be_chosen(page)
    what_is_seen_is_saved(page, hope, rival)
    a_group_unfolds_by_keyboard(page)
    assert page.complaints == []
    without_its_kernel_it_is_a_picture(lab, page)


def the_picture_gives_way(page: Page) -> None:
    """The stored picture and its words are there, and hidden while the view lives."""
    expect(page.locator(".jp-OutputArea-output img")).to_have_count(1)
    expect(page.locator(".jp-OutputArea-output img")).to_be_hidden()
    expect(page.locator(".nl-words")).to_be_hidden()
    expect(page.locator(".nl-words")).to_contain_text("beside rival at step 48")


def the_table_says_what_differs(page: Page) -> None:
    heads = page.locator("[data-part=compared] thead th").all_inner_texts()
    assert heads == ["run", "validation", "best", "step", "time", "model", "heads", "lr", "parameters"]
    box = page.locator("[data-run='1']")
    box.uncheck()
    expect(page.locator("[data-plot=loss] .js-line")).to_have_count(2)
    expect(page.locator("[data-value=loss-1]")).to_have_count(0)
    box.check()
    expect(page.locator("[data-plot=loss] .js-line")).to_have_count(4)


def the_crosshair_reads_all_curves(page: Page, hope: Path, rival: Path) -> None:
    """One crosshair through loss, score and traces, by mouse and by keyboard; the values are the runs' own."""
    loss = page.locator(".nl-plot[data-plot=loss]")
    loss.focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    step = int(re.search(r"step (\d+)", page.locator("[data-part=here]").inner_text())[1])
    assert step == 40
    for run, folder in enumerate((hope, rival)):
        told = next(line for line in attach(folder).metrics() if line["step"] == step)
        assert value(page, "loss", run) == pytest.approx(told["loss"] / math.log(2), abs=6e-4)
        assert value(page, "validation_bits_per_byte", run) == pytest.approx(told["validation_bits_per_byte"], abs=6e-4)
        assert value(page, "gradient_norm", run) == pytest.approx(told["gradient_norm"], rel=6e-3)
    said = loss.get_attribute("aria-valuetext")
    assert said.startswith("step 40, training ") and "rival validation" in said and "memory held" in said
    expect(page.locator("[data-part=readout]")).to_contain_text("step 40 · memory · fired")
    assert page.locator(".nl-hair:visible").count() > 5
    page.keyboard.press("Escape")
    expect(page.locator(".nl-hair:visible")).to_have_count(0)
    eventually(lambda: read_at(page, 0.5).startswith("step 26 · memory"), "the score's middle is not read out")
    expect(page.locator("[data-part=here]")).to_have_text("step 26")
    assert page.locator(".nl-hair:visible").count() > 5


def zoomed_and_back_by_mouse_and_keyboard(page: Page) -> None:
    """What is dragged over in the score, the loss shows too; double click, button and key show the whole run."""
    all_ticks, back = ticks(page, "x"), page.locator("[data-part=all]")
    box = page.locator("[data-part=stage]").bounding_box()
    for area in ("[data-part=stage]", ".nl-plot[data-plot=loss]"):
        expect(back).to_be_disabled()
        y = page.locator(area).bounding_box()["y"] + 12
        page.mouse.move(box["x"] + 0.5 * box["width"], y)
        page.mouse.down()
        page.mouse.move(box["x"] + 0.75 * box["width"], y, steps=4)
        page.mouse.up()
        expect(back).to_be_enabled()
        page.wait_for_timeout(200)
        shown = [float(tick) for tick in ticks(page, "x")]
        assert 22 < shown[0] < shown[-1] < 39
        page.mouse.dblclick(box["x"] + 0.5 * box["width"], y)
        expect(back).to_be_disabled()
    page.locator(".nl-plot[data-plot=loss]").focus()
    page.keyboard.press("+")
    page.keyboard.press("Shift+ArrowRight")
    page.wait_for_timeout(200)
    assert ticks(page, "x") != all_ticks
    page.keyboard.press("0")
    page.wait_for_timeout(200)
    assert ticks(page, "x") == all_ticks
    page.keyboard.press("+")
    back.click()
    expect(back).to_be_disabled()


def the_axis_and_the_scale_can_be_chosen(page: Page) -> None:
    page.locator("[data-part=unit]").select_option("tokens")
    page.wait_for_timeout(200)
    assert ticks(page, "x")[-1] == "3k"
    page.locator("[data-part=unit]").select_option("minutes")
    page.locator(".nl-plot[data-plot=loss]").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-part=here]")).to_contain_text(" s of training")
    page.keyboard.press("Escape")
    page.locator("[data-part=unit]").select_option("step")
    linear = ticks(page, "y")
    page.locator("[data-part=log]").check()
    page.wait_for_timeout(200)
    assert ticks(page, "y") != linear
    page.locator("[data-part=log]").uncheck()
    raw = value(page, "loss")
    page.locator("[data-part=smoothing]").focus()
    page.keyboard.press("End")
    expect(page.locator("[data-plot=loss] .js-line")).to_have_count(6)  # the raw curves stay, faint
    assert value(page, "loss") > raw, "a falling curve's mean lies above its end"
    page.keyboard.press("Home")
    expect(page.locator("[data-plot=loss] .js-line")).to_have_count(4)


def what_is_seen_is_saved(page: Page, hope: Path, rival: Path) -> None:
    with page.expect_download() as picture:
        page.locator("[data-part=png]").click()
    data = picture.value.path().read_bytes()
    assert picture.value.suggested_filename == "hope.png" and data.startswith(b"\x89PNG") and len(data) > 20_000
    with page.expect_download() as table:
        page.locator("[data-part=csv]").click()
    lines = list(csv.DictReader(table.value.path().read_text().splitlines()))
    for folder in (hope, rival):
        told = attach(folder).metrics()
        mine = [line for line in lines if line["run"] == folder.name]
        assert [int(line["step"]) for line in mine] == [line["step"] for line in told]
        for line, own in zip(mine, told):
            assert float(line["training_bits_per_byte"]) == pytest.approx(own["loss"] / math.log(2), rel=1e-6)
            assert float(line["memory_bytes"]) == pytest.approx(own["memory"], rel=1e-6)
            assert float(line["minutes"]) == pytest.approx(own["elapsed"] / 60, rel=1e-6)


def a_group_unfolds_by_keyboard(page: Page) -> None:
    expect(page.locator(".nl-rows [role=treeitem]")).to_have_count(10)
    page.locator(".nl-rows").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    expect(page.locator(".nl-rows [role=treeitem]")).to_have_count(14)
    expect(page.locator(".nl-rows [role=treeitem][aria-selected=true]")).to_have_attribute("aria-expanded", "true")
    page.keyboard.press("ArrowDown")
    expect(page.locator("[data-part=traced]")).to_have_text("projections: k")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".nl-rows [role=treeitem]")).to_have_count(10)


def without_its_kernel_it_is_a_picture(lab: str, page: Page) -> None:
    """Saved, its kernel shut down, opened again: the picture and its words stand there, and no error."""
    page.get_by_role("menuitem", name="File", exact=True).click()
    page.get_by_text("Save Notebook", exact=True).click()
    eventually(lambda: len(ask(lab, "contents/compared.ipynb")["content"]["cells"][0]["outputs"]) == 3, "it was not saved")
    shut_down(lab, page, "compared.ipynb")
    page.goto(f"{lab.format('compared.ipynb')}&reset")
    expect(page.locator(".jp-OutputArea-output img")).to_be_visible()
    expect(page.locator(".nl-words")).to_contain_text("Run this cell for the live dashboard.")
    nothing_is_missed(page)


def test_a_level_that_does_not_move_is_called_out(lab, page, recorded, tmp_path):
    folder = new(small(steps=24), tmp_path / "stuck")
    train(folder)
    put(lab, "late.ipynb", notebook_of(LATE.format(path=str(folder.path))))
    run_cells(page, lab.format("late.ipynb"), 1)
    expect(page.locator("[data-part=alarm]")).to_have_text(
        "cms-1 is late: it has never moved, and is to move every 4 steps (6 expected, 0 seen).", timeout=PATIENCE_S * 1000)
    expect(page.locator(".nl-late")).to_have_count(1)
    expect(page.locator(".nl-late")).to_contain_text("late · every 4 steps")
    page.locator(".nl-rows").focus()
    page.keyboard.press("End")
    expect(page.locator("[data-part=kept]")).to_have_text("every 4 steps: 6 expected, 0 seen")
    page.locator(".nl-how summary").click()
    expect(page.locator(".nl-how")).to_contain_text("A row called momentum")
    assert page.complaints == []
