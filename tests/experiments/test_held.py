"""What the experiment on what levels hold measures, on a small model."""

import pytest
import torch

from nlcore.train import load

from experiments import held
from experiments.experiment import introduction
from tests.experiments.test_language import SMALL
from tests.train.small import TEXT

HERE = SMALL | dict(context=8, steps=4, model="hope")


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """The licence's held-out part has room for this much."""
    monkeypatch.setattr(held, "TOKENS", 16)
    monkeypatch.setattr(held, "PIECES", 6)
    monkeypatch.setattr(held.held, "__defaults__", (6,))


def test_the_figures_fit_together(tmp_path):
    found = held.run(HERE, 1e-2, 0, tmp_path)
    assert list(found["gain"]) == ["memory", "projections", "cms-3", "cms-2", "cms-1"]
    assert found["gain"] == pytest.approx({level: found["same"][level] - found["another"][level] for level in found["gain"]}, abs=1e-6)
    assert found["memory_gain"] == found["gain"]["memory"] and all(error >= 0 for error in found["gain_error"].values())
    assert set(held.EXPERIMENT.columns) <= found.keys() and set(found["kinds"]) == set(held.KINDS)
    assert held.held(*load(tmp_path), str(TEXT)) == {name: found[name] for name in ("kinds", "same", "another", "gain", "gain_error", "memory_gain")}


def test_a_run_that_diverged_holds_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(held.language, "language_model", lambda *_: {"bits_per_byte": None})
    assert held.run(HERE, 1e-2, 0, tmp_path) == {"bits_per_byte": None}


def test_kinds_of_bytes():
    text = torch.tensor([list(b"ab 1c\n  x")])
    found = {kind: there[0].nonzero().flatten().tolist() for kind, there in held.kinds(text).items()}
    assert found == {"first letter": [3, 7], "letter inside": [0], "space, line end": [1, 4, 5, 6]}


def test_the_arms_make_sense():
    assert "5 runs in all" in introduction(held.EXPERIMENT, 2)
    decided = held.EXPERIMENT.configuration(held.EXPERIMENT.arms[0].settings, 4e-3, 0)
    assert decided["pieces"] == 6 and decided["config"]["preset"]["carry"] == 15
