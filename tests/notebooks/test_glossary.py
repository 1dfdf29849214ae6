"""The glossary: its headings are link targets everywhere, its entries name chapters that are there, and links find their words."""

import re
from pathlib import Path

import nbformat
import pytest

from book import html, source

NOTEBOOKS = Path(__file__).parent.parent.parent / "notebooks"
GLOSSARY = NOTEBOOKS / "glossary.md"
ENTRY = re.compile(r"^## (.+)\n\n((?:.+\n)+)", re.M)
ENTRIES = ENTRY.findall(GLOSSARY.read_text(encoding="utf-8"))
TERMS = [term for term, _ in ENTRIES]
SCRIPTS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.py"))


def target(term: str) -> str:
    """The end of a link to it. JupyterLab keeps capitals and the other sites do not, so that there may be none."""
    return term.replace(" ", "-")


def test_a_heading_is_the_same_target_everywhere_and_in_order():
    assert len(TERMS) > 50 and TERMS == sorted(set(TERMS))
    assert [term for term in TERMS if not re.fullmatch(r"[a-z0-9]+([ -][a-z0-9]+)*", term)] == []
    assert len(TERMS) == GLOSSARY.read_text(encoding="utf-8").count("\n## ")


@pytest.mark.parametrize("term, text", ENTRIES, ids=TERMS)
def test_an_entry_is_a_sentence_or_two_and_names_a_chapter_that_is_there(term, text):
    said, number, file = re.fullmatch(r"(.*) Chapter \[(\d\d)\]\((\d\d_\w+)\.ipynb\)\.", " ".join(text.split())).groups()
    assert file[:2] == number and (NOTEBOOKS / f"{file}.py").exists()
    assert 1 <= len(re.findall(r"[.!?](?= [A-Z]|$)", re.sub(r"Def\. ", "Def ", said))) <= 3 and len(said.split()) <= 70


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_every_link_from_a_notebook_finds_its_word(script):
    prose = "\n".join(text for kind, text in source.cells(source.read(script)) if kind == "markdown")
    links = re.findall(r"\]\(glossary\.md(?:#([^)]*))?\)", prose)
    assert [link for link in links if link and link not in map(target, TERMS)] == []
    assert prose.count("glossary.md") == len(links)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_a_chapter_links_what_it_introduces(script):
    links = re.findall(r"glossary\.md#([\w-]+)\)", script.read_text(encoding="utf-8"))
    introduced = {target(term) for term, text in ENTRIES if f"({script.stem}.ipynb)" in text}
    assert introduced and introduced <= set(links)
    assert len(links) == len(set(links)), "a word leads to the glossary once in a chapter, where it first comes"


def test_the_book_has_it_and_links_into_it(tmp_path):
    cell = nbformat.v4.new_markdown_cell("# One\n\nSee [the delta rule](glossary.md#delta-rule).")
    nbformat.write(nbformat.v4.new_notebook(cells=[cell], metadata=source.METADATA), tmp_path / "01_small.ipynb")
    (tmp_path / "glossary.md").write_text("# Glossary\n\n## delta rule\n\nWrite what is wrong. Chapter [01](01_small.ipynb).\n")
    folder = html.build([tmp_path / "01_small.ipynb"], tmp_path / "book", tmp_path).parent / "notebooks"
    assert 'href="glossary.html#delta-rule"' in (folder / "01_small.html").read_text()
    page = (folder / "glossary.html").read_text()
    assert 'id="delta-rule"' in page and 'href="01_small.html"' in page
