"""The course's predictions, a module a chapter; `predict` asks one, `predictions` counts the reader's answers.

A chapter has at most four. Each can be guessed from what stands before it, and is answered by what comes after.
"""

import html
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from nlcore.viz import reader
from nlcore.viz.prediction import Chapter, Prediction
from nlcore.viz.question import Question, say
from nlcore.viz.view import building


@cache
def chapters() -> dict[str, Chapter]:
    """Number, as in "00" -> chapter."""
    modules = {found.name.removeprefix("chapter_"): found.name for found in iter_modules(__path__)}
    return {number: import_module(f"{__name__}.{name}").CHAPTER for number, name in sorted(modules.items())}


def find(key: str) -> Prediction:
    """The prediction of this key. Raises ValueError if there is none."""
    every = {prediction.key: prediction for chapter in chapters().values() for prediction in chapter.predictions}
    if key not in every:
        raise ValueError(f"there is no prediction {key!r}: take one of {', '.join(every)}")
    return every[key]


def predict(key: str) -> Question:
    """A question about what a later cell shows, as the last line of a cell.

    Raises ValueError for an unknown key, and for a prediction that is drawn on an explorer's chart.
    """
    prediction = find(key)
    say(prediction)
    return Question(prediction)


@dataclass(frozen=True)
class Tally:
    """What became of the reader's predictions, shown as a sentence, a table, and where that is written down."""

    sentence: str
    rows: tuple[tuple[str, ...], ...] = ()
    """Of each chapter in which one was made: its name, how many were right, not right, looked at, still open."""

    def __repr__(self) -> str:
        return self.sentence

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{name}</th>" for name in ("chapter", "right", "not right", "looked first", "still open"))
        body = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in self.rows)
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
        where = f"<p><small>Your answers are kept in {html.escape(str(reader.path()))}.</small></p>"
        return f"<p>{html.escape(self.sentence)}</p>{table + where if self.rows else ''}"


def predictions() -> Tally:
    """How many of the reader's predictions were right, chapter by chapter. To look first is neither right nor wrong."""
    if building():
        return Tally("In a notebook that runs, your predictions are counted here, chapter by chapter.")
    try:
        answers = reader.answers()
    except reader.ReaderError as error:
        return Tally(str(error))
    counts = {
        number: Counter(answers[one.key].right if one.key in answers else "open" for one in chapter.predictions)
        for number, chapter in chapters().items()
    }
    right, wrong = (sum(count[verdict] for count in counts.values()) for verdict in (True, False))
    rows = tuple(
        (f"{number} {chapters()[number].title}", *(str(count[verdict]) for verdict in (True, False, None, "open")))
        for number, count in counts.items()
        if count.total() > count["open"]
    )
    if not right + wrong:
        return Tally("You have made no prediction yet. Run this cell again when you have.", rows)
    return Tally(f"You were right in {right} of {right + wrong} {'predictions' if right + wrong > 1 else 'prediction'}.", rows)
