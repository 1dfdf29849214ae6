"""The book's own pages: the first, which plays, and one wherever chapters are to come."""

import html
import re
import shutil
from pathlib import Path
from string import Template

import nbformat
from nlcore.viz import explorers

from book import live
from book.chapters import README, Chapter, runs, span
from book.execute import named_pictures, pictures

HERE = Path(__file__).parent
GLOSSARY = "glossary.md"
"""Beside the notebooks, and after them in the book."""
SHOWN = ("clock_of_levels", "dashboard")
"""Pictures of the first page, as far as the notebooks have them."""


def stage(notebooks: list[Path], staged: Path) -> list[str]:
    """Writes the pages that are not notebooks for a book of these notebooks; the demos on its first page."""
    files = {path.name[:2]: f"notebooks/{path.stem}" for path in notebooks}
    order, listed = [], []
    for there, run in runs(set(files)):
        if there:
            order += [files[chapter.number] for chapter in run]
            listed += [f"- [{chapter.number} · {chapter.title}]({files[chapter.number]}.ipynb). {chapter.question}" for chapter in run]
        else:
            name = f"notebooks/{run[0].number}_to_come"
            after = [path for number, path in files.items() if number > run[-1].number]
            (staged / f"{name}.md").write_text(to_come(run, min(after, default=None)), encoding="utf-8")
            order.append(name)
            listed += [f"- {chapter.number} · {chapter.title} *(to come)*. {chapter.question}" for chapter in run]
    words = ""
    if (glossary := notebooks[0].with_name(GLOSSARY)).exists():
        shutil.copy(glossary, staged / "notebooks")
        order.append("notebooks/glossary")
        words = f"What the course's words mean is in its [glossary](notebooks/{GLOSSARY})."
    shown = {name: figure for path in notebooks for name, figure in _figures(path, staged).items()}
    demos = [name for name in shown if name in explorers.names()]
    page = Template((HERE / "index.md").read_text(encoding="utf-8")).substitute(
        {name: raw(shown.get(name, "")) for name in SHOWN},
        promise=promise(), route=route(set(files.values())), chapters="\n".join(listed), glossary=words, order="\n".join(order), loads=raw(live.loads(demos, "")),
    )  # fmt: skip
    (staged / "index.md").write_text(page, encoding="utf-8")
    return demos


def promise() -> str:
    """README's first paragraph."""
    return README.read_text(encoding="utf-8").split("\n\n")[1]


def route(there: set[str]) -> str:
    """README's shorter way through the course, with links to those chapters that are `there`."""
    section = README.read_text(encoding="utf-8").split("### In half an hour\n")[1].split("\n## ")[0]
    return re.sub(r"\[(.*?)\]\((.*?)\.ipynb\)", lambda link: link[0] if link[2] in there else link[1], section).strip()


def to_come(run: list[Chapter], after: str | None) -> str:
    """The page that stands for chapters to come; `after`: the next chapter there is."""
    listed = "\n".join(f"- {chapter.number} · {chapter.title}. {chapter.question}" for chapter in run)
    on = f"Until then the course goes on with chapter [{Path(after).name[:2]}]({Path(after).name}.ipynb)." if after else ""
    return f"# {span(run)} · To come\n\nThis is what is still to be written, and what it will answer.\n\n{listed}\n\n{on}\n"


def raw(text: str) -> str:
    """HTML as Markdown."""
    return f"```{{raw}} html\n{text}\n```" if text else ""


def _figures(notebook: Path, staged: Path) -> dict[str, str]:
    """HTML of those pictures in a notebook that the first page shows, with a place for the demo where it is one."""
    found = nbformat.read(notebook, as_version=4)
    alts = {its["name"]: its.get("alt", "") for cell in found.cells for _, its in pictures(cell) if "name" in its}
    figures = {}
    for name, png in named_pictures(found).items():
        if name in SHOWN:
            (staged / "_static" / f"{name}.png").write_bytes(png)
            image = f'<img src="_static/{name}.png" alt="{html.escape(alts[name])}">'
            figures[name] = image + (live.place(name) if name in explorers.names() else "")
    return figures
