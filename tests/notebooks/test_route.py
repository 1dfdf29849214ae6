"""The way through the course in half an hour: its sections are there, its minutes are honest, and both pages agree."""

import re
from pathlib import Path

import pytest

from book import source
from nlcore.viz.explorers import names

ROOT = Path(__file__).parent.parent.parent
ROW = re.compile(r"^(?:# )?\| \[(\d\d)\]\(\S*?(\w+)\.ipynb\) \| (.+?) \| (\d+) \|$", re.MULTILINE)
WORDS_A_MINUTE, MINUTES_A_PICTURE = 130, 1.5
SHOWS = re.compile(rf"^(?:show|Dashboard|PromptBox|{'|'.join(names())})\(", re.MULTILINE)
HEADING = re.compile(r"^## (.+)")


def route(page: str) -> list[tuple[str, list[str], int]]:
    """Each row of a page's table: the notebook, the sections to read, the minutes."""
    found = ROW.findall((ROOT / page).read_text(encoding="utf-8"))
    return [(notebook, sections.split(" · "), int(minutes)) for _, notebook, sections, minutes in found]


def minutes(notebook: str) -> dict[str, float]:
    """What each section of a notebook takes to read: its words, and its pictures."""
    found: dict[str, float] = {}
    section = ""
    for kind, text in source.cells(source.read(ROOT / "notebooks" / f"{notebook}.py")):
        if kind == "markdown" and (heading := HEADING.match(text)):
            section = heading[1]
        cost = len(text.split()) / WORDS_A_MINUTE if kind == "markdown" else MINUTES_A_PICTURE * len(SHOWS.findall(text))
        found[section] = found.get(section, 0) + cost
    return found


@pytest.mark.parametrize("row", route("notebooks/00_start_here.py"), ids=lambda row: row[0])
def test_its_sections_are_there_and_take_as_long_as_it_says(row):
    notebook, sections, said = row
    there = minutes(notebook)
    assert [section for section in sections if section not in there] == []
    assert sum(there[section] for section in sections) == pytest.approx(said, abs=0.75)


def test_it_takes_half_an_hour():
    assert sum(said for *_, said in route("notebooks/00_start_here.py")) == pytest.approx(30, abs=2)


def test_the_readme_has_the_same_route():
    assert route("README.md") == route("notebooks/00_start_here.py")
