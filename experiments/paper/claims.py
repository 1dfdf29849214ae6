"""What the paper claims of its Tables 1, 2, 4, 5 and 6, and what became of each claim: computed, never written by hand.

    python -m experiments.paper.claims

A claim is checked twice. Against the paper's own numbers: where they say something else, it is wrong in print. Against
what is run here: it is reproduced or not, open while its command has not run to its end, and untestable at this scale
where no command of ours bears on it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from experiments import results
from experiments.paper import TABLES, found, slips
from experiments.paper.found import Found
from experiments.paper.slips import Printed

OPEN, REPRODUCED, NOT_REPRODUCED = "open", "reproduced", "not reproduced"
WRONG, UNTESTABLE = "wrong in print", "untestable at this scale"
HEADING = ("table", "the paper says", "where", "its own numbers say", "we ran", "ours say", "status")


@dataclass(frozen=True)
class Claim:
    """One claim of the paper."""

    table: str
    """Its number."""
    words: str
    """The paper's own, shortened; in brackets what they say in a column of numbers."""
    place: str
    """Where they stand."""
    printed: Callable[[], Printed]
    """Whether the paper's own numbers agree, and what they are."""
    experiment: str | None = None
    """The experiment of ours that tests it."""
    ours: Callable[[results.Results], Found | None] = lambda stored: None
    """What that experiment's results say; None while it has not run to its end."""

    @property
    def found(self) -> Found | None:
        """What our runs say of it; None without them."""
        return self.ours(results.read(results.FOLDER / f"{self.experiment}.json")) if self.experiment else None

    @property
    def status(self) -> str:
        """One of the five of this module."""
        if not self.printed()[0]:
            return WRONG
        if self.experiment is None:
            return UNTESTABLE
        found = self.found
        return OPEN if found is None else REPRODUCED if found.holds else NOT_REPRODUCED

    def line(self) -> tuple[str, ...]:
        """What stands under HEADING."""
        command = f"python -m experiments.{self.experiment}" if self.experiment else ""
        ours = self.found.what if self.found else ""
        return self.table, self.words, self.place, self.printed()[1], command, ours, self.status


def _by_reading(sentence: str) -> Callable[[], Printed]:
    """A slip that no number shows."""
    return lambda: (False, sentence)


def _of_part(row: str) -> Claim:
    """A row of Table 6."""
    worse = slips.is_worse(row)
    words = f"{row} (a {'higher' if worse else 'lower'} perplexity)"
    ours = partial(found.without, row=row, worse=worse)
    return Claim("6", words, "the row", partial(slips.without, row), "ablation", ours)


CLAIMS = (
    Claim("1", "Comparing with other attention-free models, Hope achieves the best performance across all tasks and "
          "levels of difficulties", "9.2", slips.best_without_attention),
    Claim("1", "Hope-Attention achieves a better performance compared to Transformers", "9.2",
          slips.hope_attention_over_transformer),
    Claim("1", "comparing to linear memories, deep memory modules show better performance in longer sequences", "9.2",
          slips.deep_over_linear),
    Claim("1", "Comparing Hope with Titans, the superior performance of Hope, specifically in longer context length",
          "9.2", slips.hope_over_titans),
    Claim("1", "we use RetNet and DeltaNet as the representative of the models purely based on Hebbian- and Delta-rule",
          "9.2", slips.baselines_of_table_1),
    Claim("2", "Avg. (the mean of the eight accuracies)", "last column", slips.averages),
    Claim("2", "Hope outperforms all the baselines on the average performance in both language modeling and "
          "common-sense reasoning benchmarks", "9.3", slips.best_average),
    Claim("2", "with scaling the parameters, Hope show higher performance gain compare to other attention-free models",
          "9.3", slips.gain_with_scale),
    Claim("2", "(Hope at the same sizes and numbers of tokens)", "long and short version", slips.versions_agree),
    Claim("4", "Hope outperforms all the baselines, including Transformers", "caption", slips.best_on_mad, "mad",
          found.mad_is_best),
    Claim("5", "Hope achieves the perfect score on all the tasks, similar to other non-linear recurrent models", "9.5",
          partial(slips.perfect, ("Hope", "LSTM", "SRWM")), "formal", found.formal_is_perfect),
    Claim("5", "Transformers significantly underperforms models with non-linear recurrence", "9.5",
          slips.without_nonlinearity, "formal", found.formal_is_missed),
    Claim("5", "when it is needed, it has parallelizable training", "9.5, and ticked in the table",
          partial(slips.perfect, ("Hope",)), "formal", found.formal_in_chunks),
    Claim("6", "All components of Hope are positively contributing", "caption", slips.all_parts_help),
    Claim("6", "removing or changing each of them can damage the model's perplexity and/or accuracy", "9.6",
          slips.each_part_helps_somewhere),
    *(_of_part(row) for row in TABLES["6"].rows if row != "Hope"),
    Claim("6", "The second row removes the momentum term in the self-modifying Titans", "9.6",
          _by_reading("eq. 88, 90 and 96, which define them, have none")),
    Claim("6", "w/o inner-projection q (of a model that learns its query in context)", "the row",
          _by_reading("section 8.1 calls q = x W_q the only projection that is not adaptive")),
    Claim("6", "Hope 58.1 (Table 2's average accuracy)", "the row", slips.same_accuracy),
)  # fmt: skip


def markdown(tables: Iterable[str] = ("1", "2", "4", "5", "6")) -> str:
    """The claims of these tables for a page, a line each."""
    chosen = set(tables)
    lines = [HEADING, ["---"] * len(HEADING), *(claim.line() for claim in CLAIMS if claim.table in chosen)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def text() -> str:
    """The same for a terminal, a paragraph a claim."""
    return "\n\n".join(
        f"{claim.status.upper()}: Table {claim.table}, {claim.place}: {claim.words}\n"
        + "\n".join(f"  {name}: {said}" for name, said in zip(HEADING[3:6], claim.line()[3:6]) if said)
        for claim in CLAIMS
    )


if __name__ == "__main__":
    print(text())
