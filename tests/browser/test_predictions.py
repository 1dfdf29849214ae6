"""Predictions in a real JupyterLab: a view opens once its question is answered, by mouse or by keyboard, and remembers."""

import os
import re
import signal

from playwright.sync_api import Locator, Page, expect

from bench.lab import notebook_of, put, run_all
from tests.browser.seen import CUT, FAINT, choose_theme, nothing_is_missed, shut_down

ALONE = notebook_of('from nlcore.viz.predictions import predict, predictions\npredict("01-exact")', "predictions()")
CURVE = notebook_of('from nlcore.viz.explorers.fading import fading\nfading().predict("00-fading")')
BOTH = notebook_of(
    'from nlcore.viz.explorers.learn_or_memorise import learn_or_memorise\nlearn_or_memorise().predict("01-noise")',
    'from nlcore.viz.explorers.store_and_recall import store_and_recall\nstore_and_recall().predict("01-hold")',
)
DEAD = notebook_of(ALONE.cells[0].source, CURVE.cells[0].source)
TICK = notebook_of(
    "from nlcore.viz.explorers.generalized_descent import generalized_descent\n"
    'generalized_descent().predict("05-outliers")'
)
GUESS = re.compile("your guess")


def opened(lab: str, page: Page, name: str, notebook=None) -> Locator:
    """The question of a notebook that has been run; without `notebook` that of one that is there, as on another day."""
    if notebook is not None:
        put(lab, name, notebook)
    run_all(page, lab.format(name))
    page.locator(".nl-ask").first.wait_for()
    return page.locator(".nl-ask")


def chart(page: Page) -> Locator:
    """Its frames: each says in words what is drawn."""
    return page.locator(".nl-frame")


def test_a_tick_is_answered_by_keyboard_and_comes_back_answered(lab, page):
    question = opened(lab, page, "alone.ipynb", ALONE)
    assert question.get_by_role("group").get_attribute("aria-labelledby")
    expect(page.locator(".nl-words")).to_be_hidden()  # the same question for pages without a kernel
    expect(page.get_by_text("You have made no prediction yet")).to_be_visible()
    question.get_by_role("button").first.focus()
    page.keyboard.press("Tab")
    expect(question.get_by_role("button", name="the second")).to_be_focused()
    page.keyboard.press("Enter")
    verdict = question.locator(".nl-ask-verdict")
    expect(verdict).to_contain_text("You were right.")
    expect(verdict).to_be_focused()
    expect(question.get_by_role("listitem").filter(has_text="your guess")).to_contain_text("✓ the answer, your guess")
    page.keyboard.press("Tab")
    expect(question.get_by_role("button", name="Ask me again")).to_be_focused()

    opened(lab, page, "alone.ipynb")
    expect(verdict).to_contain_text("You were right.")
    expect(verdict).not_to_be_focused()
    expect(page.get_by_text("You were right in 1 of 1 prediction.")).to_be_visible()
    question.get_by_role("button", name="Ask me again").click()
    question.get_by_role("button", name="neither").click()
    expect(verdict).to_contain_text("Not this time.")
    assert page.complaints == []


def test_a_curve_is_drawn_by_mouse_and_laid_over_the_chart(lab, page):
    question = opened(lab, page, "curve.ipynb", CURVE)
    sliders, done = page.locator(".nl-explorer input[type=range]"), question.get_by_role("button", name="That is my guess")
    expect(chart(page)).to_be_hidden()
    for slider in sliders.all():
        expect(slider).to_be_hidden()
    expect(page.get_by_role("button", name="Reset", exact=True)).to_be_hidden()
    expect(page.locator(".nl-asked")).to_be_hidden()  # the question in plain words is for pages without a kernel
    expect(done).to_be_disabled()
    first, second, *_, last = question.get_by_role("slider").all()
    for handle, up in ((first, -70), (second, -40), (last, 35)):
        box = handle.locator("circle").last.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 3, y + up, steps=4)
        page.mouse.up()
    expect(first).to_have_attribute("aria-valuetext", re.compile(r"recall .* (0\.9\d?|1), at age"))
    done.click()
    expect(question.locator(".nl-ask-verdict")).to_contain_text("You were right: at its worst point your curve is")
    expect(chart(page)).to_have_attribute("aria-label", GUESS)
    expect(page.get_by_role("slider", name="Retention")).to_have_attribute("aria-valuetext", "1")
    expect(chart(page)).to_have_attribute("aria-label", re.compile("corrects.*: from 1 at 0 to 0"))  # at α = 1
    page.get_by_role("slider", name="Retention").press("ArrowLeft")
    expect(page.get_by_role("slider", name="Retention")).to_have_attribute("aria-valuetext", "0.99")
    page.get_by_role("button", name="Reset", exact=True).click()
    expect(page.get_by_role("slider", name="Retention")).to_have_attribute("aria-valuetext", "1")

    question = opened(lab, page, "curve.ipynb")
    expect(question.locator(".nl-ask-verdict")).to_contain_text("You were right")
    expect(chart(page)).to_have_attribute("aria-label", GUESS)
    assert page.complaints == []


