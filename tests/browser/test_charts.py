"""The script that draws charts, in a bare page: words at ticks are whole and apart, and a frame says what is in it."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Page

from bench.lab import open_page

from nlcore.viz.chart import Chart, Heat, Line, Plot
from nlcore.viz.chart.data import describe
from nlcore.viz.explorers import names
from nlcore.viz.view import plotly, script, style

NAMES = [name for name in names() if name not in ("backward_as_writes", "boxes_in_boxes", "clock_of_levels")]
WIDTHS = (368, 800, 1280)
# The words at the ticks of each frame that are cut, or run into the next one; those aslant need a line's height.
CRAMPED = """frames => frames.flatMap(frame => {
  const own = frame.getBoundingClientRect(), found = [];
  for (const axis of ["x", "y"]) {
    const words = [...frame.querySelectorAll(`.${axis}tick text`)]
      .map(node => [node.textContent, node.getBoundingClientRect(), node.getAttribute("transform")]);
    for (const [text, box] of words)
      if (box.left < own.left - 1 || box.right > own.right + 1 || box.bottom > own.bottom + 1) found.push(`cut: ${text}`);
    words.slice(1).forEach(([text, box, turned], i) => {
      const before = words[i][1], aslant = turned.includes("rotate(-45");
      if (axis === "x" && (aslant ? box.right - before.right < 15 : box.left < before.right + 2)) found.push(`runs into another: ${text}`);
    });
  }
  return found;
})"""


@pytest.fixture(scope="module")
def bare(browser: Browser) -> Iterator[Page]:
    """A page with nothing on it but what draws charts, the same for all tests: each replaces what was drawn before."""
    with open_page(browser) as page:
        page.set_content(f"<style>{style('page', 'chart')}</style><div class='nl'></div>")
        page.add_script_tag(content=plotly().decode())
        page.add_script_tag(content=f"(() => {{ {script('page', 'chart')}; window.charts = charts; }})()")
        yield page


def draw(page: Page, chart: list[dict[str, Any]], width: int) -> list[str]:
    """Draws it in a page so wide; what its frames say to a screen reader."""
    page.set_viewport_size({"width": width, "height": 900})
    page.evaluate(
        "chart => { const at = document.querySelector('.nl'); at.replaceChildren(); charts(at, Plotly).draw(chart); }", chart
    )
    return page.locator(".nl-frame").evaluate_all("all => all.map(one => one.ariaLabel)")


@pytest.mark.parametrize("name", NAMES)
def test_no_word_at_a_tick_is_cut_or_runs_into_another(name, bare):
    explorer = getattr(import_module(f"nlcore.viz.explorers.{name}"), name)()
    chart = explorer.answer(explorer.first)
    for width in WIDTHS:
        draw(bare, chart, width)
        assert bare.locator(".nl-frame").evaluate_all(CRAMPED) == [], width
    assert bare.complaints == []


def test_words_that_have_room_stand_level_and_others_aslant(bare):
    words = dict(enumerate(("attention", "its window", "the delta rule", "the sum of all")))
    chart = describe((Plot("", "", "", heat=Heat(np.eye(4)), x_ticks=words),))
    level = {}
    for width in (300, 900):
        draw(bare, chart, width)
        level[width] = "rotate(-45" not in bare.locator(".xtick text").first.get_attribute("transform")
    assert level == {300: False, 900: True}


def test_an_empty_field_keeps_its_bar_and_all_its_rows(bare):
    rows = {0: "first", 1: "second", 2: "third"}

    def seen(z: np.ndarray) -> tuple[list[str], int]:
        draw(bare, describe((Plot("", "", "", heat=Heat(z, "recall", range=(-1, 1)), y_ticks=rows),)), 600)
        return bare.locator(".ytick text").all_inner_texts(), bare.locator(".colorbar .cbaxis text").count()

    words, numbers = seen(np.full((3, 2), np.nan))
    assert (words, numbers) == seen(np.eye(3)[:, :2]) and len(words) == 3 and numbers > 2
    draw(bare, describe((Plot("", "", "", heat=Heat(np.full((3, 2), np.nan), "recall", range=(-1, 1))),)), 600)
    assert bare.locator(".hm").first.evaluate("one => +getComputedStyle(one.querySelector('image') ?? one).opacity") == 0


PLACES, ROWS = np.array([0.5, 1.0, 0.0]), -np.arange(3.0)
NAMED = {0.0: "sum", -1.0: "delta", -2.0: "window"}


@pytest.mark.parametrize(
    "plot, words",
    [
        (Plot("A", "share", "", (Line("old", PLACES, ROWS, style="points"),), y_ticks=NAMED),
         "A. Across, share. old: 0.5 at sum, 1 at delta, 0 at window."),
        (Plot("B", "token", "", (Line("sum", np.arange(9.0), np.zeros(9), style="points"),), y_ticks=NAMED),
         "B. Across, token. sum: 9 points at sum, 0 to 8."),
        (Plot("C", "", "level", (Line("old", -ROWS, PLACES, style="points"),), x_ticks={0: "memory", 1: "weights", 2: "average"}),
         "C. Up, level. old: 0.5 at memory, 1 at weights, 0 at average."),
        (Plot("D", "x", "y", (Line("old", np.arange(3.0), PLACES, style="points"),)),
         "D. y by x. old: 3 points, between 0 and 1."),
        (Plot("E", "length", "", (Line("old", PLACES, ROWS, style="lying"),), y_ticks=NAMED),
         "E. Across, length. old: sum 0.5, delta 1, window 0."),
    ],
)  # fmt: skip
def test_points_on_named_places_are_read_by_those_names(plot, words, bare):
    chart: Chart = (plot,)
    assert draw(bare, describe(chart), 600) == [words]
