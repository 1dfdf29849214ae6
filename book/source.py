"""A notebook's source (a percent `.py`) as a notebook, and how the two are compared."""

import hashlib
import json
from pathlib import Path

import jupytext
import nbformat
from nbformat import NotebookNode

from book.chapters import onward

METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
INSTALL = Path(__file__).parent / "install_cell.py"
FOLDED = {"jupyter": {"source_hidden": True}, "tags": ["remove-cell"]}
"""A line in JupyterLab, and not in the book, where nothing runs."""


def read(path: Path) -> NotebookNode:
    """The notebook that the percent file at `path` describes, without outputs; after its title the cell that installs, at its end where to go on."""
    parsed = jupytext.read(path, fmt="py:percent").cells
    if parsed and parsed[0].cell_type == "markdown":
        install = nbformat.v4.new_code_cell(INSTALL.read_text(encoding="utf-8").rstrip(), metadata=FOLDED)
        parsed.insert(1, install)
    if words := onward(path):
        parsed.append(nbformat.v4.new_markdown_cell(words))
    notebook = nbformat.v4.new_notebook(cells=parsed, metadata=METADATA)
    for cell, name in zip(notebook.cells, _ids(notebook)):
        cell.id = name
    return notebook


def cells(notebook: NotebookNode) -> list[tuple[str, str]]:
    """What a reader can change: each cell's type and text."""
    return [(cell.cell_type, cell.source.rstrip()) for cell in notebook.cells]


def fingerprint(notebook: NotebookNode) -> str:
    """A hash of `cells`: equal when nobody changed a cell."""
    return hashlib.sha256(json.dumps(cells(notebook)).encode()).hexdigest()


def _ids(notebook: NotebookNode) -> list[str]:
    # From the text, so that inserting a cell leaves every other id, and so the diff, alone.
    seen: dict[str, int] = {}
    names = []
    for kind, text in cells(notebook):
        digest = hashlib.sha256(f"{kind}\n{text}".encode()).hexdigest()[:12]
        seen[digest] = seen.get(digest, 0) + 1
        names.append(digest if seen[digest] == 1 else f"{digest}-{seen[digest]}")
    return names
