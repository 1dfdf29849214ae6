"""Writes the HTML book from executed notebooks, and checks that it needs no network."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import nbformat
from sphinx.cmd.build import main as sphinx

from book.execute import pictures

HERE = Path(__file__).parent
LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src"}


class BookError(Exception):
    """The book could not be built, or would need a network."""


def build(notebooks: list[Path], output: Path) -> Path:
    """Builds the book of these executed notebooks in `output`; returns its first page.

    Raises BookError if Sphinx fails or if a page would load anything from the network.
    """
    staged = output.with_name(output.name + "-source")
    shutil.rmtree(staged, ignore_errors=True)
    (staged / "notebooks").mkdir(parents=True)
    shutil.copy(HERE / "index.md", staged)
    for path in notebooks:
        stage(path, staged / "notebooks" / path.name)
    if sphinx(["-q", "-W", "--keep-going", "-c", str(HERE), str(staged), str(output)]):
        raise BookError("Sphinx could not build the book; its messages are above.")
    if found := network_loads(output):
        raise BookError(f"The book would need a network: {'; '.join(found)}")
    return output / "index.html"


def stage(source: Path, target: Path) -> None:
    """Copies a notebook so that each picture's alt text reaches the page."""
    notebook = nbformat.read(source, as_version=4)
    for cell in notebook.cells:
        alts = [about["alt"] for _, about in pictures(cell) if "alt" in about]
        if len(alts) > 1:
            raise BookError(f"{source.name}: a cell shows {len(alts)} pictures; give each its own cell.")
        if alts:
            cell.metadata["mystnb"] = {"image": {"alt": alts[0]}}
    nbformat.write(notebook, target)


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
