"""The cell that installs the course where it is missing: on a machine without it, on Colab, and where it is there."""

import fnmatch
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from book import source

NOTEBOOKS = Path(__file__).parent.parent.parent / "notebooks"
SCRIPTS = sorted(NOTEBOOKS.glob("[0-9][0-9]_*.py"))
# Stands in for pip: writes down what it was asked, and "installs" a package beside itself.
PIP = """
import pathlib, sys
here = pathlib.Path(__file__).parent.parent
here.joinpath("asked").write_text(repr(sys.argv[1:]))
if "no-such" in sys.argv[-1]:
    sys.exit("there is nothing there")
here.joinpath("nlcore").mkdir()
here.joinpath("nlcore", "__init__.py").touch()
"""
COLAB = """
import sys, types
output = types.ModuleType("google.colab.output")
output.enable_custom_widget_manager = lambda: print("enabled")
google, colab = types.ModuleType("google"), types.ModuleType("google.colab")
colab.output = output
sys.modules |= {"google": google, "google.colab": colab, "google.colab.output": output}
"""


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Python that has nothing installed."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / ("Scripts" if os.name == "nt" else "bin") / "python"


@pytest.fixture
def packages(tmp_path: Path) -> Path:
    """Where that Python looks for packages: only the pip that stands in."""
    (tmp_path / "packages" / "pip").mkdir(parents=True)
    (tmp_path / "packages" / "pip" / "__main__.py").write_text(PIP)
    return tmp_path / "packages"


def run(python: Path | str, folder: Path, packages: Path, typed: str = "", before: str = "") -> subprocess.CompletedProcess:
    """Runs the cell in `folder`, after `before`, while a reader types `typed`."""
    code = f"{before}\n{source.INSTALL.read_text()}\nimport nlcore\nprint('imported')"
    return subprocess.run(
        [python, "-c", code], cwd=folder, input=typed, env=os.environ | {"PYTHONPATH": str(packages)},
        capture_output=True, text=True,
    )


def test_it_is_the_second_cell_of_every_notebook():
    for script in SCRIPTS:
        cell = source.read(script).cells[1]
        assert cell.source == source.INSTALL.read_text().rstrip(), script.name
        assert cell.metadata.jupyter.source_hidden and "remove-cell" in cell.metadata.tags


def test_where_the_course_is_installed_it_does_nothing(root, tmp_path):
    forbidden = "import subprocess, builtins\nsubprocess.run = builtins.input = None"
    done = run(sys.executable, tmp_path, root, before=forbidden)
    assert (done.returncode, done.stdout, done.stderr) == (0, "imported\n", "")


def test_in_a_clone_it_installs_the_clone_and_asks_nothing(bare, packages, tmp_path):
    for name in ("nlcore", "notebooks"):
        (tmp_path / "clone" / name).mkdir(parents=True)
    done = run(bare, tmp_path / "clone" / "notebooks", packages)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("imported\n")
    assert eval((packages / "asked").read_text()) == ["install", "--quiet", "..[notebooks]"]


def test_a_notebook_alone_asks_for_the_address(bare, packages, tmp_path):
    done = run(bare, tmp_path, packages, typed="https://example.org/course \n")
    assert done.returncode == 0, done.stderr
    assert "The address of its repository" in done.stdout
    assert eval((packages / "asked").read_text())[-1] == "nlcore[notebooks] @ git+https://example.org/course"


def test_a_failure_is_one_sentence_with_pips_reason(bare, packages, tmp_path):
    done = run(bare, tmp_path, packages, typed="https://example.org/no-such\n")
    assert done.returncode != 0
    assert re.fullmatch(r"The course could not be installed from \S+ @ \S+: there is nothing there", done.stderr.strip())


@pytest.mark.parametrize("there", [True, False])
def test_on_colab_widgets_are_asked_for_in_each_session(bare, packages, tmp_path, there):
    if there:
        (packages / "nlcore").mkdir()
        (packages / "nlcore" / "__init__.py").touch()
    done = run(bare, tmp_path, packages, typed="https://example.org/course\n", before=COLAB)
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("enabled\nimported\n")
    assert (packages / "asked").exists() is not there


def test_all_files_that_the_package_reads_are_installed_with_it(root):
    package = root / "nlcore"
    globs = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["nlcore"]
    taken = {path for glob in globs for path in package.glob(glob)}
    others = {path for path in package.rglob("*") if path.is_file() and path.suffix not in (".py", ".pyc", ".md")}
    assert len(others) > 10 and others <= taken


def test_a_codespace_makes_the_environment_that_make_makes(root):
    space = json.loads((root / ".devcontainer" / "devcontainer.json").read_text())
    makefile = (root / "Makefile").read_text()
    assert re.search(rf"^{space['postCreateCommand'].removeprefix('make ')}:", makefile, re.MULTILINE)
    venv = re.search(r"^VENV := (\S+)", makefile, re.MULTILINE)[1]
    assert space["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"].endswith(f"/{venv}/bin/python")
    oldest = tomllib.loads((root / "pyproject.toml").read_text())["project"]["requires-python"].removeprefix(">=")
    assert space["image"].rpartition(":")[2] == oldest


def test_the_lab_lists_each_chapter_once(root):
    shown = subprocess.run(["make", "-n", "lab"], cwd=root, capture_output=True, text=True, check=True).stdout
    asked = shlex.split(next(line for line in shown.splitlines() if "jupyter lab" in line))
    hidden = [word.partition("hide_globs=")[2] for word in asked if "hide_globs=" in word]
    listed = [path.name for path in NOTEBOOKS.iterdir() if not any(fnmatch.fnmatch(path.name, glob) for glob in hidden)]
    assert sorted(name for name in listed if name[0].isdigit()) == [f"{script.stem}.ipynb" for script in SCRIPTS]
