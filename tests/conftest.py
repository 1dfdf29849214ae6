"""Shared by all tests: where the project is, and a known random state."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from nlcore.train import reporting
from nlcore.viz.chart.table import STOPS

# No test downloads a model; read by transformers when it is imported.
os.environ["HF_HUB_OFFLINE"] = "1"
# Two workers share the cores, and tiny networks are slower on two threads than on one.
torch.set_num_threads(1)
# The samples of a run of a few steps would take most of its time; a process of its own writes whole ones.
reporting.SAMPLE, reporting.LAST_SAMPLE = 4, 8


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def seeded() -> None:
    """Every test starts from the same random state, whatever ran before it."""
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a test keeps the reader's file, which is nobody's own: a folder that is not there yet."""
    monkeypatch.setenv("NL_READER", str(tmp_path / "reader"))
    return tmp_path / "reader"


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium; tests that need it are skipped where there is none."""
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed, so nothing was tried in a browser.")
    return path


@pytest.fixture(scope="module")
def tables(root: Path) -> Iterator[Path]:
    """The explorers' tables of the fewest stops that the book may choose, in a folder that keeps them from run to run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nlcore.viz.chart.table.STOPS", STOPS[:1])
        yield root / "build" / "tables-of-tests"
