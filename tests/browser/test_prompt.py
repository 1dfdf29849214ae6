"""The prompt box in a real JupyterLab, served below a path as a JupyterHub does: typed into, played with by keyboard."""

from collections.abc import Iterator

import nbformat
import pytest
from playwright.sync_api import Locator, Page, expect

from bench.lab import notebook_of, open_lab, run_all
from nlcore.train import new, train
from nlcore.viz.prompt import FIRST
from tests.browser.seen import CUT, FAINT, choose_theme
from tests.train.small import small


@pytest.fixture(scope="module")
def hub(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A lab under a user's path, with a small trained run and a notebook that opens a box on it, and an explorer."""
    home = tmp_path_factory.mktemp("hub")
    run = new(small(), home / "run")
    train(run)
    cells = {
        "box": f"from nlcore.viz.prompt import PromptBox\nPromptBox({str(run.path)!r})",
        "fading": "from nlcore.viz.explorers.fading import fading\nfading()",
    }
    for name, cell in cells.items():
        nbformat.write(notebook_of(cell), home / f"{name}.ipynb")
    with open_lab(home, base="/user/x/") as address:
        yield address


def box(page: Page, hub: str, width: int) -> Locator:
    page.set_viewport_size({"width": width, "height": 1100})
    run_all(page, hub.format("box.ipynb"))
    found = page.locator(".nl-prompt")
    found.locator("[data-token]").first.wait_for()
    return found


def tokens(found: Locator) -> str:
    return "".join(found.locator("[data-token]").evaluate_all("all => all.map((one) => one.lastChild.textContent)"))


def test_it_goes_on_from_what_is_typed_and_is_read_by_keyboard(hub, page):
    found = box(page, hub, 1280)
    page.get_by_label("Your text").fill("a memory\nthat")
    page.keyboard.press("Control+Enter")
    expect(found.locator("[data-token='12']")).to_have_text("t")
    expect(found.locator(".nl-prompt-first")).to_have_attribute("data-token", "13")
    said = tokens(found)
    assert said.startswith("a memory\nthat") and len(said) > 13

    look, read = page.get_by_label("Look at each byte"), found.locator(".nl-prompt-read")
    look.focus()
    page.keyboard.press("Home")
    expect(read).to_contain_text("byte 1 of 173, yours: “a”, nothing stands before it")
    for _ in range(8):
        page.keyboard.press("ArrowRight")
    expect(read).to_contain_text("byte 9 of 173, yours: line end,")
    expect(read).to_contain_text("bits")
    expect(read).to_contain_text("its memories felt")
    expect(look).to_have_attribute("aria-valuetext", read.inner_text())
    expect(found.locator(".nl-prompt-at")).to_have_attribute("data-token", "8")
    page.keyboard.press("End")
    expect(read).to_contain_text("byte 173 of 173, the model’s")
    found.locator("[data-token='2']").hover()
    expect(read).to_contain_text("byte 3 of 173, yours: “m”")

    text = found.locator(".nl-prompt-text")
    label = text.get_attribute("aria-label")
    page.get_by_label("Draw").focus()
    page.keyboard.press("ArrowRight")
    expect(text).not_to_have_attribute("aria-label", label)
    assert tokens(found).startswith("a memory\nthat") and tokens(found) != said
    page.keyboard.press("ArrowLeft")
    expect(text).to_have_attribute("aria-label", label)
    assert tokens(found) == said  # the same seed says the same

    found.get_by_text("All values as a table").click()
    expect(found.locator("tr")).to_have_count(174)
    page.get_by_label("Your text").fill("")
    found.get_by_role("button", name="Go on from here").click()
    expect(found.locator(".nl-status")).to_have_text("The model cannot go on: the prompt has 0 characters: type 1 to 1000.")
    found.get_by_role("button", name="Reset").click()
    expect(page.get_by_label("Your text")).to_have_value(FIRST)
    expect(found.locator(".nl-status")).to_have_text("")
    assert page.complaints == []


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_it_is_readable_in_a_narrow_cell_and_nothing_is_cut(hub, page, theme):
    found = box(page, hub, 800)
    choose_theme(page, theme)
    for shade in ("felt", "bits"):
        page.get_by_label("Shaded by").select_option(shade)
        page.wait_for_timeout(500)
        assert found.evaluate(FAINT)["faint"] == []
    shades = found.locator("[data-token]").evaluate_all("all => all.map((one) => getComputedStyle(one).backgroundColor)")
    assert len(set(shades)) > 10
    assert found.bounding_box()["width"] < 400
    assert found.evaluate(CUT) == []
    assert page.complaints == []


def test_an_explorer_is_alive_below_a_users_path(hub, page):
    run_all(page, hub.format("fading.ipynb"))
    assert "/user/x/lab" in page.url
    plot = page.locator(".js-plotly-plot").first
    plot.locator(".main-svg").first.wait_for()
    drawn = "() => JSON.stringify(document.querySelector('.js-plotly-plot').data.map((trace) => Array.from(trace.y)))"
    before = page.evaluate(drawn)
    page.locator(".nl-control input[type=range]").first.focus()
    page.keyboard.press("Home")
    page.wait_for_function(f"before => ({drawn})() !== before", arg=before)
    assert page.complaints == []
