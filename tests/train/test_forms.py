"""Training with the other forms of the continuum memory: resumed bitwise, starts included; old configs unchanged."""

import shutil

import pytest
import torch

from nlcore.optim import LevelOptimizer, NestedLevelOptimizer
from nlcore.train import TrainConfig, TrainError, checkpoint, device, new, parts, train
from nlcore.train.checkpoint import STATE
from nlcore.train.folder import RunFolder
from tests.train.small import equal_runs, last, same, small, stopped
from tests.train.test_fits import sign

FORMS = (dict(continuum="nested"), dict(continuum="head-wise"), dict(order="slow first"))


@pytest.fixture(scope="module")
def nested(tmp_path_factory):
    """A nested run of 12 steps that nothing disturbed."""
    folder = new(small(continuum="nested"), tmp_path_factory.mktemp("nested") / "run")
    train(folder)
    return folder


@pytest.mark.parametrize("form", FORMS, ids=lambda form: next(iter(form.values())))
def test_stopped_and_resumed_equals_not_stopped(tmp_path, form):
    one, two = (new(small(**form), tmp_path / name) for name in ("one", "two"))
    train(one)
    stopped(two, 7)
    assert train(two)["state"] == "done" and equal_runs(one, two)


def test_a_nested_run_restarts_its_levels_and_ends_with_what_they_restart_from(nested, tmp_path):
    """Periods 1, 2 and 4, and 12 steps: both children restart with the last of them."""
    chain = new(small(), tmp_path / "chain")
    train(chain)
    saved = last(nested)
    starts = saved.state["optimizer"]["starts"]
    assert starts.keys() == {"cms-3", "cms-2"}
    for level, found in starts.items():
        weights = [w for name, w in saved.weights.items() if f".{level}." in name]
        assert sorted(w.sum().item() for w in found) == sorted(w.sum().item() for w in weights)
    assert not same(saved.weights, last(chain).weights)


def test_which_optimizer_a_preset_gets(tmp_path):
    made = parts.make(small(continuum="nested"), RunFolder(tmp_path), device.choose("cpu", "auto"))
    assert isinstance(made.optimizer, NestedLevelOptimizer)
    assert made.optimizer.parents == {"cms-3": "cms-2", "cms-2": "cms-1"}
    for choices in (dict(), dict(continuum="head-wise")):
        made = parts.make(small(**choices), RunFolder(tmp_path), device.choose("cpu", "auto"))
        assert type(made.optimizer) is LevelOptimizer


def test_a_config_of_before_is_that_of_a_chain_fastest_first():
    stored = small().as_json()
    for name in ("continuum", "order"):
        del stored["preset"][name]
    assert TrainConfig.from_json(stored) == small()


def shorter(state):
    state["optimizer"]["starts"]["cms-3"].pop()


WRONG = {
    "no starts": lambda state: state["optimizer"].pop("starts"),
    "one missing": shorter,
    "a level missing": lambda state: state["optimizer"]["starts"].pop("cms-2"),
    "another shape": lambda state: state["optimizer"]["starts"]["cms-2"].__setitem__(0, torch.zeros(2)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_starts_are_passed_over_and_the_end_is_the_same(nested, tmp_path, wrong):
    two = RunFolder(shutil.copytree(nested.path, tmp_path / "run"))
    path = checkpoint.steps(two.checkpoints)[-1]
    state = torch.load(path / STATE, weights_only=True)
    WRONG[wrong](state)
    torch.save(state, path / STATE)
    sign(path)
    assert train(two)["state"] == "done" and equal_runs(nested, two)
    assert "step-00000012 is damaged and is passed over: its optimizer cannot be used" in two.log.read_text()


def test_an_unknown_form_is_one_sentence():
    with pytest.raises(TrainError, match="There is no continuum 'loose': choose one of sequential, nested, head-wise"):
        small(continuum="loose")
