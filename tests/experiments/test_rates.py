"""The sweep of learning rates: what its arms differ in, its parabolas, and what it says under its table."""

import math
from dataclasses import replace

import pytest

from nlcore.models import PRESETS, preset_of

from experiments import rates
from experiments.experiment import introduction
from experiments.language import configure
from experiments.rates import EXPERIMENT, LARGER, SIZE, TOLERANCE, best, experiment, powers, report
from tests.experiments import cheap
from tests.train.small import TEXT


def test_all_arms_read_the_same_tokens_within_an_hour_of_one_core():
    for arm in EXPERIMENT.arms:
        preset = configure(arm.settings, 4e-3, 0).preset
        assert preset.steps * preset.batch * preset.context == 102_400 and preset.dim // preset.heads == 32
        assert {name for name in SIZE if arm.settings[name] != SIZE[name]} <= {"depth"}
    ways = {tuple(arm.settings[name] for name in ("model", "optimizer", "dim", "depth")) for arm in EXPERIMENT.arms}
    assert len(ways) == len(EXPERIMENT.arms) == 2 * 3 * 3 + 2
    assert "80 runs in all, 24 minutes" in introduction(EXPERIMENT, 1)


@pytest.mark.parametrize("size", LARGER)
def test_a_larger_size_is_its_preset_but_for_the_steps_and_the_optimizer(size):
    asked = experiment(size)
    for arm in asked.arms:
        config = configure(arm.settings, PRESETS[size].lr, 0)
        assert replace(config.preset, steps=0) == replace(preset_of(size, config.model), steps=0)
        assert (config.optimizer, config.device) == (arm.settings["optimizer"], "auto")
        assert arm.name.endswith(f"first 100 steps of {size}")
    assert asked.name == f"rates_{size.replace('.', '_')}" and asked.rates[1] == PRESETS[size].lr


def test_the_parabola_finds_the_minimum_and_where_it_is_within_the_tolerance():
    def score(rate):
        return 3 + 0.5 * math.log(rate / 5e-3) ** 2

    found = best([[rate, score(rate)] for rate in (1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2)])
    assert found.rate == pytest.approx(5e-3)
    assert [score(found.low), score(found.high)] == pytest.approx([3 + TOLERANCE] * 2) and found.low < 5e-3 < found.high


@pytest.mark.parametrize("scores", [(3, 2, 1), (1, 2, 3), (3, 2, None), (2, 2, 2), (None, None, None), ()])
def test_a_best_at_an_edge_or_beside_a_run_that_diverged_is_none(scores):
    assert best([[2e-3 * 2**i, score] for i, score in enumerate(scores)]) is None


def test_the_report_names_powers_and_what_they_would_give_at_the_presets(go, monkeypatch, tmp_path):
    monkeypatch.setattr(rates, "FOLDER", tmp_path)
    (tmp_path / "rates_160m.json").touch()

    def run(settings, rate, seed, folder):
        at = 4e-3 * (settings["dim"] / 64) ** -0.5 * (2 if settings["optimizer"] == "muon" else 1)
        return {"score": None if settings["optimizer"] == "m3" else math.log(rate / at) ** 2}

    found = go(replace(EXPERIMENT, run=run, score="score", configuration=cheap.configuration, renewed=lambda stored: stored))
    lines = powers(found)
    assert set(lines) == {(model, by) for model in rates.MODELS for by in ("adamw", "muon")}
    assert [line.power for line in lines.values()] == pytest.approx([-0.5] * 4)
    said = report(found)
    assert "  Hope, muon, width 64: 0.008 (0.0069 to 0.0092)" in said and "Hope, m3, width 32: not found yet" in said
    assert "Hope, adamw: over 3 widths the best rate goes as width to the -0.50." in said
    assert "  Hope 160m, width 896: 0.0011 by that power, and the preset has 0.001" in said
    assert "--size laptop" in said and "--size 160m" not in said


def test_a_tiny_copy_runs_to_its_report(go):
    few = dict(data=str(TEXT), steps=2, context=32, batch=1, final_windows=1, hidden=8)
    arms = tuple(replace(arm, settings=arm.settings | few | dict(dim=32)) for arm in EXPERIMENT.arms if "muon, width 32" in arm.name)
    found = go(replace(EXPERIMENT, arms=arms[:1], rates=(4e-3, 8e-3), seeds=(0,)))
    assert len(found.rows) == 1 and "Transformer++, muon, width 32" in report(found)
