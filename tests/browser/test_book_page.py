"""The HTML book in a real browser, from disk and without a network: it plays, and says what a kernel would."""

import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from bench.lab import open_page
from book import execute, html, live
from book.chapters import chapters
from nlcore.viz import explorers
from nlcore.viz.chart import Explorer
from nlcore.viz.chart.table import settings, unpacked
from tests.browser.seen import FAINT

CHARTED = [name for name in explorers.names() if isinstance(live.demo(name), Explorer)]
# What plotly was given for each line and field of the plots, without bands and casings.
DRAWN = """frames => frames.map(frame => frame.data.filter(trace => trace.hoverinfo !== 'skip')
  .map(trace => trace.z ? {x: trace.x, y: trace.y, z: trace.z} : {x: trace.x, y: trace.y}))"""

# Equations and prints that are wider than they are shown: how they scroll, and how much lies where no scrolling leads;
# and the pixels between each fold of a text and what follows it.
WIDE = """article => ({
  wide: [...article.querySelectorAll("div.math, .cell_output pre")].filter(one => one.checkVisibility() && one.scrollWidth > one.clientWidth + 1)
    .map(one => ({ over: getComputedStyle(one).overflowX, lost: one.getBoundingClientRect().left - (one.querySelector("math") ?? one).getBoundingClientRect().left })),
  folds: [...article.querySelectorAll("section > details")].filter(one => one.nextElementSibling?.checkVisibility())
    .map(one => one.nextElementSibling.getBoundingClientRect().top - one.getBoundingClientRect().bottom),
})"""


