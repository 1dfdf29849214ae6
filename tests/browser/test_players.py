"""The players in a real JupyterLab: by mouse and keyboard, in narrow cells, in both themes, and without a kernel."""

import re

from playwright.sync_api import Locator, Page, expect

from bench.lab import notebook_of, put, run_all
from tests.browser.seen import CUT, FAINT, choose_theme, shut_down

PATIENCE_MS = 60_000


def opened(lab: str, page: Page, cell: str, root: str) -> Locator:
    """The view that this cell makes."""
    page.set_viewport_size({"width": 1280, "height": 800})
    name = cell.split("(")[0]
    put(lab, "player.ipynb", notebook_of(f"from nlcore.viz.explorers.{name} import {name}\n{cell}"))
    run_all(page, lab.format("player.ipynb"))
    view = page.locator(root)
    view.wait_for(timeout=PATIENCE_MS)
    view.get_by_text("Unpacking").wait_for(state="hidden")
    return view


def reads_well(page: Page, view: Locator, stops: Locator, at: tuple[int, ...]) -> None:
    """In a cell of 368 pixels nothing is cut, and in both themes each text can be read at each of these stops."""
    page.set_viewport_size({"width": 800, "height": 800})
    each_text_can_be_read(view, stops, at)
    light = page.locator("body").get_attribute("data-jp-theme-light") == "true"
    choose_theme(page, "Dark" if light else "Light")
    each_text_can_be_read(view, stops, at)
    assert view.evaluate("root => root.clientWidth") < 380 and view.evaluate(CUT) == []


def each_text_can_be_read(view: Locator, stops: Locator, at: tuple[int, ...]) -> None:
    for stop in at:
        stops.fill(str(stop))
        found = view.evaluate(FAINT)
        assert found["seen"] > 20 and found["faint"] == [], stop


def row(view: Locator, name: str) -> Locator:
    return view.locator(".nl-clock-row").filter(has=view.page.get_by_label(f"How often {name} is updated"))


def names(view: Locator) -> list[str]:
    return view.locator(".nl-clock-name").all_inner_texts()


def marks(of: Locator) -> list[str]:
    return of.locator(".nl-clock-word").evaluate_all("words => words.map((word) => word.style.background)")


def test_the_clock_plays_and_answers_mouse_and_keyboard_with_and_without_its_kernel(lab, page):
    view = opened(lab, page, "clock_of_levels()", ".nl-clock")
    stops, momentum = view.get_by_label("Words read", exact=True), row(view, "momentum")
    expect(momentum).to_contain_text("knows 7 of 20 words")
    expect(stops).to_have_attribute("aria-valuetext", "word 26 of 52: the")
    inside = page.locator(".jp-WindowedPanel-outer")  # at 1280 by 800 the whole of it is in view
    assert view.evaluate("root => root.offsetHeight") < inside.evaluate("panel => panel.clientHeight")

    view.get_by_role("button", name="Play: Words read").focus()
    page.keyboard.press("Space")
    expect(stops).to_have_attribute("aria-valuetext", re.compile("word (2[7-9]|[3-5][0-9]) of 52"))
    page.keyboard.press("Space")
    expect(view.get_by_role("button", name="Play: Words read")).to_be_focused()
    stopped = stops.input_value()
    page.wait_for_timeout(1000)
    assert stops.input_value() == stopped

    stops.fill("44")
    before = marks(momentum)
    period = view.get_by_label("How often momentum is updated")
    period.focus()
    for _ in range(4):  # 6, 8, 12, 16 words
        page.keyboard.press("ArrowRight")
        expect(period).to_be_focused()
    expect(period).to_have_attribute("aria-valuetext", "every 16 words")
    expect(view.get_by_label("How often CMS, fast is updated")).to_have_attribute("aria-valuetext", "every 16 words")
    assert marks(momentum) != before
    assert names(view)[2:5] == ["momentum", "CMS, fast", "CMS, middle"]  # they keep their place while the slider has the keys
    page.keyboard.press("Tab")
    expect(view.locator(".nl-clock-name").nth(2)).to_have_text("CMS, middle")
    assert names(view)[3:5] == ["momentum", "CMS, fast"]
    view.get_by_label("Move CMS, middle one place slower").click()  # past both, since they keep one clock
    assert names(view)[2:5] == ["momentum", "CMS, fast", "CMS, middle"]

    faster = view.get_by_label("Move CMS, slow one place faster")
    faster.focus()
    page.keyboard.press("Enter")
    expect(faster).to_be_focused()
    expect(row(view, "CMS, slow")).to_contain_text("every 16 words")
    expect(row(view, "CMS, middle")).to_contain_text("every 24 words")
    assert names(view)[4:6] == ["CMS, slow", "CMS, middle"]

    shut_down(lab, page, "player.ipynb")
    page.get_by_role("button", name="Reset", exact=True).click()
    expect(stops).to_have_value("26")
    expect(momentum).to_contain_text("knows 7 of 20 words")
    assert names(view)[2:6] == ["momentum", "CMS, fast", "CMS, middle", "CMS, slow"]
    view.get_by_role("button", name="Play: Words read").click()
    expect(stops).to_have_attribute("aria-valuetext", re.compile("word (3[0-9]) of 52"))
    view.get_by_role("button", name="Pause: Words read").click()
    page.wait_for_timeout(500)  # what moved comes to rest
    page.emulate_media(reduced_motion="reduce")
    period.scroll_into_view_if_needed()
    track = period.bounding_box()
    page.mouse.move(track["x"] + 12, track["y"] + track["height"] / 2)
    page.mouse.down()
    page.mouse.move(track["x"] + track["width"] * 0.9, track["y"] + track["height"] / 2, steps=5)
    expect(period).to_have_attribute("aria-valuetext", re.compile("32|48|never"))
    assert names(view)[2] == "momentum"
    page.mouse.up()
    expect(view.locator(".nl-clock-name").nth(4)).to_have_text("momentum")
    assert view.evaluate("root => root.getAnimations({ subtree: true }).length") == 0
    reads_well(page, view, stops, (0, 13, 26, 52))
    assert page.complaints == []


