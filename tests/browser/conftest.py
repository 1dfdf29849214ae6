"""A real JupyterLab, and a page of a real browser that lists its complaints."""

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect

from bench.lab import open_browser, open_lab, open_page

expect.set_options(timeout=60_000)  # a loaded machine answers late


@pytest.fixture(scope="module")
def lab(chromium: str, root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A JupyterLab on copies of the notebooks; its address, with {} for what to open."""
    home = tmp_path_factory.mktemp("lab")
    (home / "notebooks").mkdir()
    for path in (root / "notebooks").glob("*.ipynb"):
        (home / "notebooks" / path.name).write_text(without_outputs(path))
    with open_lab(home, NL_FAST="1") as address:
        yield address


def without_outputs(path: Path) -> str:
    """A notebook as text, with nothing in it that an earlier run left."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return nbformat.writes(notebook)


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Browser]:
    """One Chromium for the tests of a file; each has a page of its own that knows nothing of the others'."""
    with open_browser(chromium) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page that lists what its console complains of in `page.complaints`."""
    with open_page(browser) as page:
        yield page
