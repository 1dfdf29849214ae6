"""A run in this process: it learns, resumes bitwise, and says in one sentence why it cannot go on."""

import json
import math

import pytest
import torch

from nlcore.models import build
from nlcore.tasks import DataError
from nlcore.train import TrainError, checkpoint, new, parts, train
from nlcore.train.control import send
from nlcore.train.device import choose
from nlcore.train.finite import NonFinite
from nlcore.train.folder import RunFolder, latest, locked, read_json, records
from nlcore.train.loop import Trainer
from tests.train.small import small


def losses(folder):
    return [(line["step"], line["loss"]) for line in latest(records(folder.metrics))]


def last(folder):
    return checkpoint.newest(folder.checkpoints, print)


def same(one, other):
    """Equal in structure and, bit for bit, in value."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


def equal_runs(one, other):
    a, b = last(one), last(other)
    untimed = [{k: v for k, v in found.state.items() if k not in ("elapsed", "window", "command")} for found in (a, b)]
    return same(a.weights, b.weights) and same(*untimed) and losses(one) == losses(other)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 12 steps that nothing disturbed."""
    folder = new(small(), tmp_path_factory.mktemp("whole") / "run")
    train(folder)
    return folder


def test_the_folder_of_a_run(whole):
    names = {path.name for path in whole.path.iterdir()}
    assert names == {
        "config.json", "metrics.jsonl", "levels.jsonl", "surprise.jsonl", "samples.jsonl",
        "status.json", "log.txt", "tokenizer.json", "checkpoints", "lock",
    }
    status = read_json(whole.status)
    assert (status["state"], status["step"], status["attempt"], status["done"]) == ("done", 12, 1, 1.0)
    facts = read_json(whole.config)["facts"]
    assert len(facts["corpus"]["hash"]) == 64 and facts["threads"] == 1 and facts["parameters"] > 0
    metrics = records(whole.metrics)
    assert [line["step"] for line in metrics] == [2, 4, 6, 8, 10, 12]
    assert metrics[-1]["tokens"] == 12 * 2 * 32 and metrics[-1]["tokens_per_second"] > 0
    assert "validation_bits_per_byte" in metrics[3] and metrics[0]["attempt"] == 1
    assert len(records(whole.levels)) == 6 * 13 and len(records(whole.surprise)) == 6
    assert [line["step"] for line in records(whole.samples)] == [8, 12]


def test_the_result_of_a_run(whole):
    result = read_json(whole.status)["result"]
    assert result["scored_bytes"] == 4 * 32 and result["steps"] == 12
    assert result["bits_per_byte"] != result["bits_per_byte_eta_0"]
    assert 0 < result["order1_entropy"] < result["order1_entropy_all"] < 8
    printed = whole.log.read_text()
    for text in ("bits per byte", "with memory eta 0", "order-1 entropy", "tokens/s", "sample", str(whole.path)):
        assert text in printed


def test_the_loss_falls(tmp_path):
    folder = new(small(steps=80, report_every=10, validate_every=80, checkpoint_every=80), tmp_path)
    train(folder)
    course = [loss for _, loss in losses(folder)]
    assert course[-1] < course[0] - 0.8 and course[-1] < 3.5


def test_stopped_and_resumed_equals_not_stopped(tmp_path, whole, monkeypatch):
    folder = new(small(), tmp_path)
    advance = Trainer._advance

    def advance_and_stop_at_7(trainer):
        advance(trainer)
        trainer.leave = trainer.leave or (trainer.step == 7)

    monkeypatch.setattr(Trainer, "_advance", advance_and_stop_at_7)
    assert train(folder)["state"] == "stopped" and last(folder).state["step"] == 7
    monkeypatch.undo()
    assert train(folder)["state"] == "done"
    assert equal_runs(folder, whole)
    assert {line["attempt"] for line in records(folder.metrics)} == {1, 2}


