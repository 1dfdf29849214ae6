"""A checkpoint that is whole by its digests and wrong inside: passed over like a damaged one, nothing half-restored."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from nlcore.train import checkpoint, load, new, train
from nlcore.train.checkpoint import DIGESTS, STATE, WEIGHTS
from nlcore.train.folder import RunFolder, write_json
from nlcore.train.records import read_json
from tests.train.small import equal_runs, last, small


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 12 steps, with checkpoints of steps 4, 8 and 12."""
    folder = new(small(), tmp_path_factory.mktemp("whole") / "run")
    train(folder)
    return folder


@pytest.fixture
def copied(whole, tmp_path):
    return RunFolder(shutil.copytree(whole.path, tmp_path / "run"))


def sign(path):
    write_json(path / DIGESTS, {name: checkpoint.digest(path / name) for name in (WEIGHTS, STATE)})


def put(name, value):
    """Sets state[a][b]... for a name a/b/..."""

    def change(state):
        *parts, key = name.split("/")
        for part in parts:
            state = state[part]
        state[key] = value

    return change


def other_moments(state):
    held = state["optimizer"]["optimizers"]["weights"]["state"]
    held[next(iter(held))]["exp_avg"] = torch.ones(7)


WRONG = {
    "a key missing": lambda state: state.pop("steering"),
    "window": put("window", None),
    "elapsed": put("elapsed", float("nan")),
    "command": put("command", "a"),
    "rate": put("steering/memory_rate", 2.0),
    "corpus": put("corpus", None),
    "optimizer": put("optimizer/optimizers", 3),
    "levels": put("optimizer/scales", {"weights": 1.0}),
    "moments": other_moments,
    "gathered": put("optimizer/gathered/weights", [torch.ones(1)]),
    "period": put("optimizer/clock/periods/weights", 0),
    "fired": put("optimizer/clock/fired/weights", 13),
    "calls": put("optimizer/calls/weights", -1),
    "rates": put("optimizer/rates/weights", float("nan")),
    "a level without rates": lambda state: state["optimizer"]["rates"].pop("weights"),
    "since": put("optimizer/since/weights", [0, 0.0]),
    "groups": put("optimizer/optimizers/weights/param_groups", []),
    "seed": put("batches/seed", 9),
    "position": put("batches/position", 10**9),
    "before the text": put("batches/position", -1),
    "epoch": put("batches/epoch", "one"),
    "random of another size": put("random", torch.ones(5, dtype=torch.uint8)),
    "random of another type": put("random", "state"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_state_is_passed_over_and_the_end_is_the_same(whole, copied, wrong):
    path = copied.checkpoints / "step-00000012"
    state = torch.load(path / STATE, weights_only=True)
    WRONG[wrong](state)
    torch.save(state, path / STATE)
    sign(path)
    assert train(copied)["state"] == "done"
    log = copied.log.read_text()
    assert "step-00000012 is damaged and is passed over: its" in log and "from step 8," in log
    assert equal_runs(copied, whole)


@pytest.mark.parametrize("content", [[1], {}, {"step": "12"}, {"step": 8}, None])
def test_a_state_that_is_none_is_passed_over(copied, content):
    path = copied.checkpoints / "step-00000012"
    torch.save(content, path / STATE) if content is not None else (path / STATE).write_bytes(b"no archive")
    sign(path)
    assert last(copied).state["step"] == 8


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: {name: weight.int() for name, weight in weights.items()},
        lambda weights: {name: weight[..., :1].contiguous() for name, weight in weights.items()},
        lambda weights: dict(list(weights.items())[1:]),
        lambda weights: weights | {"more": torch.ones(1)},
    ],
    ids=["of integers", "of other shapes", "one missing", "one too many"],
)
def test_wrong_weights_are_passed_over_by_a_resume_and_by_load(whole, copied, capsys, change):
    path = copied.checkpoints / "step-00000012"
    save_file(change(load_file(path / WEIGHTS)), path / WEIGHTS)
    sign(path)
    model, _ = load(copied.path)
    assert "step-00000012 is damaged and is passed over: its weights" in capsys.readouterr().out
    eighth = load_file(whole.checkpoints / "step-00000008" / WEIGHTS)
    assert all(torch.equal(weight, eighth[name]) for name, weight in model.state_dict().items())
    train(copied)
    assert equal_runs(copied, whole)


def test_where_none_is_whole_the_run_begins_again_and_says_so(whole, copied):
    for path in checkpoint.steps(copied.checkpoints):
        (path / STATE).write_text("x")
    assert train(copied)["state"] == "done" and read_json(copied.status)["attempt"] == 2
    assert "No checkpoint of this run is whole, so it begins again from the first step." in copied.log.read_text()
    assert equal_runs(copied, whole)
