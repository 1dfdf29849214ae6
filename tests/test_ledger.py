"""Every row of the ledger names a symbol that exists, a test that exists, and an anchor once its notebook does."""

import ast
import importlib
from pathlib import Path

import pytest

from book import source
from nlcore.ledger import LEDGER, table

ROOT = Path(__file__).parent.parent
DONE = [row for row in LEDGER if not row.planned]


def resolve(name):
    module, parts = name, []
    while True:
        try:
            found = importlib.import_module(module)
            break
        except ModuleNotFoundError:
            module, _, last = module.rpartition(".")
            parts.insert(0, last)
    for part in parts:
        found = getattr(found, part)
    return found


def notebook(chapter):
    return next((ROOT / "notebooks").glob(f"{chapter:02d}_*.py"), None)


@pytest.mark.parametrize("row", DONE, ids=lambda row: row.equations)
def test_symbol_test_and_anchor_exist(row):
    assert callable(resolve(row.symbol))
    path, _, function = row.test.partition("::")
    tree = ast.parse((ROOT / path).read_text())
    assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    if notebook(row.chapter):
        assert row.anchor and row.anchor in notebook(row.chapter).read_text()


@pytest.mark.parametrize("row", [row for row in LEDGER if row.planned], ids=lambda row: row.equations)
def test_what_is_planned_has_no_notebook_yet_and_no_half_a_row(row):
    assert not row.symbol and not row.test
    assert notebook(row.chapter) is None, f"chapter {row.chapter} exists, so eq. {row.equations} owes its symbol and test"


@pytest.mark.parametrize("script", sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.py")), ids=lambda path: path.stem)
def test_beside_every_erratum_stands_what_is_printed_and_where(script):
    """In the prose around it: the version of the paper, and a displayed equation of it."""
    prose, sections = "", []
    for kind, text in source.cells(source.read(script)):
        if kind == "markdown":
            prose += text + "\n"
        else:
            sections, prose = [*sections, prose], ""
    for section in (s for s in sections if "**Erratum" in s or "## Erratum" in s):
        assert "long version" in section and "$$" in section, section[:80]
    assert "Erratum" not in "".join(sections) or "2512.24695" in "".join(sections)


def test_the_equations_of_nine_and_ten_are_done_and_no_row_stands_twice():
    equations = [row for row in LEDGER if row.chapter in (9, 10) and row.equations[0].isdigit()]
    assert len(equations) == 14 and not any(row.planned for row in equations)
    assert len({(row.chapter, row.equations) for row in LEDGER}) == len(LEDGER)
    assert len(table().splitlines()) == len(LEDGER)