def test_a_damaged_checkpoint_is_passed_over_and_the_end_is_the_same(tmp_path, whole):
    folder = new(small(), tmp_path)
    train(folder)
    (checkpoint.steps(folder.checkpoints)[-1] / checkpoint.WEIGHTS).write_bytes(b"damaged")
    train(folder)
    assert equal_runs(folder, whole)
    log = folder.log.read_text()
    assert "step-00000012 is damaged and is passed over" in log and "from step 8," in log


def test_a_batch_in_parts_has_the_gradient_of_the_whole(tmp_path, whole):
    folder = new(small(micro_batch=1), tmp_path)
    train(folder)
    for (step, loss), (_, other) in zip(losses(folder), losses(whole)):
        assert loss == pytest.approx(other, rel=1e-3), step


def test_a_finished_run_is_left_alone_unless_it_gets_more_steps(tmp_path):
    folder = new(small(steps=4), tmp_path)
    train(folder)
    with pytest.raises(TrainError, match="has finished its 4 steps: add --steps"):
        train(folder)
    assert train(folder, steps=6)["result"]["steps"] == 6
    assert read_json(folder.config)["config"]["preset"]["steps"] == 6


def test_seconds_are_spent_and_no_more(tmp_path):
    status = train(new(small(steps=None, seconds=0.3), tmp_path))
    assert status["result"]["steps"] > 1 and status["result"]["seconds"] >= 0.3
    rates = [line["lr"] for line in records(tmp_path / "metrics.jsonl")]
    assert rates[-1] < max(rates)


def test_the_folder_of_another_trainer_is_left_as_it_is(tmp_path):
    folder = new(small(), tmp_path)
    with locked(folder), pytest.raises(TrainError, match="is being trained by process"):
        train(folder)
    assert not folder.status.exists()


def test_another_text_is_refused_unless_accepted(tmp_path):
    text = tmp_path / "text"
    text.write_text("one text, and again. " * 200)
    folder = new(small(data=str(text), steps=4), tmp_path / "run")
    train(folder)
    text.write_text("another text, now. " * 300)
    with pytest.raises(TrainError, match="name that text with --data, or add --accept-data"):
        train(folder, steps=6)
    assert read_json(folder.status)["state"] == "failed"
    assert train(folder, accept_data=True, steps=6)["state"] == "done"


@pytest.mark.parametrize("choices", [dict(batch=4), dict(model="transformer"), dict(seed=2)])
def test_what_belongs_to_the_weights_cannot_change(whole, choices):
    with pytest.raises(TrainError, match=f"A run's {next(iter(choices))} cannot change"):
        train(whole, **choices)


def test_text_that_will_not_do_gets_one_sentence(tmp_path):
    (tmp_path / "short").write_text("too short")
    for data, said in (("none", "does not exist"), ("short", "one window needs 33")):
        folder = new(small(data=str(tmp_path / data)), tmp_path / f"run-{data}")
        with pytest.raises(DataError, match=said):
            train(folder)
        assert said in read_json(folder.status)["sentence"] and said in folder.log.read_text()


def test_no_run_and_a_run_already(tmp_path, whole):
    with pytest.raises(TrainError, match="holds no run"):
        train(RunFolder(tmp_path))
    with pytest.raises(TrainError, match="holds a run already"):
        new(small(), whole.path)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_good_checkpoint(tmp_path, monkeypatch):
    folder = new(small(), tmp_path)
    advance = Trainer._advance

    def advance_and_spoil(trainer):
        advance(trainer)
        if trainer.step == 6:
            trainer.parts.model.get_parameter("blocks.0.channel.levels.cms-2.w_in.weight").data[0, 0] = math.nan

    monkeypatch.setattr(Trainer, "_advance", advance_and_spoil)
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


