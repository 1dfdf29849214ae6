"""Every explorer in a real JupyterLab: it answers mouse and keyboard, live."""

import pytest
from playwright.sync_api import Page

from bench.lab import run_all
from nlcore.viz.explorers import names as explorers

PLAYERS = ("clock_of_levels", "backward_as_writes")
"""They play a tape, and have tests of their own."""
NUMBERS = """() => {
  const numbers = (list) => Array.from(list ?? [], (v) => v?.length === undefined || v.charAt ? +(+v).toPrecision(5) || v : numbers(v));
  return JSON.stringify(document.querySelector('.js-plotly-plot').data.map(({name, x, y, z}) => [name, numbers(x), numbers(y), numbers(z)]));
}"""


@pytest.mark.parametrize("name", [name for name in explorers() if name not in PLAYERS])
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
