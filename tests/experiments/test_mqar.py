"""Recall against bytes of state: states are as large as is said, and a run is decided by its configuration alone."""

import math
from collections import Counter
from dataclasses import replace

import pytest
import torch

from experiments import asked, mqar
from experiments.experiment import introduction
from experiments.mqar import EXPERIMENT, LARGE, LOADS, SMALL, configuration, load_at, run

TINY = dict(steps=3, questions=64)
"""Of training; what is measured is made small by `few`."""


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(mqar, "QUESTIONS", 64)


@pytest.fixture(scope="module")
def figures():
    """Of every arm after three steps; with `few`, which a module's fixture cannot ask for."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mqar, "QUESTIONS", 64)
        return {arm.name: run(arm.settings | TINY, 5e-3, 0, None) for arm in EXPERIMENT.arms}


def test_every_arm_trains_and_gives_what_the_table_asks_for(figures):
    for name, found in figures.items():
        assert set(EXPERIMENT.columns) | {"error", "recall", "bytes", "loss", "steps", "seconds"} == set(found), name
        assert found["steps"] == 3 and math.isfinite(found["loss"]), name
        assert len(found["recall"]) == len(LOADS) and found["error"] == 1 - found["recall_32"] == 1 - found["recall"][3]
        assert (found["frozen"] is None) == (name == "attention" or name.startswith("window")), name


@pytest.mark.parametrize(("size", "heads"), [("small", 4), ("large", 2)])
def test_in_one_size_all_states_have_about_the_same_bytes(figures, size, heads):
    tail, width = 3 * 64 * 4, 64 // heads
    matrices = heads * width**2 * 4
    of_size = [name for name in figures if name.endswith(f", {size}")]
    found = {name.removesuffix(f", {size}"): figures[name]["bytes"] - tail for name in of_size}
    assert set(found) == set(mqar.MODELS)
    for name in ("RetNet", "DeltaNet without erasing", "DeltaNet", "Gated DeltaNet", "Oja", "window"):
        assert found[name] == matrices, name
    assert found["linear attention"] == matrices + heads * width * 4  # one more row: the mean's
    assert found["Omega"] == matrices + 3 * 2 * 64 * 4  # three pairs before
    assert found["Titans"] == pytest.approx(matrices, rel=0.13)


def test_attention_keeps_every_token_and_the_large_titans_six_times_the_bytes(figures):
    tail = 3 * 64 * 4
    assert figures["attention"]["bytes"] == 4 * 32 * 2 * 64 * 4 + tail
    ratio = (figures["Titans, six times the bytes"]["bytes"] - tail) / (figures["DeltaNet, large"]["bytes"] - tail)
    assert ratio == pytest.approx(6)


def test_arms_of_one_size_differ_in_their_memory_alone():
    for sizes, name in ((SMALL, "small"), (LARGE, "large")):
        given = [arm.settings for arm in EXPERIMENT.arms if arm.name.endswith(f", {name}")]
        assert len(given) == len(mqar.MODELS) and len({settings["model"] for settings in given}) == len(given)
        assert all({**settings, "model": None} == {**sizes, "model": None} for settings in given)


def test_a_run_is_decided_by_its_configuration_and_leaves_the_random_state_alone():
    settings = SMALL | TINY | dict(model="deltanet")
    torch.manual_seed(7)
    before = torch.get_rng_state()
    asked = ((5e-3, 0), (5e-3, 0), (5e-3, 1), (1e-2, 0))
    one, same, other, faster = (run(settings, rate, seed, None) for rate, seed in asked)
    assert torch.equal(before, torch.get_rng_state())
    assert one["loss"] == same["loss"] and one["recall"] == same["recall"]
    assert len({one["loss"], other["loss"], faster["loss"]}) == 3
    keys = {str(configuration(arm.settings, *of)) for arm in EXPERIMENT.arms for of in ((1, 0), (1, 1), (2, 0), (2, 1))}
    assert len(keys) == 4 * len(EXPERIMENT.arms)


def test_a_run_that_diverges_has_no_error(monkeypatch):
    monkeypatch.setattr(asked, "factor", lambda done: math.inf)
    found = run(SMALL | TINY | dict(model="deltanet"), 1e-2, 0, None)
    assert found["error"] is None and set(found) == {"error", "steps", "seconds"}


def test_small_loads_come_first_and_all_of_them_from_two_thirds_on():
    draw = torch.Generator().manual_seed(0)
    assert {load_at(done / 100, draw) for done in range(1, 13)} == {4}
    assert {load_at(0.3, draw) for _ in range(100)} == {4, 8, 16}
    late = Counter(load_at(0.67, draw) for _ in range(1000))
    assert set(late) == set(LOADS) and min(late.values()) > 150


def test_texts_of_the_measure_are_those_that_no_seed_of_training_draws():
    """The same for every arm, and other ones than training's."""
    assert mqar.HELD_OUT not in EXPERIMENT.seeds
    first, same = (mqar._texts(8, 64, 64, torch.Generator().manual_seed(mqar.HELD_OUT))[0] for _ in range(2))
    trained = {tuple(row) for seed in EXPERIMENT.seeds for row in
               mqar._texts(8, 64, 1024, torch.Generator().manual_seed(seed))[0].tolist()}  # fmt: skip
    assert torch.equal(first, same) and not trained & {tuple(row) for row in first.tolist()}


def test_recall_is_learnt_only_if_the_memory_writes():
    """DeltaNet, few symbols, the easiest load: what the whole experiment does, in seconds."""
    settings = LARGE | dict(model="deltanet", symbols=8, steps=150)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mqar, "LOADS", (2, 4))
        patch.setattr(mqar, "LOAD", 4)
        patch.setattr(mqar, "QUESTIONS", 2048)
        found = run(settings, 1e-2, 0, None)
    print(found)
    assert found["recall_4"] > 0.9 and found["frozen"] < 0.3  # 1/8 by chance


def test_a_tiny_copy_runs_from_its_tuning_to_its_table(go):
    few_arms = [arm for arm in EXPERIMENT.arms if arm.name.startswith(("Oja", "attention"))]
    arms = tuple(replace(arm, settings=arm.settings | TINY) for arm in few_arms)
    found = go(replace(EXPERIMENT, arms=arms, rates=(5e-3, 1e-2)))
    assert [row["arm"] for row in found.rows] == ["Oja, small", "Oja, large", "attention"]
    assert all(len(row["scores"]) == 3 and row["low"] <= row["mean"] <= row["high"] for row in found.rows)
    assert "state, kB" in found.text() and "4.864" in found.text() and found.corpus is None


def test_the_experiment_stays_within_its_minutes():
    assert "100 runs in all" in introduction(EXPERIMENT, 2)
    assert 5 * sum(arm.minutes for arm in EXPERIMENT.arms) <= 40