@pytest.fixture(scope="module")
def book(root: Path, tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a book of the stored notebooks."""
    return html.build(stored(root), tmp_path_factory.mktemp("book") / "book", tables).parent


def stored(root: Path) -> list[Path]:
    return sorted((root / "notebooks").glob("[0-9][0-9]_*.ipynb"))


@pytest.fixture(scope="module")
def tab(browser: Browser) -> Iterator[Page]:
    """A page without a network that lists complaints of its console and what it asks for outside the disk."""
    with open_page(browser) as page:
        page.context.set_offline(True)
        page.set_default_timeout(60_000)
        page.asked = []
        page.on("request", lambda request: request.url.startswith(("file:", "data:", "blob:")) or page.asked.append(request.url))
        yield page
        assert page.complaints == [] and page.asked == []


def explorers_of(notebook: Path) -> list[str]:
    """The explorers with charts that a notebook shows."""
    return [name for name in execute.named_pictures(nbformat.read(notebook, as_version=4)) if name in CHARTED]


def go(page: Page, address: Path, theme: str = "light") -> None:
    """Opens a page of the book in a theme, and all its folds, and waits until its demos stand where the pictures were."""
    page.emulate_media(color_scheme=theme)
    page.goto(address.as_uri())
    page.locator("article details").evaluate_all("all => all.forEach(one => { one.open = true; })")
    for demo in page.locator("[data-demo]").all():
        expect(demo).to_be_visible()


def pictures_in_view(page: Page, name: str, root: Path) -> int:
    """How many stored pictures of a demo the page still shows; it has one, at least."""
    cells = [cell for path in stored(root) for cell in nbformat.read(path, as_version=4).cells]
    alt = next(its["alt"] for cell in cells for _, its in execute.pictures(cell) if its.get("name") == name)
    found = [image for image in page.locator("article img").all() if image.get_attribute("alt") == alt]
    assert found
    return sum(image.is_visible() for image in found)


def where(demo: Locator) -> list[int]:
    """The stop that each control of a demo stands on."""
    return demo.locator(".nl-controls :is(input, select)").evaluate_all("all => all.map(one => +one.value)")


def drawn(demo: Locator) -> list[list[dict[str, Any]]]:
    """The numbers of each plot."""
    return demo.locator(".js-plotly-plot").evaluate_all(DRAWN)


def told(chart: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """The same, as the table has them."""
    return [[*([plot["heat"]] if plot["heat"] else []), *plot["lines"]] for plot in chart]


def is_drawn(demo: Locator, chart: list[dict[str, Any]]) -> bool:
    """Whether a demo soon draws exactly that chart."""
    until = time.monotonic() + 60
    expected = [[{axis: one[axis] for axis in "xyz" if axis in one} for one in plot] for plot in told(chart)]
    while drawn(demo) != expected:
        if time.monotonic() > until:
            return False
        time.sleep(0.05)
    return True


def test_nothing_of_a_chapter_goes_with_the_pictures_that_demos_replace(root, book, tab):
    for notebook in stored(root):
        go(tab, book / "notebooks" / f"{notebook.stem}.html")
        tab.wait_for_timeout(300)  # a view looks for its picture once it is on the page
        gone = tab.locator("article :is(h1, h2, p, pre, table, summary)").evaluate_all(
            "all => all.filter(one => !one.closest('.nl') && !one.checkVisibility()).map(one => one.textContent.trim().slice(0, 60))"
        )
        assert gone == [], notebook.stem


@pytest.mark.parametrize("chapter", ["00", "01", "02", "03", "04", "05", "06", "07", "08", "09"])
def test_every_explorer_answers_by_keyboard_and_by_mouse_what_its_table_says(chapter, book, tab, root, tables):
    notebook = next(path for path in stored(root) if path.name.startswith(chapter))
    go(tab, book / "notebooks" / f"{notebook.stem}.html")
    for name in explorers_of(notebook):
        assert pictures_in_view(tab, name, root) == 0
        moves_as_its_table_says(tab, tab.locator(f"[data-demo={name}]"), live.table(name, tables))


def moves_as_its_table_says(page: Page, demo: Locator, table: dict[str, Any]) -> None:
    charts = {tuple(at.values()): chart for at, chart in zip(settings(table), unpacked(table))}
    start = where(demo)
    assert start == [control["first"] for control in table["controls"].values()]
    assert is_drawn(demo, charts[tuple(start)])
    control = demo.locator(".nl-controls :is(input, select)").first
    control.focus()
    page.keyboard.press("ArrowDown" if start[0] else "ArrowUp")
    if where(demo) == start:  # a choice counts down the page
        page.keyboard.press("ArrowDown")
    by_key = where(demo)
    assert by_key[0] != start[0] and by_key[1:] == start[1:]
    assert is_drawn(demo, charts[tuple(by_key)])
    for slider in demo.locator(".nl-controls input[type=range]").all()[-1:]:
        box = slider.bounding_box()
        at_its_end = slider.evaluate("slider => slider.value === slider.max")
        slider.click(position={"x": 2 if at_its_end else box["width"] - 2, "y": box["height"] / 2})
        by_mouse = where(demo)
        assert by_mouse != by_key
        assert is_drawn(demo, charts[tuple(by_mouse)])
    demo.get_by_role("button", name="Reset").click()
    assert where(demo) == start and is_drawn(demo, charts[tuple(start)])


def test_where_controls_move_one_at_a_time_the_others_go_back_and_it_says_so(book, tab):
    go(tab, book / "notebooks" / "03_momentum.html")
    demo = tab.locator("[data-demo=psi_landscape]")
    first = where(demo)
    for place in (0, 1):
        demo.locator(".nl-controls input").nth(place).focus()
        tab.keyboard.press("ArrowRight")
    now = where(demo)
    assert [now[0], now[2:]] == [first[0], first[2:]] and now[1] == first[1] + 1
    expect(demo.locator(".nl-status")).to_contain_text("Rate η is back at 0.013. In the book one control moves at a time")


def test_next_and_previous_lead_through_all_chapters_those_to_come_too(book, tab):
    go(tab, book / "index.html")
    titles = []
    while (link := tab.locator("a.right-next")).count():
        tab.goto(link.evaluate("link => link.href"))
        titles.append(tab.locator("article h1").inner_text().removesuffix("#").strip())
    numbers = [title[:2] for title in titles]
    assert numbers == sorted(numbers) and titles[0].startswith("00 ")
    assert titles[6:] == [
        "06 · Attention is a memory too, and the family it belongs to", "07 · Levels, frequencies, knowledge transfer",
        "08 · Continuum memory: many levels, not two", "09 · A memory that modifies itself", "10 · Hope: the whole", "11 · Train Hope at full scale", "12 and 13 · To come", "Glossary",
    ]  # fmt: skip
    while (link := tab.locator("a.left-prev")).count():
        tab.goto(link.evaluate("link => link.href"))
    assert Path(tab.url).name == "index.html"


def test_the_map_at_a_chapters_end_leads_to_each_chapter_that_built_a_part(book, tab, root):
    there = [notebook.name[:2] for notebook in stored(root)]
    for notebook in stored(root):
        built = max(map(int, re.findall(r"^hope_map\((\d+)\)", notebook.with_suffix(".py").read_text(encoding="utf-8"), re.M)))
        go(tab, book / "notebooks" / f"{notebook.stem}.html")
        links = tab.locator("article p", has_text="Built in:").locator("a").all()
        assert {link.inner_text() for link in links} == {n for n in there if 0 < int(n) <= min(built, 10)}, notebook.stem
        assert all(Path(link.evaluate("link => new URL(link.href).pathname")).exists() for link in links)


def test_the_first_page_promises_plays_and_lists_every_chapter(book, tab):
    go(tab, book / "index.html")
    expect(tab.locator("article")).to_contain_text("A model is a system of memories that learn at different speeds.")
    shown = tab.locator("article img[src*=dashboard]")
    assert "dashboard" in shown.get_attribute("alt") and shown.evaluate("image => image.naturalWidth") > 200
    route = tab.locator("#in-half-an-hour a[href]:not(.headerlink)")
    assert [link.inner_text() for link in route.all()] == ["00", "01", "02", "11"]
    listed = tab.locator("article li").all_inner_texts()
    assert [line[:2] for line in listed] == [chapter.number for chapter in chapters()]
    assert [line[:2] for line in listed if "to come" in line] == ["12", "13"]


@pytest.mark.parametrize("page, name", [("index", "clock_of_levels"), ("notebooks/00_start_here", "boxes_in_boxes"), ("notebooks/02_backpropagation", "backward_as_writes")])
def test_players_play_by_keyboard_and_by_mouse(page, name, book, tab, root):
    go(tab, book / f"{page}.html")
    demo = tab.locator(f"[data-demo={name}]")
    play, slider = demo.locator(".nl-play"), demo.locator(".nl-controls input[type=range]").first
    word = demo.locator(".nl-controls output").first
    for press in (lambda: (play.focus(), tab.keyboard.press("Enter")), play.click):
        before = word.inner_text()
        press()
        expect(word).not_to_have_text(before)
        press()
    slider.focus()
    tab.keyboard.press("Home")
    first = demo.inner_text()
    tab.keyboard.press("End")
    assert demo.inner_text() != first
    assert pictures_in_view(tab, name, root) == 0


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["index", "notebooks/03_momentum"])
def test_nothing_is_cut_and_text_can_be_read(name, theme, book, tab):
    go(tab, book / f"{name}.html", theme)
    assert tab.locator("html").get_attribute("data-theme") == theme
    for width in (368, 800, 1280):
        tab.set_viewport_size({"width": width, "height": 900})
        assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert max(tab.locator("[data-demo]").evaluate_all("all => all.map(one => one.scrollWidth - one.clientWidth)"), default=0) <= 0
        searches = tab.locator("button[aria-label=Search], input[type=search]")
        assert sum(one.is_visible() for one in searches.all()) == 1
    assert tab.locator("body").evaluate(FAINT)["faint"] == []
    assert set(tab.locator("article img").evaluate_all("all => all.map(one => getComputedStyle(one).filter)")) <= {"none"}


def test_what_is_wider_than_the_page_is_reached_from_its_left_end_and_folds_stand_apart(book, tab, root):
    tab.set_viewport_size({"width": 368, "height": 900})
    wide = 0
    for notebook in stored(root):
        go(tab, book / "notebooks" / f"{notebook.stem}.html")
        found = tab.locator("article").evaluate(WIDE)
        wide += len(found["wide"])
        assert [one for one in found["wide"] if one["over"] not in ("auto", "scroll") or one["lost"] > 1] == [], notebook.stem
        assert [one for one in found["folds"] if one < 10] == [], notebook.stem
    assert wide > 20


def test_without_scripts_the_pictures_are_there(book, tab, root):
    apart = tab.context.browser.new_context(java_script_enabled=False)
    page = apart.new_page()
    page.goto((book / "notebooks" / "11_train_hope.html").as_uri())
    cells = nbformat.read(stored(root)[-1], as_version=4).cells
    expected = [about["alt"] for cell in cells for _, about in execute.pictures(cell)]
    assert [image.get_attribute("alt") for image in page.locator(".cell_output img").all()] == expected and len(expected) == 17
    for chapter in sorted((book / "notebooks").glob("0*.html")):
        page.goto(chapter.as_uri())
        assert all(image.is_visible() for image in page.locator(".cell_output img:not(details img)").all())
        assert "Run this cell" not in page.locator("body").inner_text()
    apart.close()
