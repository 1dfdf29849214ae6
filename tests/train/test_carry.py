"""Training with the state carried from one window to the next: as a plain loop does it, and exactly resumed."""

import shutil

import pytest
import torch

from nlcore.models import MODELS
from nlcore.train import TrainConfig, TrainError, device, new, parts, schedule, train
from nlcore.train.carried import gathered, leaves, pattern, rebuilt, shared
from nlcore.train.checkpoint import STATE
from nlcore.train.finite import Guard, NonFinite
from nlcore.train.folder import RunFolder
from nlcore.train.loop import Trainer
from nlcore.train.parallel import ALONE
from nlcore.train.records import latest, read_json, records
from tests.train.small import equal_runs, last, losses, small
from tests.train.test_fits import put, sign
from tests.train.test_parallel import SAME, assert_close_runs, torchrun

CPU = device.choose("cpu", "auto")
CUT = dict(carry=2, batch=4, context=20)
"""Spans of three windows that end inside a chunk, and three lanes: four rounds in 12 steps. Checkpoints at 4, 8 and 12."""


def stop_at(monkeypatch, step):
    advance = Trainer.advance

    def advance_and_stop(trainer):
        advance(trainer)
        trainer.leave = trainer.leave or trainer.step == step

    monkeypatch.setattr(Trainer, "advance", advance_and_stop)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 12 steps that nothing disturbed."""
    folder = new(small(**CUT), tmp_path_factory.mktemp("whole") / "run")
    train(folder)
    return folder


WAYS = [(model, {}) for model in MODELS]
WAYS += [
    (model, more)
    for model in ("hope", "hope-attention", "transformer", "titans")
    for more in (dict(micro_batch=2), dict(checkpoint_blocks=True), dict(chunks=(32, 64)))
]


def assert_it_is_the_loop(config, path):
    """A run of 8 steps is a plain loop: each row with a state of its own, begun anew where its span begins."""
    trained, made = new(config, path / "run"), parts.make(config, RunFolder(path), CPU)
    train(trained)
    states = {}
    for step in range(1, 9):
        lane, begins = made.batches.lane, made.batches.piece == 0
        for row, (x, y) in enumerate(zip(*made.batches.next())):
            before = None if begins else states.get((lane, row))
            logits, state, _ = made.model(x[None], None if before is None else made.model.attach(before))
            (torch.nn.functional.cross_entropy(logits[0], y) / 4).backward()
            states[lane, row] = made.model.detach(state)
        made.optimizer.step(step, config.preset.lr * schedule.factor(step / 8), last=step == 8)
    found = last(trained).weights
    for name, weight in made.model.state_dict().items():
        # Of a gradient near zero Adam makes a step of 1e-3 all the same, so float32's last digit shows.
        torch.testing.assert_close(found[name], weight, rtol=0, atol=5e-5, msg=name)
    return states


@pytest.mark.parametrize("model, more", WAYS)
def test_it_is_a_plain_loop_row_by_row(tmp_path, model, more):
    """Chunks longer than a window fill up over it."""
    assert_it_is_the_loop(small(**CUT | more, model=model, steps=8, lr=1e-3), tmp_path)


def test_a_carried_state_changes_what_is_learnt(whole, tmp_path):
    """From the second step on; and reports stand as ever."""
    fresh = new(small(**CUT | dict(carry=0)), tmp_path)
    train(fresh)
    assert losses(whole)[-1] != losses(fresh)[-1]
    rows = latest(records(whole.levels), "level", "memory")
    assert len(rows) == len(latest(records(fresh.levels), "level", "memory"))
    assert all(row["surprise"] > 0 for row in rows if row["memory"])


@pytest.mark.parametrize("model", ["hope", "transformer"])
@pytest.mark.parametrize("step", [1, 5, 7])
def test_stopped_and_resumed_equals_not_stopped(tmp_path, model, step, monkeypatch):
    """At the start, in the middle of a round, and after some."""
    one, two = (new(small(**CUT, model=model), tmp_path / name) for name in ("one", "two"))
    train(one)
    stop_at(monkeypatch, step)
    assert train(two)["state"] == "stopped" and last(two).state["carried"].keys() == last(two).state["batches"]["rows"].keys()
    monkeypatch.undo()
    assert train(two)["state"] == "done" and equal_runs(one, two)


def test_a_resume_may_compute_in_other_parts(whole, tmp_path, monkeypatch):
    folder = new(small(**CUT), tmp_path)
    stop_at(monkeypatch, 7)
    train(folder)
    monkeypatch.undo()
    assert train(folder, micro_batch=1)["state"] == "done"
    assert_close_runs(whole, folder)


def test_a_run_of_one_goes_on_with_two_and_of_two_with_one(whole, tmp_path, monkeypatch):
    folder = new(small(**CUT, micro_batch=2), tmp_path)
    stop_at(monkeypatch, 7)
    train(folder)
    monkeypatch.undo()
    until_9 = SAME + "\n    trainer.leave = trainer.step == 9"
    ended = torchrun(folder, until_9)
    assert ended.returncode == 0, ended.stderr
    saved = last(folder).state
    assert saved["step"] == 9 and len(saved["carried"]) == 2
    assert all(len(leaf) == 4 for rows in saved["carried"].values() for leaf in rows if torch.is_tensor(leaf))
    assert train(folder)["state"] == "done"
    assert_close_runs(whole, folder)


def test_another_text_begins_fresh(tmp_path, monkeypatch):
    text = tmp_path / "text"
    text.write_text("one text, and again. " * 200)
    folder = new(small(**CUT, data=str(text)), tmp_path / "run")
    stop_at(monkeypatch, 7)
    train(folder)
    assert last(folder).state["carried"]
    monkeypatch.undo()
    text.write_text("another text, now. " * 300)
    assert train(folder, accept_data=True)["state"] == "done"
    assert last(folder).state["batches"]["taken"] == 5


def spoilt(index, change):
    def spoil(state):
        rows = state["carried"][0]
        rows[index] = change(rows[index])

    return spoil


def many(state):
    state["batches"]["rows"][3] = state["batches"]["rows"][0]
    state["carried"][3] = state["carried"][0]


TENSOR, NUMBER = 0, -1
WRONG = {
    "nothing": lambda state: state.pop("carried"),
    "none": put("carried", {}),
    "no dict": put("carried", 3),
    "a lane missing": lambda state: state["carried"].pop(0),
    "a lane too many": many,
    "no list": lambda state: state["carried"].update({0: 3}),
    "one missing": lambda state: state["carried"][0].pop(),
    "one too many": lambda state: state["carried"][0].append(0),
    "fewer rows": spoilt(TENSOR, lambda x: x[:2]),
    "another width": spoilt(TENSOR, lambda x: x[..., :-1]),
    "fewer dimensions": spoilt(TENSOR, lambda x: x[..., 0]),
    "whole numbers": spoilt(TENSOR, lambda x: x.long()),
    "not finite": spoilt(TENSOR, lambda x: x * float("nan")),
    "a number for a tensor": spoilt(TENSOR, lambda x: 1),
    "a tensor for a number": spoilt(NUMBER, lambda x: torch.ones(4)),
    "a negative position": spoilt(NUMBER, lambda x: -8),
    "a row's start missing": lambda state: state["batches"]["rows"][0].pop(),
    "a start before the text": lambda state: state["batches"]["rows"][0].__setitem__(1, -1),
    "a start after the text": lambda state: state["batches"]["rows"][0].__setitem__(1, 10**6),
    "a start of another kind": lambda state: state["batches"]["rows"][0].__setitem__(1, 1.0),
    "no rows": lambda state: state["batches"].pop("rows"),
    "batches of another kind": put("batches/taken", "one"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_state_is_passed_over_and_the_end_is_the_same(whole, tmp_path, wrong):
    folder = RunFolder(shutil.copytree(whole.path, tmp_path / "run"))
    path = folder.checkpoints / "step-00000012"
    state = torch.load(path / STATE, weights_only=True)
    WRONG[wrong](state)
    torch.save(state, path / STATE)
    sign(path)
    assert train(folder)["state"] == "done"
    assert "step-00000012 is damaged and is passed over: its" in folder.log.read_text()
    assert equal_runs(folder, whole)


def test_a_state_that_is_not_finite_is_not_kept(tmp_path, monkeypatch):
    folder, learn = new(small(**CUT), tmp_path), Trainer._learn

    def learn_and_spoil(trainer, step, listens):
        found = learn(trainer, step, listens)
        if step == 8:
            next(x for x in leaves(trainer.carried[1][0]) if torch.is_tensor(x)).fill_(float("inf"))
        return found

    monkeypatch.setattr(Trainer, "_learn", learn_and_spoil)
    with pytest.raises(NonFinite, match="^Step 8: a state is not finite, .*step-00000004: resume with a smaller --lr"):
        train(folder)
    assert last(folder).state["step"] == 4 and read_json(folder.status)["state"] == "failed"


def test_a_memory_that_ran_away_in_a_carried_state_is_named(tmp_path):
    made = parts.make(small(**CUT), RunFolder(tmp_path), CPU)
    inputs, _ = made.batches.next()
    state = made.model.detach(made.model(inputs).state)
    state[0].memory.memory[0].fill_(float("nan"))
    guard = Guard(made.model, made.optimizer)
    with pytest.raises(NonFinite, match=r"first in level memory \(the in-context memory 'memory' of block-0\)"):
        guard.loss(float("nan"), 7, inputs, state)


def test_rows_are_put_together_and_shared_out_in_their_order(tmp_path):
    made = parts.make(small(**CUT), RunFolder(tmp_path), CPU)
    inputs, _ = made.batches.next()
    whole = made.model.detach(made.model(inputs).state)
    halves = shared(leaves(whole), pattern(made.model, CPU), 2, ALONE)
    assert len(halves) == 2 and [type(x) for x in halves[0]] == [type(x) for x in whole]
    assert all(type(a) is type(b) for a, b in zip(halves[1][0], whole[0]))
    again = gathered(halves, ALONE)
    assert all(torch.equal(a, b) if torch.is_tensor(a) else a == b for a, b in zip(again, leaves(whole), strict=True))
    assert rebuilt(whole, iter(leaves(whole)))[0].position == 4  # of 20 tokens, in chunks of 8


def test_it_belongs_to_the_run(whole):
    with pytest.raises(TrainError, match="A run's carry cannot change: start a new run, or resume without --carry"):
        train(whole, carry=0)
    with pytest.raises(TrainError, match="carry is -1: give a whole number, 0 or more"):
        small(carry=-1)


def test_a_config_without_it_is_one_that_carries_nothing():
    stored = small().as_json()
    del stored["preset"]["carry"]
    assert TrainConfig.from_json(stored) == small()


def test_a_text_too_short_for_a_span_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match="windows in a row need .* or a smaller carry"):
        new(small(carry=10**4), tmp_path / "run")
    assert not (tmp_path / "run").exists()
