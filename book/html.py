"""Writes the HTML book from executed notebooks, and checks that it needs no network."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nlcore.viz import explorers
from sphinx.cmd.build import main as sphinx

from book import front, live
from book.execute import pictures

HERE = Path(__file__).parent
LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src"}


class BookError(Exception):
    """The book could not be built, or would need a network."""


def build(notebooks: list[Path], output: Path, tables: Path) -> Path:
    """Builds the book of these executed notebooks in `output`; returns its first page.

    tables: a folder that remembers the explorers' tables from build to build. Raises BookError if Sphinx fails,
    if a demo is too large or if a page would load anything from the network.
    """
    staged = output.with_name(output.name + "-source")
    shutil.rmtree(staged, ignore_errors=True)
    for folder in ("notebooks", "_static"):
        (staged / folder).mkdir(parents=True)
    shutil.copy(HERE / "conf.py", staged)
    shutil.copy(HERE / "book.css", staged / "_static")
    demos = [name for path in notebooks for name in stage(path, staged / "notebooks" / path.name)]
    demos += front.stage(notebooks, staged)
    try:
        sizes = live.write(sorted(set(demos)), staged / "_static" / live.FOLDER, tables)
    except ValueError as error:
        raise BookError(str(error)) from None
    if sphinx(["-q", "-W", "--keep-going", str(staged), str(output)]):
        raise BookError("Sphinx could not build the book; its messages are above.")
    if found := network_loads(output):
        raise BookError(f"The book would need a network: {'; '.join(found)}")
    for name, size in sizes.items():
        print(f"  {name}: {size / 1000:.0f} kB")
    return output / "index.html"


def stage(source: Path, target: Path) -> list[str]:
    """Copies a notebook for the book, with alt texts on its pictures and a place for each demo; the demos' names."""
    notebook = nbformat.read(source, as_version=4)
    names = []
    for cell in notebook.cells:
        _lead_to_pages(cell)
        found = [(output, about) for output, about in pictures(cell) if "alt" in about]
        if len(found) > 1:
            raise BookError(f"{source.name}: a cell shows {len(found)} pictures; give each its own cell.")
        for picture, about in found:
            cell.metadata["mystnb"] = {"image": {"alt": about["alt"]}}
            _drop_words(cell, picture)
            if (name := about.get("name")) in explorers.names():
                _put_demo(cell, picture, name)
                names.append(name)
    if names:
        last = next(cell for cell in reversed(notebook.cells) if pictures(cell))
        last.outputs.append(_html(live.loads(list(dict.fromkeys(names)), "../")))
    nbformat.write(notebook, target)
    return names


def _lead_to_pages(cell: NotebookNode) -> None:
    """Makes links to notebooks, in what a cell shows, links to their pages; Sphinx does so in prose alone."""
    for output in cell.get("outputs", []):
        if words := output.get("data", {}).get("text/markdown"):
            output.data["text/markdown"] = re.sub(r"\]\((\w+)\.ipynb\)", r"](\1.html)", words)


def _drop_words(cell: NotebookNode, picture: NotebookNode) -> None:
    """Drops what stands below a picture in words, since in the book they are its alt text."""
    after = cell.outputs.index(picture) + 1
    if after < len(cell.outputs) and "nl-words" in cell.outputs[after].get("data", {}).get("text/html", ""):
        del cell.outputs[after]


def _put_demo(cell: NotebookNode, picture: NotebookNode, name: str) -> None:
    """A place for the demo after its picture; in the same fold, where a question comes before the answer."""
    if folded := picture.data.get("text/html"):
        picture.data["text/html"] = folded.removesuffix("</details>") + live.place(name) + "</details>"
    else:
        cell.outputs.insert(cell.outputs.index(picture) + 1, _html(live.place(name)))


def _html(text: str) -> NotebookNode:
    return nbformat.v4.new_output("display_data", {"text/html": text})


def network_loads(folder: Path) -> list[str]:
    """What the pages and styles under `folder` would fetch from the network ("page: address")."""
    found = []
    for page in sorted(folder.rglob("*.html")):
        parser = _Loads()
        parser.feed(page.read_text(encoding="utf-8"))
        found += [f"{page.name}: {address}" for address in parser.addresses]
    for style in sorted(folder.rglob("*.css")):
        text = style.read_text(encoding="utf-8")
        found += [f"{style.name}: {a}" for a in re.findall(r"url\(\s*[\"']?((?:https?:)?//[^)\"']+)", text)]
    return found


class _Loads(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        address = given.get(LOADS.get(tag, "")) or ""
        # A page may name its canonical address; only what a browser fetches counts.
        fetched = tag != "link" or given.get("rel") in ("stylesheet", "preload", "icon", "modulepreload")
        if fetched and re.match(r"(https?:)?//", address):
            self.addresses.append(address)
