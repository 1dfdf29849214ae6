"""The demos of the book's pages, which play from disk without a kernel: their scripts, their styles and their tables."""

import html
import json
import os
from functools import cache
from importlib import import_module
from pathlib import Path

from anywidget import AnyWidget
from nlcore.viz import explorers
from nlcore.viz.chart import Explorer
from nlcore.viz.chart.data import Data
from nlcore.viz.chart.table import tabulate
from nlcore.viz.demo import Demo
from nlcore.viz.view import plotly, script

from book import execute

FOLDER = "live"
"""In the book's `_static`."""
LIMIT = 300_000
"""Bytes of a demo's own file."""
EXPORT = "export default { render };"
SHARED = set(AnyWidget().keys)


def write(names: list[str], folder: Path, tables: Path) -> dict[str, int]:
    """Writes into `folder` what these demos need; the bytes of each demo's own file.

    tables: a folder that remembers tables between builds, as they take long. Raises ValueError for a demo whose
    file is too large.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "plotly.js").write_bytes(plotly())
    (folder / "book.js").write_text(_apart(script("tape", "book")), encoding="utf-8")
    sizes = {}
    for name in names:
        view = demo(name).view
        kind = type(view).__name__
        (folder / f"{kind}.js").write_text(_classic(kind, str(view._esm)), encoding="utf-8")
        (folder / f"{kind}.css").write_text(str(view._css), encoding="utf-8")
        shown = _shown(name, tables)
        (folder / f"{name}.js").write_text(shown, encoding="utf-8")
        sizes[name] = len(shown.encode())
        if sizes[name] > LIMIT:
            raise ValueError(f"{name} has {sizes[name]:,} bytes in the book; {LIMIT:,} are the most.")
    return sizes


def place(name: str) -> str:
    """HTML of a place for a demo."""
    return f'<div class="nl-live" data-demo="{html.escape(name)}"></div>'


def loads(names: list[str], root: str) -> str:
    """HTML that loads what these demos need, for a page from which `root` is the way to the book's first one."""
    if not names:
        return ""
    demos = [demo(name) for name in names]
    kinds = list(dict.fromkeys(type(one.view).__name__ for one in demos))
    charted = ["plotly"] if any(isinstance(one, Explorer) for one in demos) else []
    at = f"{root}_static/{FOLDER}"
    styles = [f'<link rel="stylesheet" href="{at}/{kind}.css">' for kind in kinds]
    scripts = [f'<script defer src="{at}/{file}.js"></script>' for file in (*charted, "book", *kinds, *names)]
    return "\n".join(['<div class="nl-live" hidden>', *styles, *scripts, "</div>"])


@cache
def demo(name: str) -> Demo:
    """The demo of that name."""
    return getattr(import_module(f"{explorers.__name__}.{name}"), name)()


def _classic(kind: str, module: str) -> str:
    """A view's module as a plain script, since a browser loads no module from disk."""
    if module.count(EXPORT) != 1:
        raise ValueError(f"The script of {kind} does not end in '{EXPORT}'.")
    return _apart(module.replace(EXPORT, f"window.nlBook.views.{kind} = {{ render }};"))


def _apart(text: str) -> str:
    """A script whose names are its own."""
    return f"(() => {{\n{text}\n}})();\n"


def table(name: str, tables: Path) -> Data:
    """An explorer's table, from the last build if the package is the same."""
    kept, inputs = tables / f"{name}.json", execute.package()
    if kept.exists() and (found := json.loads(kept.read_text(encoding="utf-8")))["inputs"] == inputs:
        return found["table"]
    made = tabulate(demo(name))
    tables.mkdir(parents=True, exist_ok=True)
    half = kept.with_suffix(f".{os.getpid()}")  # another build may be reading
    half.write_text(json.dumps({"inputs": inputs, "table": made}), encoding="utf-8")
    half.replace(kept)
    return made


def _shown(name: str, tables: Path) -> str:
    """The script that shows a demo."""
    made = demo(name)
    traits = {trait: getattr(made.view, trait) for trait in made.view.keys if trait not in SHARED}
    answers = None
    if isinstance(made, Explorer):
        answers = table(name, tables)
        controls = answers["controls"]
        traits |= {"controls": controls, "asked": {"number": 0, "at": first(controls)}, "answer": {}}
    given = (name, type(made.view).__name__, traits, answers)
    return f"nlBook.show({','.join(json.dumps(one, ensure_ascii=False, separators=(',', ':')) for one in given)});\n"


def first(controls: Data) -> dict[str, int]:
    """The stop that each control stands on at first."""
    return {name: control["first"] for name, control in controls.items()}
