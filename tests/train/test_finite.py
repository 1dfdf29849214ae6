"""A number that is not finite is found, and named by its level."""

import math

import pytest
import torch

from nlcore.train import checkpoint, device, new, parts, train
from nlcore.train.finite import Guard, NonFinite
from nlcore.train.folder import RunFolder
from nlcore.train.records import read_json
from nlcore.train.loop import Trainer
from tests.train.small import small


@pytest.fixture
def made(tmp_path):
    return parts.make(small(), RunFolder(tmp_path), device.choose("cpu", "auto"))


@pytest.mark.parametrize(
    ("parameter", "level"),
    [("blocks.0.channel.levels.cms-2.w_in.weight", "cms-2"), ("blocks.0.mixer.memory.w1", "weights")],
)
def test_a_weight_is_named_by_its_level(made, parameter, level):
    made.model.get_parameter(parameter).data[0, 0] = math.nan
    inputs, _ = made.batches.next()
    with pytest.raises(NonFinite, match=rf"^Step 7: the loss is nan, first in the weights of level {level} \({parameter}\)"):
        Guard(made.model, made.optimizer).loss(math.nan, 7, inputs)


def test_a_memory_that_runs_away_in_context_is_named(made):
    made.model.get_parameter("blocks.0.mixer.projections.w1").data.fill_(1e38)
    inputs, _ = made.batches.next()
    with pytest.raises(NonFinite, match=r"first in level projections \(the in-context memory 'k' of block-0\)"):
        Guard(made.model, made.optimizer).loss(math.inf, 7, inputs)


def test_a_gradient_is_named_by_its_level(made):
    inputs, targets = made.batches.next()
    torch.nn.functional.cross_entropy(made.model(inputs).logits.mT, targets).backward()
    guard = Guard(made.model, made.optimizer)
    guard.learnt([], 7, [])
    made.model.get_parameter("blocks.0.channel.levels.cms-1.w_out.weight").grad[0, 0] = math.inf
    with pytest.raises(NonFinite, match="^Step 7: a gradient is not finite, first in the gradients of level cms-1; there is no"):
        guard.learnt([], 7, [])


def test_where_all_is_finite_nobody_is_stopped(made):
    guard = Guard(made.model, made.optimizer)
    guard.weights(1)
    guard.loss(3.0, 1, made.batches.next()[0])


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_good_checkpoint(tmp_path, monkeypatch):
    folder = new(small(), tmp_path)
    advance = Trainer.advance

    def advance_and_spoil(trainer):
        advance(trainer)
        if trainer.step == 6:
            trainer.parts.model.get_parameter("blocks.0.channel.levels.cms-2.w_in.weight").data[0, 0] = math.nan

    monkeypatch.setattr(Trainer, "advance", advance_and_spoil)
    with pytest.raises(NonFinite, match="^Step 7: the loss is nan, first in the weights of level cms-2 .*step-00000004"):
        train(folder)
    status = read_json(folder.status)
    assert status["state"] == "failed" and status["sentence"].startswith("Step 7: the loss is nan")
    assert [path.name for path in checkpoint.steps(folder.checkpoints)] == ["step-00000004"]


def test_a_huge_learning_rate_stops_the_run_and_a_smaller_one_saves_it(tmp_path):
    folder = new(small(lr=1000.0, steps=30), tmp_path)
    with pytest.raises(NonFinite, match="^Step .* level .*smaller --lr"):
        train(folder)
    assert checkpoint.steps(folder.checkpoints) == []
    assert train(folder, lr=1e-2)["state"] == "done"


def test_a_gradient_that_is_not_finite_stops_the_run_before_its_step(tmp_path, monkeypatch):
    folder, kept = new(small(), tmp_path), {}
    backward = Trainer._backward

    def backward_and_spoil(trainer, *given):
        found = backward(trainer, *given)
        if trainer.step == 5:
            kept["before"] = {name: p.detach().clone() for name, p in trainer.parts.model.named_parameters()}
            kept["model"] = trainer.parts.model
            trainer.parts.model.get_parameter("blocks.0.channel.levels.cms-3.w_in.weight").grad[0, 0] = math.inf
        return found

    monkeypatch.setattr(Trainer, "_backward", backward_and_spoil)
    with pytest.raises(NonFinite, match="^Step 6: a gradient is not finite, first in the gradients of level cms-3"):
        train(folder)
    assert all(torch.equal(p, kept["before"][name]) for name, p in kept["model"].named_parameters())


def test_weights_that_are_not_finite_never_become_a_checkpoint(tmp_path, monkeypatch):
    folder = new(small(validate_every=99), tmp_path)
    learn = Trainer._learn

    def learn_and_spoil(trainer, step, listens):
        found = learn(trainer, step, listens)
        if step == 8:
            trainer.parts.model.get_parameter("blocks.0.channel.levels.cms-1.w_in.weight").data[0, 0] = math.nan
        return found

    monkeypatch.setattr(Trainer, "_learn", learn_and_spoil)
    with pytest.raises(NonFinite, match="^Step 8: a weight is not finite, first in the weights of level cms-1"):
        train(folder)
    assert [path.name for path in checkpoint.steps(folder.checkpoints)] == ["step-00000004"]
