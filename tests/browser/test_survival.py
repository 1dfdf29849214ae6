"""A picture, what it shows and its caption stay on the page whatever becomes of the kernel."""

import re

import nbformat
from nbconvert import HTMLExporter
from playwright.sync_api import Page, expect

from bench.lab import ask, notebook_of, put, run_all, start_all
from tests.browser.seen import nothing_is_missed, shut_down

ALT = re.compile("Recall of a word by its age")
SAVED = "survival.ipynb"
CELL = "from nlcore.viz.explorers.fading import fading\nfading()"
BUSY = 'import pathlib, time\nwhile not pathlib.Path("free.ipynb").exists(): time.sleep(0.1)'
"""A cell that ends when a notebook of that name is saved."""


def picture_alone(page: Page) -> None:
    """The page shows the picture with its words, and no widget nor any complaint about one."""
    picture, words = page.locator(".jp-OutputArea img"), page.locator(".nl-words summary")
    expect(picture).to_be_visible()
    page.wait_for_timeout(4000)  # the lab looks for a widget for two seconds before it gives up
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.naturalWidth") > 300
    words.click()
    expect(page.get_by_text(ALT)).to_be_visible()
    expect(page.locator(".nl-explorer")).to_have_count(0)
    nothing_is_missed(page)


def test_a_run_and_saved_explorer_is_a_picture_again_without_its_kernel(lab, page):
    put(lab, SAVED, notebook_of(CELL))
    run_all(page, lab.format(SAVED))
    live, picture = page.locator(".nl-explorer .nl-frame .main-svg").first, page.locator(".jp-OutputArea img")
    live.wait_for()
    expect(picture).to_be_hidden()
    expect(page.locator(".nl-words")).to_be_hidden()
    page.get_by_label("Retention α (each update)").focus()  # from there too, Ctrl+S is the lab's
    expect(page.locator(".jp-mod-dirty")).not_to_have_count(0)
    page.keyboard.press("Control+s")
    expect(page.locator(".jp-mod-dirty")).to_have_count(0)
    shut_down(lab, page, SAVED)
    page.goto("about:blank")
    page.goto(f"{lab.format(SAVED)}&reset")
    picture_alone(page)
    run_all(page, lab.format(SAVED))  # and it comes to life once more
    live.wait_for()
    expect(picture).to_be_hidden()


def test_so_it_is_where_the_notebook_is_not_trusted(lab, page):
    notebook = nbformat.from_dict(ask(lab, f"contents/{SAVED}")["content"])
    assert any("widget-view" in kind for output in notebook.cells[0].outputs for kind in output.get("data", {}))
    notebook.cells.append(nbformat.v4.new_markdown_cell("Changed by somebody else."))
    put(lab, "stranger.ipynb", notebook)
    page.goto(f"{lab.format('stranger.ipynb')}&reset")
    picture_alone(page)


def test_a_page_that_nbconvert_makes_has_picture_and_words(lab, page, tmp_path):
    notebook = nbformat.from_dict(ask(lab, f"contents/{SAVED}")["content"])
    body, _ = HTMLExporter(template_name="lab").from_notebook_node(notebook)
    (tmp_path / "page.html").write_text(body, encoding="utf-8")
    page.context.set_offline(True)
    page.goto((tmp_path / "page.html").as_uri())
    picture_alone(page)


def test_a_kernel_that_stops_is_said_and_takes_nothing_away(lab, page):
    put(lab, "stopped.ipynb", notebook_of(CELL))
    run_all(page, lab.format("stopped.ipynb"))
    frame = page.locator(".nl-explorer .nl-frame .main-svg").first
    frame.wait_for()
    shut_down(lab, page, "stopped.ipynb")
    slider = page.get_by_label("Retention α (each update)")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".nl-status")).to_contain_text("No answer yet", timeout=15_000)
    expect(frame).to_be_visible()
    page.set_viewport_size({"width": 900, "height": 1000})  # and what was drawn last still fits
    page.wait_for_function("() => { const view = document.querySelector('.nl-frame'); return view.clientWidth < 500 && view.querySelector('.main-svg').clientWidth === view.clientWidth }")


def test_while_other_cells_run_the_picture_is_there_until_the_view_is(lab, page):
    put(lab, "busy.ipynb", notebook_of(CELL, BUSY))
    start_all(page, lab.format("busy.ipynb"))
    picture, live = page.locator(".jp-OutputArea img"), page.locator(".nl-explorer .nl-frame .main-svg").first
    expect(page.get_by_text("This comes to life when the kernel has time for it.")).to_be_visible(timeout=60_000)
    expect(picture).to_be_visible()
    expect(page.locator(".nl-explorer")).to_be_hidden()
    put(lab, "free.ipynb", notebook_of())
    live.wait_for()
    expect(picture).to_be_hidden()
    expect(page.get_by_text("This comes to life")).to_have_count(0)
    assert page.complaints == []
