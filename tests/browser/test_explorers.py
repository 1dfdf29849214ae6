"""Every explorer with plots in a real JupyterLab: it answers mouse and keyboard, says what it shows, and fits."""

import pytest
from playwright.sync_api import Locator, Page, expect

from bench.lab import notebook_of, put, run_all
from nlcore.viz.explorers import names
from tests.browser.seen import CUT, FAINT, choose_theme

PATIENCE_MS = 60_000
NAMES = [name for name in names() if name not in ("backward_as_writes", "boxes_in_boxes", "clock_of_levels")]
SETTINGS = (("Light", 1280), ("Dark", 800), ("Light", 800), ("Dark", 1280))
"""Theme and window; with the lab's sidebar a window of 800 leaves 368 pixels to a cell."""
# Whatever the keyboard stops at, by the class of the part that it stands in, and its name.
STOPS = """(view) => [...view.querySelectorAll('a[href], button, input, select, textarea, [contenteditable], [tabindex]:not([tabindex="-1"])')]
  .map((one) => [Boolean(one.closest('.nl-head, .nl-controls')), one.getAttribute('aria-label') ?? one.labels?.[0]?.textContent ?? one.textContent])"""


@pytest.mark.parametrize("setting", range(len(SETTINGS)))
def test_explorers_answer_mouse_and_keyboard_say_what_they_show_and_fit(lab, page, setting):
    (theme, width), here = SETTINGS[setting], NAMES[setting :: len(SETTINGS)]
    put(lab, "some.ipynb", notebook_of(*(f"from nlcore.viz.explorers.{name} import {name}\n{name}()" for name in here)))
    page.set_viewport_size({"width": width, "height": 1500 * len(here)})  # the lab draws only what is in view
    run_all(page, lab.format("some.ipynb"))
    choose_theme(page, theme)
    expect(page.locator(".nl-explorer")).to_have_count(len(here), timeout=PATIENCE_MS)
    for view in page.locator(".nl-explorer").all():
        is_right(page, view)
    assert page.complaints == []


def is_right(page: Page, view: Locator) -> None:
    view.locator(".nl-frame .main-svg").first.wait_for()
    first, at = words(view), values(view)
    for slider in view.get_by_role("slider").all()[:1]:
        slides(page, view, slider)
    for line in view.locator("input[type=text]").all():
        before = words(view)
        line.fill("a text of my own")
        line.press("Enter")
        assert words(view, unlike=before) != before and line.input_value() == "a text of my own"
    for choice in view.locator("select").all():
        before = words(view)
        choice.select_option(index=1 - int(choice.input_value() == "1"))
        assert words(view, unlike=before) != before
    plays(view)

    view.get_by_role("button", name="Reset").click()
    assert words(view, like=first) == first and values(view) == at

    stops = view.evaluate(STOPS)
    assert all(ours and name.strip() for ours, name in stops), stops
    assert view.evaluate(CUT) == [] and view.evaluate(FAINT)["faint"] == []


def test_what_was_zoomed_to_stays_while_sliders_move_and_has_two_ways_back(lab, page):
    put(lab, "zoom.ipynb", notebook_of("from nlcore.viz.explorers.generalized_descent import generalized_descent\ngeneralized_descent()"))
    run_all(page, lab.format("zoom.ipynb"))
    view, frame = page.locator(".nl-explorer"), page.locator(".nl-frame").last
    frame.locator(".main-svg").first.wait_for()
    box = frame.locator(".nsewdrag").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def shown() -> list[float]:
        page.wait_for_timeout(700)  # plotly tells a click from the first half of a double click
        return frame.evaluate("frame => [...frame._fullLayout.xaxis.range, ...frame._fullLayout.yaxis.range]")

    def zoomed() -> list[float]:
        page.mouse.move(x - 60, y - 40)
        page.mouse.down()
        page.mouse.move(x + 60, y + 40, steps=4)
        page.mouse.up()
        return shown()

    first = shown()
    page.mouse.dblclick(x, y)
    assert shown() == first
    near = zoomed()
    assert near != first
    view.get_by_role("slider", name="Huber").press("ArrowLeft")  # which leaves the frame as it is
    settled(view)
    assert shown() == near
    view.get_by_role("button", name="Reset").click()
    assert shown() == first
    zoomed()
    view.get_by_role("slider", name="Size of the outliers").press("Home")  # the frame is another one now, and so is the way back
    settled(view)
    there = shown()
    assert there not in (first, near)
    zoomed()
    page.mouse.dblclick(x, y)
    assert shown() == there


def slides(page: Page, view: Locator, slider: Locator) -> None:
    """It answers keys and mouse, and says where it stands."""
    slider.focus()
    for key in ("End", "Home"):
        slider.press(key)
        expect(slider).to_have_attribute("aria-valuetext", view.locator("output").first.inner_text())
        settled(view)
    assert slider.evaluate("slider => slider === document.activeElement")
    home = words(view)
    box = slider.bounding_box()
    page.mouse.click(box["x"] + 0.5 * box["width"], box["y"] + box["height"] / 2)
    assert words(view, unlike=home) != home


def plays(view: Locator) -> None:
    """Where there is a player it plays and pauses."""
    for play in view.get_by_role("button", name="Play").all():
        player = view.locator(".nl-track").filter(has=view.page.locator(".nl-play")).get_by_role("slider")
        before = player.input_value()
        play.click()
        expect(player).not_to_have_value(before)
        view.get_by_role("button", name="Pause").click()
        stopped = player.input_value()
        view.page.wait_for_timeout(500)
        assert player.input_value() == stopped


def values(view: Locator) -> list[str]:
    """Where all controls stand."""
    return view.locator("input, select").evaluate_all("all => all.map(one => one.value)")


def settled(view: Locator) -> None:
    """Waits until what was asked for is drawn."""
    view.page.wait_for_timeout(350)  # a view says after 250 that it waits
    expect(view.locator(".nl-old")).to_have_count(0)


def words(view: Locator, like: str = "", unlike: str = "") -> str:
    """What the plots say to a screen reader; waits up to a minute for something like, or unlike, another."""
    found = ""
    for _ in range(600):
        found = " ".join(view.locator(".nl-frame").evaluate_all("all => all.map(one => one.ariaLabel)"))
        if found == like or unlike and found != unlike or not (like or unlike):
            break
        view.page.wait_for_timeout(100)
    return found
