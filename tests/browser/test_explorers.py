"""The first notebook's two explorers in a real JupyterLab: they answer mouse and keyboard, live."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

PATIENCE_MS = 60_000
MOMENTUM = "How often momentum is updated"


@pytest.fixture
def notebook(lab: str, page: Page) -> Page:
    """Notebook 00 with all its cells run."""
    page.set_viewport_size({"width": 1400, "height": 5000})  # the lab draws only what is in view
    page.goto(lab.format("notebooks/00_start_here.ipynb"))
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run All Cells", exact=True).click()
    expect(page.get_by_text("It returns nothing yet.", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    expect(page.get_by_text("knows 0 of 0 words")).to_have_count(7, timeout=PATIENCE_MS)
    return page


def pixels(canvas: Locator) -> str:
    return canvas.evaluate("canvas => canvas.toDataURL()")


def row(page: Page, name: str) -> Locator:
    return page.locator(".nl-clock-row").filter(has=page.get_by_label(f"How often {name} is updated"))


def names(page: Page) -> list[str]:
    return page.locator(".nl-clock-name").all_inner_texts()


def test_the_clock_plays_pauses_and_answers_keyboard_and_reset(notebook):
    page = notebook
    play, where = page.locator(".nl-clock-play"), page.locator(".nl-clock-where")
    page.get_by_label("Words read").click()  # the lab now takes this cell for the active one
    page.get_by_label("Words read").fill("0")
    play.focus()
    page.keyboard.press("Space")
    expect(where).to_contain_text(re.compile(r"word [2-9] of 52"))
    page.keyboard.press("Space")
    expect(play).to_have_text("▶ Play")
    stopped = where.inner_text()
    page.wait_for_timeout(1000)
    assert where.inner_text() == stopped

    page.get_by_label("Words read").fill("44")
    before, known = pixels(row(page, "momentum").locator("canvas")), row(page, "momentum").locator(".nl-clock-known")
    few = known.inner_text()
    page.get_by_label(MOMENTUM).focus()
    for _ in range(4):  # 3, 4, 6, 8 words
        page.keyboard.press("ArrowRight")
        expect(page.get_by_label(MOMENTUM)).to_be_focused()
    expect(row(page, "momentum")).to_contain_text("every 8 words")
    expect(known).not_to_have_text(few)
    assert pixels(row(page, "momentum").locator("canvas")) != before
    assert names(page)[2:4] == ["CMS, fast", "momentum"]

    page.get_by_label("Move CMS, slow one place faster").focus()
    page.keyboard.press("Enter")
    expect(row(page, "CMS, slow")).to_contain_text("every 12 words")
    expect(row(page, "CMS, middle")).to_contain_text("every 24 words")
    assert names(page)[4:6] == ["CMS, slow", "CMS, middle"]

    page.get_by_role("button", name="Reset").first.click()
    expect(row(page, "momentum")).to_contain_text("every 2 words")
    expect(known).to_have_text(few)
    assert names(page)[2:6] == ["momentum", "CMS, fast", "CMS, middle", "CMS, slow"]
    assert page.complaints == []


def test_the_curves_answer_a_slider(notebook):
    page = notebook
    curve, handle = page.locator(".js-plotly-plot path.js-line").first, page.locator(".noUi-handle").first
    legend = page.locator(".js-plotly-plot .legendtext").first
    expect(legend).to_contain_text("a word lasts", timeout=PATIENCE_MS)
    before, drawn = legend.text_content(), curve.get_attribute("d")
    handle.focus()
    page.keyboard.press("Home")
    expect(legend).not_to_have_text(before)
    assert curve.get_attribute("d") != drawn
    page.get_by_role("button", name="Reset").last.click()
    expect(legend).to_have_text(before)
    assert page.complaints == []
