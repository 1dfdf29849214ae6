"""Every notebook: the same cells in both files, small, readable, and it runs from top to bottom."""

import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from book import execute, source

NOTEBOOKS = Path(__file__).parent.parent.parent / "notebooks"
SCRIPTS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.py"))
CODE_LINES, PROSE_WORDS, BYTES = 25, 110, 1_500_000
QUICK = {"NL_FAST": "1", "OMP_NUM_THREADS": "1", "MPLBACKEND": "agg"}

each = pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)


def stored(script: Path) -> nbformat.NotebookNode:
    return nbformat.read(script.with_suffix(".ipynb"), as_version=4)


def test_there_are_notebooks():
    assert SCRIPTS
    assert {p.stem for p in NOTEBOOKS.glob("*.ipynb")} == {p.stem for p in SCRIPTS}


@each
def test_both_files_have_the_same_cells(script):
    """If this fails, `make book` was not run after the .py changed."""
    assert source.cells(stored(script)) == source.cells(source.read(script))
    execute.refuse_changed(script.with_suffix(".ipynb"))


@each
def test_what_is_stored_is_small_static_and_without_errors(script):
    notebook = stored(script)
    nbformat.validate(notebook)
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert script.with_suffix(".ipynb").stat().st_size < BYTES
    assert "widgets" not in notebook.metadata
    assert [o for o in outputs if o.output_type == "error"] == []
    assert [o for o in outputs if "application/vnd.jupyter.widget-view+json" in o.get("data", {})] == []
    assert any("image/png" in o.get("data", {}) for o in outputs)


@each
def test_every_picture_has_alt_text(script):
    found = [about for cell in stored(script).cells for _, about in execute.pictures(cell)]
    assert all(len(about.get("alt", "")) > 20 for about in found)


@each
def test_cells_stay_readable(script):
    for kind, text in source.cells(source.read(script)):
        if kind == "code":
            assert len(text.splitlines()) <= CODE_LINES, f"a long cell: {text[:60]}"
        else:
            prose = " ".join(line for line in text.splitlines() if not line.startswith("|"))
            assert len(prose.split()) <= PROSE_WORDS, f"a long paragraph: {text[:60]}"


@each
def test_it_runs_as_a_notebook(script, tmp_path, monkeypatch):
    for name, value in QUICK.items():
        monkeypatch.setenv(name, value)
    notebook = source.read(script)
    execute.run(notebook, tmp_path)
    assert any(cell.get("outputs") for cell in notebook.cells)


@each
def test_it_runs_as_a_plain_script(script, tmp_path):
    done = subprocess.run(
        [sys.executable, str(script)], cwd=tmp_path, env=os.environ | QUICK, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-2000:]
