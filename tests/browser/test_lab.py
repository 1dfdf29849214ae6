"""Every notebook opens in a real JupyterLab, its first cells run, and nothing complains."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

PATIENCE_MS = 120_000
FIRST_CELLS = 8  # the title, the cell that installs, and a section up to its code

NOTEBOOKS = sorted(path.stem for path in (Path(__file__).parents[2] / "notebooks").glob("[0-9][0-9]_*.py"))


@pytest.mark.parametrize("notebook", NOTEBOOKS)
def test_a_notebook_opens_and_its_first_cells_run(lab, page, notebook):
    page.goto(lab.format(f"notebooks/{notebook}.ipynb") + "&reset")  # nothing else open
    cells = page.locator(".jp-Notebook .jp-Cell")
    # Lab drops what is run before its kernel is connected; its status bar says when it is.
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    cells.first.click()
    for _ in range(FIRST_CELLS):
        page.keyboard.press("Shift+Enter")
    ran = page.locator(".jp-CodeCell .jp-InputArea-prompt").first  # the cell that installs is folded, and shows none
    expect(ran).to_have_text("[2]:", timeout=PATIENCE_MS)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    expect(page.locator("[data-mime-type='application/vnd.jupyter.error']")).to_have_count(0)
    assert page.complaints == []