def test_curve_and_point_are_moved_by_keyboard_in_a_narrow_cell_and_read_in_both_themes(lab, page):
    page.set_viewport_size({"width": 790, "height": 1800})
    questions = opened(lab, page, "keyboard.ipynb", BOTH)
    expect(questions).to_have_count(2)
    question, other = questions.all()
    handles = question.get_by_role("slider")
    handles.first.focus()
    before = [handle.get_attribute("aria-valuetext") for handle in handles.all()]
    for _ in range(3):
        page.keyboard.press("PageDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Tab")
    expect(handles.nth(1)).to_be_focused()
    page.keyboard.press("Home")
    after = [handle.get_attribute("aria-valuetext") for handle in handles.all()]
    assert after[0] != before[0] and after[1].startswith("squared error 0, at") and after[2:] == before[2:]
    assert question.evaluate("node => node.clientWidth") < 380
    assert question.evaluate(CUT) == []
    assert question.evaluate(FAINT)["faint"] == []
    choose_theme(page, "Dark")
    assert question.evaluate(FAINT)["faint"] == []
    question.get_by_role("button", name="That is my guess").focus()
    page.keyboard.press("Enter")
    expect(question.locator(".nl-ask-verdict")).to_be_visible()
    expect(chart(page).first).to_have_attribute("aria-label", GUESS)
    assert question.evaluate(FAINT)["faint"] == []

    point = other.get_by_role("slider")
    expect(point).to_have_count(1)
    point.focus()
    for _ in range(6):
        page.keyboard.press("PageDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(point).to_have_attribute("aria-valuetext", re.compile(r"error .* 0\.00\d+, at pairs stored 32"))
    other.get_by_role("button", name="That is my guess").click()
    expect(other.locator(".nl-ask-verdict")).to_contain_text("You were right: your point is")
    assert page.complaints == []


def test_to_look_first_opens_the_view_and_counts_for_nothing(lab, page):
    question = opened(lab, page, "tick.ipynb", TICK)
    sliders = page.locator(".nl-explorer .nl-controls")
    expect(sliders).to_have_attribute("inert", "")
    expect(chart(page).first).to_be_visible()  # as it opens it is no answer
    expect(chart(page).first.locator(".main-svg").first).to_be_visible()
    question.get_by_role("button", name="Show me anyway").click()
    expect(question.locator(".nl-ask-verdict")).to_contain_text("You looked first.")
    expect(sliders).not_to_have_attribute("inert", "")
    outliers, moved = page.get_by_role("slider", name="Size of the outliers"), page.locator(".nl-moved")
    expect(outliers).to_have_attribute("aria-valuetext", "0")
    expect(moved).to_contain_text("The picture now shows Size of the outliers 0, where the answer is seen.")
    expect(chart(page).first).not_to_have_attribute("aria-label", GUESS)
    page.get_by_role("button", name="Reset", exact=True).click()
    expect(moved).to_have_text("")
    first = outliers.get_attribute("aria-valuetext")
    outliers.press("End")
    question.get_by_role("button", name="Ask me again").click()
    expect(sliders).to_have_attribute("inert", "")
    expect(outliers).to_have_attribute("aria-valuetext", first)  # the picture gives nothing away
    expect(moved).to_have_text("")
    question.get_by_role("button", name="the dot product").click()
    expect(question.locator(".nl-ask-verdict")).to_contain_text("You were right.")
    expect(sliders).not_to_have_attribute("inert", "")
    assert page.complaints == []


def test_a_busy_kernel_answers_late_and_takes_nothing_out_of_the_readers_hands(lab, page):
    question = opened(lab, page, "late.ipynb", notebook_of(TICK.cells[0].source, "import os\nprint(os.getpid())"))
    process = int(page.locator(".jp-OutputArea-output").last.inner_text())
    page.locator(".main-svg").first.wait_for()
    for again in question.get_by_role("button", name="Ask me again").all():  # another test has answered it
        again.click()
    question.get_by_role("button", name="the dot product").wait_for()
    os.kill(process, signal.SIGSTOP)
    option = question.get_by_role("button", name="the dot product")
    option.focus()
    page.keyboard.press("Enter")
    expect(option).to_be_focused()  # what has lost the focus leaves it to the lab, whose single keys delete cells
    outliers = page.get_by_role("slider", name="Size of the outliers")
    outliers.focus()
    page.keyboard.press("ArrowRight")
    moved = outliers.get_attribute("aria-valuetext")
    expect(question).to_contain_text("No answer yet")
    os.kill(process, signal.SIGCONT)
    expect(question.locator(".nl-ask-verdict")).to_contain_text("You were right.")
    expect(question).not_to_contain_text("No answer yet")
    expect(outliers).to_be_focused()
    expect(page.locator(".nl-status")).to_have_text("")
    expect(outliers).to_have_attribute("aria-valuetext", moved)
    shut_down(lab, page, "late.ipynb")
    question.get_by_role("button", name="Ask me again").click()
    expect(question).to_contain_text("No answer yet")
    expect(question.get_by_role("button", name="Ask me again")).to_be_enabled()


def test_without_its_kernel_a_question_is_plain_words_with_the_answer_folded(lab, page):
    opened(lab, page, "dead.ipynb", DEAD)
    expect(page.locator(".nl-ask")).to_have_count(2)
    page.keyboard.press("Control+s")
    page.wait_for_timeout(1500)
    shut_down(lab, page, "dead.ipynb")
    page.goto("about:blank")
    page.goto(f"{lab.format('dead.ipynb')}&reset")
    words = page.locator(".jp-OutputArea").filter(has_text="which of the two keys gets an exact answer")
    expect(words.get_by_role("listitem")).to_have_count(4)
    page.wait_for_timeout(4000)  # the lab looks for a widget for two seconds before it gives up
    expect(words.get_by_text("A write with η = 1 removes")).to_be_hidden()
    words.get_by_text("The answer").click()
    expect(words.get_by_text("A write with η = 1 removes")).to_be_visible()
    expect(page.get_by_text("Draw the recall of the memory that corrects")).to_be_visible()
    nothing_is_missed(page)

