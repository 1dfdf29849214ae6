"""The course's chapters, those to come included: one list, read from README's table and from the questions of notebook 00."""

import re
from dataclasses import dataclass
from itertools import groupby, takewhile
from pathlib import Path

ROOT = Path(__file__).parent.parent
README, START = ROOT / "README.md", ROOT / "notebooks" / "00_start_here.py"


@dataclass(frozen=True)
class Chapter:
    """A chapter, there or to come."""

    number: str
    title: str
    question: str
    """That it answers; "" for the one that asks them."""


def chapters() -> list[Chapter]:
    """All of them, in order."""
    asked = {cells[0]: cells[-1] for cells in rows(START.read_text(encoding="utf-8"))}
    return [Chapter(cells[0], plain(cells[1]), asked.get(cells[0], "")) for cells in rows(README.read_text(encoding="utf-8"))]


def rows(text: str) -> list[list[str]]:
    """The cells of each row of a table of chapters, which begins with a chapter's number."""
    found = re.findall(r"^(?:# )?\| (\d\d) \|(.*)\|$", text, flags=re.M)
    return [[number, *(cell.strip() for cell in rest.split("|"))] for number, rest in found]


def plain(cell: str) -> str:
    """A cell without its link."""
    return re.sub(r"\[(.*?)\]\(.*?\)", r"\1", cell)


def runs(there: set[str]) -> list[tuple[bool, list[Chapter]]]:
    """The chapters in order, in runs of those whose number is in `there` (True), and of those to come."""
    return [(known, list(run)) for known, run in groupby(chapters(), lambda chapter: chapter.number in there)]


def span(run: list[Chapter]) -> str:
    """Which chapters a run has: "06 to 10", "12 and 13" or "13"."""
    numbers = [chapter.number for chapter in run]
    joint = " and " if len(numbers) == 2 else " to "
    return joint.join(dict.fromkeys((numbers[0], numbers[-1])))


def onward(source: Path) -> str:
    """The last words of a chapter, in Markdown: where to go on, and what is to come before that; "" after the last."""
    there = {path.name[:2]: path.stem for path in source.parent.glob("[0-9][0-9]_*.py")}
    later = [chapter for chapter in chapters() if chapter.number > source.name[:2]]
    gap = list(takewhile(lambda chapter: chapter.number not in there, later))
    missing = f"{'Chapters' if len(gap) > 1 else 'Chapter'} {span(gap)} {'are' if len(gap) > 1 else 'is'} to come" if gap else ""
    words = [missing] if gap else []
    if len(gap) < len(later):
        chapter = later[len(gap)]
        link = f"[{chapter.number} · {chapter.title}]({there[chapter.number]}.ipynb)"
        words.append(f"until then, go on with {link}" if gap else f"{link}: {chapter.question[:1].lower()}{chapter.question[1:]}")
    end = "" if words and words[-1].endswith("?") else "."
    return f"**Next.** {'; '.join(words)}{end}" if words else ""
