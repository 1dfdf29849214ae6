"""What the experiment on a lasting state measures, on a small model."""

import numpy as np
import pytest

from nlcore.train import load

from experiments import lasting
from experiments.experiment import introduction
from tests.experiments.test_language import SMALL
from tests.train.small import TEXT

HERE = SMALL | dict(context=8, steps=4)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """The licence's held-out part has room for this much."""
    monkeypatch.setattr(lasting, "STRETCHES", 5)


@pytest.mark.parametrize("model", ["hope", "transformer"])
def test_the_figures_fit_together(tmp_path, model):
    found = lasting.run(HERE | dict(model=model, carry=2), 1e-2, 0, tmp_path)
    names = {"reading_on", "afresh", "gain", "gain_error"} | ({"eta_0"} if model == "hope" else set())
    lists = {name for name, value in found.items() if isinstance(value, list)}
    assert lists == names and all(len(found[name]) == lasting.PIECES for name in names)
    on, fresh, gain = (np.array(found[name]) for name in ("reading_on", "afresh", "gain"))
    np.testing.assert_allclose(fresh - on, gain, atol=2e-5)
    assert gain[0] == found["gain_error"][0] == 0 and np.abs(gain[1:]).max() > 0
    assert found["rise"] == pytest.approx(on[-1] - on[0], abs=2e-5) and found["rise_error"] > 0
    assert found["mean_gain"] == pytest.approx(gain[1:].mean(), abs=2e-5)
    means = [found["mean_reading_on"], found["mean_afresh"]]
    assert means == pytest.approx([on.mean(), fresh.mean()], abs=2e-5) and found["last_gain"] == gain[-1]
    assert set(lasting.EXPERIMENT.columns) <= found.keys() | {"bits_per_byte_eta_0"}


def test_a_run_that_diverged_has_no_positions(tmp_path, monkeypatch):
    monkeypatch.setattr(lasting.language, "language_model", lambda *_: {"bits_per_byte": None})
    assert lasting.run(HERE, 1e-2, 0, tmp_path) == {"bits_per_byte": None}


def test_memories_write_again_after_the_measure(tmp_path):
    lasting.run(HERE | dict(model="hope"), 1e-2, 0, tmp_path)
    model, tokenizer = load(tmp_path)
    once, again = (lasting.positions(model, tokenizer, str(TEXT), 8) for _ in range(2))
    assert once == again and once["eta_0"][1] != once["reading_on"][1]


def test_the_arms_make_sense():
    assert "20 runs in all" in introduction(lasting.EXPERIMENT, 2)
    for arm in lasting.EXPERIMENT.arms:
        decided = lasting.EXPERIMENT.configuration(arm.settings, 4e-3, 0)
        assert decided["stretches"] == 5 and decided["config"]["preset"]["carry"] == arm.settings["carry"]
