"""Shared by the tests of experiments: models that only these know are known to no other test."""

import pytest

from nlcore.models import MODELS

from experiments import experiment as experiments
from experiments import results
from experiments.experiment import perform
from tests.experiments.cheap import AtOnce


@pytest.fixture(autouse=True)
def models_as_before():
    before = dict(MODELS)
    yield
    MODELS.clear()
    MODELS.update(before)


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Results and runs of a test stay in its folder, and its runs in its process."""
    monkeypatch.setattr(results, "FOLDER", tmp_path / "results")
    monkeypatch.setattr(results, "ROOT", tmp_path)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(experiments, "Pool", AtOnce)


@pytest.fixture
def go(here, tmp_path):
    """Performs an experiment on what is stored, and returns what is stored then."""

    def perform_it(asked, failed=0, said=None):
        stored = results.read(tmp_path / "results" / f"{asked.name}.json")
        say = (lambda line: None) if said is None else said.append
        assert len(perform(asked, stored, tmp_path / "runs", 2, say)) == failed
        return results.read(stored.path)

    return perform_it
