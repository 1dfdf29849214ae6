"""The house itself: its commands, its links, its file sizes, and which part may import which."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TARGETS = ("help", "lab", "test", "train", "book", "bench", "clean")
# What a part of the package may import of the others, besides itself.
BELOW = {
    "memory": set(),
    "ops": set(),
    "probe": set(),
    "regions": set(),
    "levels": set(),
    "clock": set(),
    "machine": set(),
    "tasks": set(),
    "layers": {"memory", "ops", "probe", "regions"},
    "models": {"tasks", "layers", "levels", "probe", "memory", "ops"},
    "optim": {"memory", "ops", "probe", "clock"},
    "flops": {"models"},
    "sizing": {"machine", "models", "tasks"},
    "train": {"models", "optim", "ops", "tasks", "probe", "regions", "levels", "clock", "machine", "flops", "sizing"},
    "xray": {"levels", "layers", "models", "optim", "probe"},
    "viz": {"memory", "levels", "layers", "train", "optim", "ops"},
}
PAGES = [str(p.relative_to(ROOT)) for part in ("*", "nlcore/**/*", "experiments/**/*") for p in ROOT.glob(f"{part}.md")]
UNFINISHED = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")


def sources(*folders: str) -> list[Path]:
    """Every Python file of these folders, as paths from the root."""
    return sorted(p.relative_to(ROOT) for folder in folders for p in (ROOT / folder).rglob("*.py"))


def imported(path: Path) -> set[str]:
    """The parts of nlcore that a file imports, the imports inside functions included."""
    parts = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module == "nlcore":
            names = [f"nlcore.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively; write the full name"
            names = [node.module]
        else:
            continue
        parts |= {name.split(".")[1] for name in names if name.startswith("nlcore.")}
    return parts


@pytest.mark.parametrize("target", TARGETS)
def test_help_lists_every_target(target):
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.search(rf"^  {target} +\S", shown, re.MULTILINE)


def test_make_alone_shows_help():
    shown = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "make TARGET" in shown


def test_an_old_python_is_refused_in_one_sentence(tmp_path):
    old = tmp_path / "old-python"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.9.1" && exit 0\nexit 1\n')
    old.chmod(0o755)
    made = subprocess.run(
        ["make", "new-environment", f"PYTHON={old}", f"VENV={tmp_path / 'venv'}"],
        cwd=ROOT, capture_output=True, text=True,
    )
    assert made.returncode != 0
    assert "Python 3.9.1, and Python 3.11 or newer is needed" in made.stdout
    assert not (tmp_path / "venv").exists()


def test_a_half_made_environment_is_made_again(tmp_path):
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    planned = subprocess.run(
        ["make", "environment", f"VENV={tmp_path / 'venv'}", "PYTHON=no-such-python"],
        cwd=ROOT, capture_output=True, text=True,
    )
    assert planned.returncode != 0 and "no-such-python was not found" in planned.stdout


def test_a_linked_environment_is_never_cleared_through_its_link(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mine").write_text("kept")
    (tmp_path / "venv").symlink_to(elsewhere)
    made = subprocess.run(
        ["make", "environment", f"VENV={tmp_path / 'venv'}", f"PYTHON={sys.executable}"],
        cwd=ROOT, capture_output=True, text=True,
    )
    assert made.returncode != 0 and "is a link" in made.stdout
    assert (elsewhere / "mine").read_text() == "kept"


def test_ci_runs_the_test_command_of_the_readme():
    last = (ROOT / ".ci/run").read_text().splitlines()[-1]
    command = last.removeprefix("exec ")
    assert command == "make test"
    assert re.search(rf"^    {command} ", (ROOT / "README.md").read_text(), re.MULTILINE)


def test_make_train_passes_its_choices_on():
    asked = ["SIZE=laptop", "COMPARE=1", "MODEL=transformer", "DATA=my text", "RUN=runs/x"]
    shown = subprocess.run(
        ["make", "-n", "train", *asked], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    line = next(line for line in shown.splitlines() if "nlcore.train" in line)
    for part in ("--size laptop", "--model transformer", '--data "my text"', '--run "runs/x"', "--compare"):
        assert part in line


def test_lab_stays_on_this_machine_and_keeps_its_token():
    line = subprocess.run(
        ["make", "-n", "lab"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert "--ServerApp.ip=127.0.0.1" in line
    assert "token" not in line


@pytest.mark.parametrize("pip, said, kept", [("exit 0", "", True), ("exit 1", "cannot be installed here", False)])
def test_extras_are_installed_once_and_a_machine_without_them_goes_on(pip, said, kept, tmp_path):
    calls = tmp_path / "calls"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "pip").write_text(f'#!/bin/sh\necho "$@" >> {calls}\n{pip}\n')
    (tmp_path / "bin" / "pip").chmod(0o755)
    for _ in range(2):
        made = subprocess.run(["make", "--no-print-directory", "extras", f"VENV={tmp_path}"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said in made.stdout and bool(made.stdout) != kept
    assert len(calls.read_text().splitlines()) == (1 if kept else 2)
    assert "-c requirements.txt -r requirements-extras.txt" in calls.read_text()


@pytest.mark.parametrize("file, first", [("requirements.txt", "torch=="), ("requirements-extras.txt", "")])
def test_every_requirement_is_pinned_and_torch_comes_first(file, first):
    lines = (ROOT / file).read_text().splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]
    assert wanted[0].startswith(first)
    assert [line for line in wanted if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []


@pytest.mark.parametrize("page", PAGES)
def test_links_resolve(page):
    path = ROOT / page
    links = re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))
    local = [link.split("#")[0] for link in links if not re.match(r"https?://|#|mailto:", link)]
    assert [link for link in local if not (path.parent / link).exists()] == []


def test_files_stay_short():
    long = {str(p): n for p in sources("nlcore", "experiments", "tests", "book", "checkpoints")
            if (n := len((ROOT / p).read_text(encoding="utf-8").splitlines())) > 400}
    assert long == {}


def test_nothing_is_left_unfinished():
    mine = Path("tests/test_house.py")
    found = [str(p) for p in sources("nlcore", "experiments", "tests", "book", "checkpoints", "notebooks")
             if p != mine and UNFINISHED.search((ROOT / p).read_text(encoding="utf-8"))]
    assert found == []


@pytest.mark.parametrize("part", BELOW)
def test_imports_run_downwards(part):
    files = [p for p in sources("nlcore") if p.parts[1].removesuffix(".py") == part]
    assert files
    wrong = {str(p): up for p in files if (up := imported(p) - BELOW[part] - {part})}
    assert wrong == {}


def test_experiments_stand_above_the_package():
    """They train through it and know no view, so they run on a server without Jupyter."""
    views = {"viz", "exercises", "ledger"}
    wrong = {str(p): up for p in sources("experiments") if (up := imported(p) & views)}
    assert wrong == {}


def test_the_package_imports_nothing_that_lies_beside_it():
    beside = "|".join(re.escape(p.name) for p in ROOT.iterdir() if p.is_dir() and p.name != "nlcore")
    known = re.compile(rf"^ *(from|import) ({beside})\b", re.MULTILINE)
    assert [str(p) for p in sources("nlcore") if known.search((ROOT / p).read_text(encoding="utf-8"))] == []


def test_training_needs_no_notebook_and_no_plots():
    code = "import sys, nlcore.train; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    shown = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    ).stdout.split()
    assert "torch" in shown
    unwanted = {"IPython", "jupyter_core", "ipykernel", "ipywidgets", "anywidget", "matplotlib", "plotly"}
    assert unwanted & set(shown) == set()
