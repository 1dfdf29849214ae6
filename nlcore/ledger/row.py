"""A row of the ledger."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One equation, or a few that belong together."""

    chapter: int
    """Notebook in which it is derived."""
    equations: str
    """The paper's numbers, as printed in its long version."""
    statement: str
    symbol: str = ""
    """Dotted name of what computes it."""
    test: str = ""
    """"path::function" of what checks it."""
    anchor: str = ""
    """Heading in the chapter's notebook, once that notebook exists."""

    @property
    def planned(self) -> bool:
        return not (self.symbol and self.test)
