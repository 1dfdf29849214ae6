"""What the paper claims of its Tables 1, 2, 4, 5 and 6, and what became of each claim: computed, never written by hand.

    python -m experiments.paper.claims

A claim is checked twice. Against the paper's own numbers: where they say something else, it is wrong in print. Against
what is run here: it is reproduced or not, open while its command has not run to its end, and untestable at this scale
where no command of ours bears on it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from experiments import results
from experiments.paper import slips
from experiments.paper.found import Found, ablation_is_worse, formal_is_perfect, mad_is_best

OPEN, REPRODUCED, NOT_REPRODUCED = "open", "reproduced", "not reproduced"
WRONG, UNTESTABLE = "wrong in print", "untestable at this scale"


@dataclass(frozen=True)
class Claim:
    """One claim of the paper. In the table that `markdown` makes it is a line."""

    table: str
    """Its number."""
    words: str
    """The paper's own, shortened."""
    place: str
    """Where they stand."""
    printed: Callable[[], tuple[bool, str]]
    """Whether the paper's own numbers agree, and what they are."""
    experiment: str | None = None
    """The experiment of ours that tests it: `python -m experiments.NAME`."""
    ours: Callable[[results.Results], Found | None] | None = None
    """What that experiment says; None while it has not run to its end."""

    @property
    def found(self) -> Found | None:
        """What our runs say of it; None without them."""
        if self.ours is None:
            return None
        return self.ours(results.read(results.FOLDER / f"{self.experiment}.json"))

    @property
    def status(self) -> str:
        """One of the five words of this module."""
        agrees, _ = self.printed()
        if not agrees:
            return WRONG
        if self.ours is None:
            return UNTESTABLE
        found = self.found
        return OPEN if found is None else REPRODUCED if found.holds else NOT_REPRODUCED

    @property
    def command(self) -> str:
        """What was run, or is to be."""
        return f"python -m experiments.{self.experiment}" if self.experiment else ""

    def line(self) -> list[str]:
        """Table, words, place, what the paper's numbers say, command, what ours say, status."""
        found = self.found
        return [self.table, self.words, self.place, self.printed()[1], self.command,
                "" if found is None else found.what, self.status]  # fmt: skip
