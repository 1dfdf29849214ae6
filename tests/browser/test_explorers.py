"""Every explorer in a real JupyterLab: it answers mouse and keyboard, live."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from bench.lab import run_all
from nlcore.viz.explorers import names as explorers

PATIENCE_MS = 60_000
MOMENTUM = "How often momentum is updated"
CLOCK = "clock_of_levels"
OWN_CANVAS = (CLOCK, "backward_as_writes")
NUMBERS = """() => {
  const numbers = (list) => Array.from(list ?? [], (v) => v?.length === undefined || v.charAt ? +(+v).toPrecision(5) || v : numbers(v));
  return JSON.stringify(document.querySelector('.js-plotly-plot').data.map(({name, x, y, z}) => [name, numbers(x), numbers(y), numbers(z)]));
}"""


def pixels(canvas: Locator) -> str:
    return canvas.evaluate("canvas => canvas.toDataURL()")


def row(page: Page, name: str) -> Locator:
    return page.locator(".nl-clock-row").filter(has=page.get_by_label(f"How often {name} is updated"))


def names(page: Page) -> list[str]:
    return page.locator(".nl-clock-name").all_inner_texts()


def test_the_clock_plays_pauses_and_answers_keyboard_and_reset(lab, page):
    page.set_viewport_size({"width": 1400, "height": 1200})
    run_all(page, lab.format(f"explorers/{CLOCK}.ipynb"))
    expect(page.get_by_text("knows 0 of 0 words")).to_have_count(7, timeout=PATIENCE_MS)
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


def test_backpropagation_as_writes_plays_and_answers_its_sliders(lab, page):
    run_all(page, lab.format("explorers/backward_as_writes.ipynb"))
    view = page.locator(".jp-OutputArea").filter(has=page.locator("canvas"))
    canvas, (step, layer) = view.locator("canvas").first, view.locator("input[type=range]").all()
    view.get_by_text("step 10: loss").wait_for()  # the kernel has sent the run
    first = pixels(canvas)
    for slider in (step, layer):
        before, at = pixels(canvas), slider.input_value()
        slider.focus()
        page.keyboard.press("ArrowRight")
        expect(slider).not_to_have_value(at)
        assert pixels(canvas) != before
    page.wait_for_timeout(500)  # the kernel's answer must not take the slider back
    at = step.input_value()
    view.get_by_role("button", name="Play").click()
    expect(step).not_to_have_value(at)
    view.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Reset", exact=True).click()
    expect(step).to_have_value("10")
    page.wait_for_timeout(300)
    assert pixels(canvas) == first
    assert page.complaints == []


@pytest.mark.parametrize("name", [name for name in explorers() if name not in OWN_CANVAS])
def test_every_explorer_answers_its_first_slider_and_resets(lab, page, name):
    run_all(page, lab.format(f"explorers/{name}.ipynb"))
    plot, handle = page.locator(".js-plotly-plot"), page.locator(".noUi-handle").first
    plot.locator(".main-svg").first.wait_for()
    page.wait_for_timeout(500)  # the first answer of the kernel
    before = drawn(page)
    handle.focus()
    page.keyboard.press("End")
    if drawn(page, unlike=before) == before:  # the slider began at its end
        page.keyboard.press("Home")
    assert drawn(page, unlike=before) != before
    page.get_by_role("button", name="Reset", exact=True).click()
    assert drawn(page, like=before) == before
    assert page.complaints == []


def drawn(page: Page, like: str = "", unlike: str = "") -> str:
    """What the plot shows, as text; waits a few seconds for one that is like, or unlike, another."""
    found = ""
    for _ in range(40):
        found = page.evaluate(NUMBERS)
        if found == like or unlike and found != unlike or not (like or unlike):
            break
        page.wait_for_timeout(100)
    return found
