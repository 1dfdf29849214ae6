"""The rows of Table 6: each changes what it names and nothing else, and a run is decided by its configuration alone."""

import math

import pytest
import torch

from experiments import ablation, ablation_recall
from experiments.ablation import PRINTED, ROWS, SIX
from experiments.ablation_recall import EXPERIMENT, LOADS, configuration, run
from experiments.experiment import introduction
from nlcore.layers import ContinuumMemory
from nlcore.train.parts import built
from experiments.language import configure
from experiments.paper import TABLES

TINY = dict(steps=3, questions=16)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(ablation_recall, "QUESTIONS", 16)


def test_the_rows_are_those_of_the_paper_and_ours():
    assert list(ROWS) == [*TABLES["6"].rows, "w/o Momentum and q"]
    assert all(set(change) <= set(PRINTED) and change != PRINTED for change in ROWS.values())


def test_every_row_is_built_as_it_is_named():
    memories, parameters = {}, {}
    for arm in ablation.EXPERIMENT.arms:
        with torch.device("meta"):
            model = built(configure(arm.settings, 2e-3, 0), 256)
        layer, channel = model.blocks[0].mixer, model.blocks[0].channel
        groups = (layer.projections, layer.rate_memories, layer.memory)
        memories[arm.name] = {name for group in groups if group is not None for name in group.names}
        parameters[arm.name] = sum(p.numel() for p in model.parameters())
        assert (layer.theta is None) == ("Momentum" in arm.name), arm.name
        assert isinstance(channel, ContinuumMemory) and len(channel.levels) == (1 if arm.name == "w/o CMS" else 3)
    every = {*SIX, "memory"}
    lacking = {"w/o weight decay": "alpha", "w/o Momentum and q": "q"} | {f"w/o inner-projection {name}": name for name in "kvq"}
    assert memories == {name: every - {lacking.get(name)} for name in ROWS}
    assert max(parameters.values()) < 1.04 * min(parameters.values())


@pytest.mark.parametrize("name", ROWS)
def test_every_arm_trains_on_recall_and_gives_what_the_table_asks_for(name):
    found = run(EXPERIMENT.arm(name).settings | TINY, 4e-3, 0, None)
    assert set(EXPERIMENT.columns) | {"error", "loss", "steps", "seconds"} == set(found)
    assert math.isfinite(found["loss"]) and found["error"] == 1 - sum(found[f"recall_{pairs}"] for pairs in LOADS) / len(LOADS)


def test_a_run_is_decided_by_its_configuration_and_leaves_the_random_state_alone():
    settings = EXPERIMENT.arms[0].settings | TINY
    before = torch.get_rng_state()
    first, again, other = (run(settings, 4e-3, seed, None) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert {name: value for name, value in first.items() if name != "seconds"} == {n: v for n, v in again.items() if n != "seconds"}
    assert first["loss"] != other["loss"] and configuration(settings, 4e-3, 0) != configuration(settings, 4e-3, 1)


def test_a_run_that_stops_being_finite_has_no_score():
    assert run(EXPERIMENT.arms[0].settings | TINY, math.inf, 0, None)["error"] is None


def test_both_together_take_an_hour_at_most():
    minutes = [float(introduction(one, 2).split(" with 2 side")[0].split()[-1]) for one in (ablation.EXPERIMENT, EXPERIMENT)]
    assert sum(minutes) <= 60