def test_commands_take_effect_at_a_step_and_are_noted(tmp_path):
    folder = new(small(steps=20, report_every=1), tmp_path)
    send(folder, "lr_scale", value=0.0)
    send(folder, "period", "cms-1", 3)
    send(folder, "level_lr", "memory", 0.0)
    send(folder, "level_lr", "memory", 2.0)
    send(folder, "level_lr", "nowhere", 0.5)
    send(folder, "period", "projections", 3)
    with open(folder.control, "a") as file:
        file.write("nonsense\n")
    assert train(folder)["state"] == "done"
    noted = records(folder.applied)
    assert [line["number"] for line in noted] == [1, 2, 3, 4, 5, 6] and {line["step"] for line in noted} == {1}
    assert [line["applied"] for line in noted] == [True, True, True, False, False, False]
    assert "between 0 and 1" in noted[3]["sentence"] and "no level 'nowhere'" in noted[4]["sentence"]
    assert "is a chunk, part of the model" in noted[5]["sentence"]
    assert "'nonsense' is no command" in folder.log.read_text()
    rows = records(folder.levels)
    assert [row["step"] for row in rows if row["level"] == "cms-1" and row["fired"]] == [3, 6, 9, 12, 15, 18]
    assert {row["update_norm"] for row in rows if row["level"] == "weights"} == {0.0}
    assert {row["eta"] for row in rows if row["memory"]} == {0.0}


def test_a_setting_after_the_checkpoint_comes_back_at_its_step(tmp_path, monkeypatch):
    advance = Trainer._advance

    def disturbed(trainer):
        advance(trainer)
        if trainer.status.fields["attempt"] == 1 and trainer.step == 5:
            send(trainer.folder, "lr_scale", value=0.1)
            send(trainer.folder, "resume")
        if trainer.folder.path.name == "cut" and trainer.status.fields["attempt"] == 1 and trainer.step == 7:
            raise KeyboardInterrupt

    monkeypatch.setattr(Trainer, "_advance", disturbed)
    undisturbed, cut = (new(small(), tmp_path / name) for name in ("whole", "cut"))
    train(undisturbed)
    with pytest.raises(KeyboardInterrupt):
        train(cut)
    assert read_json(cut.status)["state"] == "stopped" and last(cut).state["step"] == 4
    train(cut)
    assert equal_runs(cut, undisturbed)
    assert [(line["number"], line["step"], line["attempt"]) for line in records(cut.applied)] == [(1, 6, 1), (2, 6, 1), (1, 6, 2)]


def test_settings_outlive_a_stop(tmp_path):
    folder = new(small(steps=4), tmp_path)
    send(folder, "lr_scale", value=0.25)
    send(folder, "level_lr", "memory", 0.5)
    send(folder, "level_lr", "cms-2", 0.125)
    train(folder)
    train(folder, steps=5)
    state = last(folder).state
    assert state["steering"] == {"lr_scale": 0.25, "memory_rate": 0.5}
    assert state["optimizer"]["scales"]["cms-2"] == 0.125 and state["command"] == 3
    assert len(records(folder.applied)) == 3


def test_weight_decay_is_for_the_matrices_alone(tmp_path):
    made = parts.make(small(), RunFolder(tmp_path), choose("cpu", "auto"))
    names = {id(p): name for name, p in made.model.named_parameters()}
    groups = [group for optimizer in made.optimizer.optimizers.values() for group in optimizer.param_groups]
    owned = [id(p) for group in groups for p in group["params"]]
    assert sorted(owned) == sorted(names)
    decayed = {names[id(p)].split(".", 2)[-1] for group in groups if group["weight_decay"] for p in group["params"]}
    assert decayed == {
        "mixer.w_in.weight", "mixer.w_q.weight", "mixer.w_out.weight",
        *(f"channel.levels.cms-{n}.{side}.weight" for n in (1, 2, 3) for side in ("w_in", "w_out")),
    }


def test_the_seed_decides_the_first_weights(tmp_path):
    config = small(seed=3)
    made = parts.make(config, RunFolder(tmp_path), choose("cpu", "auto"))
    torch.manual_seed(3)
    again = build("hope", config.preset, 256)
    assert same(dict(made.model.state_dict()), dict(again.state_dict()))
    assert json.loads((tmp_path / "tokenizer.json").read_text()) == {"kind": "bytes"}
