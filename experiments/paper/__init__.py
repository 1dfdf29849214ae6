"""The paper's Tables 1 to 6 as data, to stand beside what is run here.

The numbers are those of the long version (arXiv 2512.24695) and of the short one (NeurIPS 2025, its Table 1). Every one
of them was compared with the print. The two disagree about the same models at the same size, so each keeps its name.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Table:
    """One printed table. In a notebook its value is the table itself."""

    name: str
    title: str
    section: str
    columns: tuple[str, ...]
    rows: dict[str, tuple[float, ...]]
    """By what the paper calls the model (of Table 2 with its size behind it), a number a column."""

    def column(self, name: str) -> dict[str, float]:
        """A column's number for every row."""
        place = self.columns.index(name)
        return {row: numbers[place] for row, numbers in self.rows.items()}

    def cell(self, row: str, column: str) -> float:
        """One number."""
        return self.column(column)[row]

    def markdown(self, rows: Iterable[str] | None = None) -> str:
        """The table for a page, of all rows or of those that are named."""
        lines = [["", *self.columns], ["---", *["---:"] * len(self.columns)]]
        lines += [[row, *map(_number, self.rows[row])] for row in (self.rows if rows is None else rows)]
        heading = f"**Table {self.name} of the paper (section {self.section}).** {self.title}."
        return "\n".join([heading, "", *("| " + " | ".join(map(_escaped, line)) + " |" for line in lines)])

    def _repr_markdown_(self) -> str:
        return self.markdown()


def _number(value: float) -> str:
    return f"{value:g}"


def _escaped(cell: str) -> str:
    return cell.replace("*", "\\*").replace("^", "\\^")


def _read() -> dict[str, Table]:
    stored = json.loads(Path(__file__).with_name("tables.json").read_text(encoding="utf-8"))
    return {
        name: Table(name, kept["title"], kept["section"], tuple(kept["columns"]),
                    {row: tuple(numbers) for row, numbers in kept["rows"].items()})
        for name, kept in stored.items()
    }  # fmt: skip


TABLES = _read()
"""By number: "1" to "6", and "2, short version"."""