def pixels(view: Locator, part: str) -> str:
    return view.locator(f".nl-writes-{part} canvas").evaluate("canvas => canvas.toDataURL()")


def test_backpropagation_as_writes_plays_and_answers_mouse_and_keyboard_with_and_without_its_kernel(lab, page):
    view = opened(lab, page, 'backward_as_writes().predict("02-small")', ".nl-writes")
    expect(view.locator("canvas").first).to_be_hidden()  # it would be the answer
    view.get_by_role("button", name="what is written").click()
    expect(view.locator(".nl-ask-verdict")).to_contain_text("You were right.")
    stops, layer, told = view.get_by_label("Step of the training", exact=True), view.get_by_label("Layer"), view.locator(".nl-writes-told")
    expect(stops).to_have_attribute("aria-valuetext", "step 10: loss 0.103, 26 of 32 right")
    first = pixels(view, "write")
    stops.focus()
    page.keyboard.press("ArrowRight")
    expect(stops).to_have_value("11")
    assert pixels(view, "write") != first
    layer.select_option("3, at the output")
    expect(view.locator(".nl-writes-write canvas")).to_have_attribute("aria-label", re.compile("2 by 8"))
    view.get_by_role("button", name="Reset").click()
    expect(stops).to_have_value("10")
    assert pixels(view, "write") == first

    cells = view.get_by_label("Cells of the write")
    box = cells.bounding_box()
    cells.hover(position={"x": box["width"] * 3.5 / 8, "y": box["height"] * 1.5 / 8})
    expect(told).to_contain_text("Entry 2 of δ against entry 4 of x")
    view.get_by_label("Full colour").focus()
    page.mouse.move(5, 5)
    expect(told).to_contain_text("Point at a cell")
    page.keyboard.press("Tab")
    expect(cells).to_be_focused()
    expect(told).to_contain_text("Entry 1 of δ against entry 1 of x")
    for key in ("ArrowDown", "ArrowDown", "ArrowRight", "ArrowUp"):
        page.keyboard.press(key)
    expect(told).to_contain_text("Entry 2 of δ against entry 2 of x")
    expect(cells).to_be_focused()
    expect(view.locator(".nl-mark:visible")).to_have_count(3)

    shut_down(lab, page, "player.ipynb")
    view.get_by_role("button", name="Play: Step").click()
    expect(stops).to_have_attribute("aria-valuetext", re.compile("step [2-9][0-9]: "))
    view.get_by_role("button", name="Pause: Step").click()
    assert pixels(view, "write") != first
    stops.focus()
    page.keyboard.press("End")
    expect(view.get_by_role("button", name="Play again: Step")).to_be_visible()
    expect(stops).to_have_attribute("aria-valuetext", re.compile("32 of 32 right"))
    reads_well(page, view, stops, (10, 200))
    assert page.complaints == []


def test_boxes_in_boxes_plays_and_answers_with_and_without_its_kernel(lab, page):
    view = opened(lab, page, "boxes_in_boxes()", ".nl-boxes")
    stops, said = view.get_by_label("Event", exact=True), view.locator(".nl-boxes-said")
    counts = lambda: [box.inner_text() for box in view.locator(".nl-box-title").all()]  # noqa: E731
    assert [text.split()[1:3] for text in counts()] == [["weights", "3"], ["momentum", "4"], ["memory", "16"]]
    stops.focus()
    page.keyboard.press("ArrowRight")
    expect(said).to_contain_text("The weights tick")
    assert counts()[0].split()[1:3] == ["weights", "4"]
    view.get_by_role("button", name="Reset").click()
    expect(said).to_contain_text("The momentum ticks")

    shut_down(lab, page, "player.ipynb")
    stops.focus()
    page.keyboard.press("Home")
    view.get_by_role("button", name="Play: Event").click()
    expect(view.locator(".nl-boxes-now")).to_have_text("Ann is in Oslo")
    view.get_by_role("button", name="Pause: Event").click()
    stops.focus()
    page.keyboard.press("End")
    expect(said).to_contain_text("nobody outside it has ticked")
    assert "stands still" in counts()[0] and "thrown away" in counts()[1]
    reads_well(page, view, stops, (0, 6, 7, 30, 55))
    assert page.complaints == []
