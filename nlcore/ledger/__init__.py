"""Every equation of the paper: the chapter that derives it, the symbol that computes it, the test that proves it.

`python -m nlcore.ledger` prints the table. A row without a symbol and a test is planned.
"""

from nlcore.ledger.learning import LEARNING
from nlcore.ledger.row import Row
from nlcore.ledger.sequences import SEQUENCES

__all__ = ["LEDGER", "Row", "table"]

LEDGER: tuple[Row, ...] = LEARNING + SEQUENCES


def table() -> str:
    """The ledger as text, a line a row."""
    lines = []
    for row in LEDGER:
        state = "planned" if row.planned else f"{row.symbol}  {row.test}"
        lines.append(f"{row.chapter:02d}  {row.equations:16} {row.statement:75} {state}")
    return "\n".join(lines)
