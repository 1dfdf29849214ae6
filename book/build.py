"""`make book`: run the notebooks, keep their static outputs and pictures, build the HTML book.

    python -m book.build          every notebook
    python -m book.build 11       notebook 11 (and the book of those that are built)
"""

import sys
from pathlib import Path

import nbformat
from nbclient.exceptions import CellExecutionError

from book import execute, html

ROOT = Path(__file__).parent.parent
NOTEBOOKS, FIGURES, BUILD = ROOT / "notebooks", ROOT / "figures", ROOT / "build"


def main(arguments: list[str]) -> int:
    """Builds what `arguments` (notebook numbers; none means all) name; returns the exit status."""
    try:
        scripts = _named(arguments)
        # All refusals come before any work, so a long build does not end in one.
        for script in scripts:
            execute.refuse_changed(script.with_suffix(".ipynb"))
        for script in scripts:
            _notebook(script)
        page = html.build(sorted(NOTEBOOKS.glob("[0-9][0-9]_*.ipynb")), BUILD / "book", BUILD / "tables")
    except (execute.ReadersChanges, html.BookError, ValueError) as error:
        print(error, file=sys.stderr)
        return 1
    except CellExecutionError as error:
        print(f"A cell of {script.name} failed:\n{error}", file=sys.stderr)
        return 1
    print(f"The book: {page}")
    return 0


def _named(numbers: list[str]) -> list[Path]:
    scripts = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.py"))
    known = [script.name[:2] for script in scripts]
    if unknown := [number for number in numbers if number.zfill(2) not in known]:
        raise ValueError(f"There is no notebook {unknown[0]}; there are {', '.join(known)}.")
    wanted = {number.zfill(2) for number in numbers} or set(known)
    return [script for script in scripts if script.name[:2] in wanted]


def _notebook(script: Path) -> None:
    print(f"{script.name} ...", end=" ", flush=True)
    if not execute.build(script, BUILD / "stamps"):
        print("unchanged")
        return
    notebook = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    FIGURES.mkdir(exist_ok=True)
    for name, png in execute.named_pictures(notebook).items():
        (FIGURES / f"{name}.png").write_bytes(png)
    print("built")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
