"""Runs a notebook in a real kernel and keeps what is stable: cells, outputs, no widget state."""

import base64
import hashlib
import os
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode

from book import source

BUILT_FROM = "built_from"
TIMEOUT_S = 1800


class ReadersChanges(Exception):
    """A notebook holds cells that the build would overwrite."""


def refuse_changed(notebook: Path) -> None:
    """Raises ReadersChanges, in one sentence, if cells of `notebook` differ from its last build."""
    if not notebook.exists():
        return
    stored = nbformat.read(notebook, as_version=4)
    if stored.metadata.get(BUILT_FROM) != source.fingerprint(stored):
        raise ReadersChanges(
            f"{notebook} has cells that differ from its last build, and building would lose them: "
            f"save it under another name (or bring the changes to {notebook.with_suffix('.py').name}) "
            "and delete it, then build again."
        )


def build(script: Path, stamps: Path) -> bool:
    """Executes `script` and writes the `.ipynb` beside it; False if nothing changed since.

    `stamps` is a folder that remembers what each notebook was last built from here. Raises
    ReadersChanges, and nbclient's CellExecutionError if a cell fails.
    """
    target = script.with_suffix(".ipynb")
    refuse_changed(target)
    notebook = source.read(script)
    stamp, inputs = stamps / script.stem, _inputs(notebook)
    if target.exists() and stamp.exists() and stamp.read_text() == inputs:
        return False
    run(notebook, script.parent)
    notebook.metadata[BUILT_FROM] = source.fingerprint(notebook)
    nbformat.write(notebook, target)
    stamps.mkdir(parents=True, exist_ok=True)
    stamp.write_text(inputs)
    return True


def run(notebook: NotebookNode, folder: Path) -> None:
    """Executes `notebook` in place, with `folder` as its working directory."""
    client = NotebookClient(
        notebook,
        timeout=TIMEOUT_S,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
        store_widget_state=False,
        record_timing=False,
        coalesce_streams=True,
    )
    # Tells demos to leave a picture where a live widget would be.
    client.execute(env=os.environ | {"NL_STATIC": "1"})
    notebook.metadata = nbformat.from_dict(dict(source.METADATA))


def named_pictures(notebook: NotebookNode) -> dict[str, bytes]:
    """The PNG outputs that were shown under a name, by that name."""
    return {
        about["name"]: base64.b64decode(output.data["image/png"])
        for cell in notebook.cells
        for output, about in pictures(cell)
        if "name" in about
    }


def pictures(cell: NotebookNode) -> list[tuple[NotebookNode, dict]]:
    """Each PNG output of a cell with what its metadata says about it (alt text, name)."""
    outputs = cell.get("outputs", [])
    return [
        (output, output.metadata.get("image/png", {}))
        for output in outputs
        if "image/png" in output.get("data", {})
    ]


def package() -> str:
    """A hash of all that pictures and tables are computed from, but for the notebooks."""
    digest = hashlib.sha256()
    root = Path(__file__).parent.parent
    sources = [path for kind in ("py", "npz") for path in (root / "nlcore").rglob(f"*.{kind}")]
    for path in [*sorted(sources), root / "requirements.txt"]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _inputs(notebook: NotebookNode) -> str:
    # The package counts too: its figures change when it does.
    return hashlib.sha256((source.fingerprint(notebook) + package()).encode()).hexdigest()
