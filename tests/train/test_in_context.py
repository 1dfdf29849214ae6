"""Training a model whose levels learn in context: as a plain loop does it, carried, resumed, recorded, on two processes."""

import shutil

import pytest
import torch

from nlcore.models import InContext
from nlcore.train import TrainConfig, TrainError, device, load, new, parts, train
from nlcore.train.checkpoint import STATE
from nlcore.train.evaluate import score
from nlcore.train.finite import Guard, NonFinite
from nlcore.train.folder import RunFolder
from nlcore.train.loop import Trainer
from nlcore.train.positions import by_position, reading_on
from nlcore.train.records import latest, read_json, records
from nlcore.train.worth import worth
from nlcore.viz.dashboard import Dashboard
from nlcore.viz.prompt import Speaker
from nlcore.viz.score import level_score
from tests.train.small import equal_runs, last, losses, small
from tests.train.test_carry import CPU, CUT, assert_it_is_the_loop, stop_at
from tests.train.test_fits import sign
from tests.train.test_parallel import SAME, assert_close_runs, torchrun

LEVELS = (("cms-3", 8, 0.5), ("cms-1", 16, 0.3, 0.2))
READS = CUT | dict(in_context=LEVELS)
"""Windows of 20 tokens that carry their state on: they end inside a chunk."""


def learning(**choices):
    return small(**dict(model="hope-attention") | READS | choices)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 12 steps that nothing disturbed."""
    folder = new(learning(), tmp_path_factory.mktemp("whole") / "run")
    train(folder)
    return folder


@pytest.mark.parametrize("more", [dict(), dict(continuum="nested"), dict(second_order=True)], ids=str)
def test_it_is_a_plain_loop_row_by_row(tmp_path, more):
    """Each row learns for itself, and its levels stay moved from window to window, until its span ends."""
    states = assert_it_is_the_loop(learning(**more, steps=8, lr=1e-3, micro_batch=2), tmp_path)
    assert max(way.abs().max() for state in states.values() for level in state.moved for way in level) > 1e-3


@pytest.mark.parametrize("more", [dict(model="hope"), dict(continuum="nested")], ids=str)
def test_stopped_and_resumed_equals_not_stopped(tmp_path, more, monkeypatch):
    one, two = (new(learning(**more), tmp_path / name) for name in ("one", "two"))
    train(one)
    stop_at(monkeypatch, 7)
    assert train(two)["state"] == "stopped" and last(two).state["carried"]
    monkeypatch.undo()
    assert train(two)["state"] == "done" and equal_runs(one, two)


def test_two_processes_do_what_one_does(tmp_path):
    folder = new(learning(lr=1e-3), tmp_path / "one")
    two = new(learning(lr=1e-3), tmp_path / "two")
    train(folder)
    ended = torchrun(two, SAME)
    assert ended.returncode == 0, ended.stderr
    assert_close_runs(folder, two)


def test_at_rate_zero_it_is_the_plain_run(tmp_path):
    levels = dict(still=(("cms-3", 8, 0.0), ("cms-2", 16, 0.0)), plain=(), moves=LEVELS)
    one, other, moves = (new(learning(in_context=given, lr=1e-3), tmp_path / name) for name, given in levels.items())
    for folder in (one, other, moves):
        train(folder)
    assert [loss for _, loss in losses(one)] == pytest.approx([loss for _, loss in losses(other)], abs=2e-6)
    for name, weight in last(other).weights.items():
        torch.testing.assert_close(last(one).weights[f"model.{name}"], weight, rtol=0, atol=5e-6)
    assert abs(losses(moves)[-1][1] - losses(other)[-1][1]) > 1e-4


def test_rates_warm_up_with_the_outer_steps(tmp_path):
    """A warm-up longer than any run leaves a tenth of the rate."""
    found = {}
    for name, level in dict(cold=("cms-3", 8, 0.5, 1.0, 10**9), tenth=("cms-3", 8, 0.05), warm=("cms-3", 8, 0.5)).items():
        folder = new(learning(in_context=(level,), steps=4), tmp_path / name)
        train(folder)
        found[name] = [loss for _, loss in losses(folder)]
    assert found["cold"] == pytest.approx(found["tenth"], abs=1e-5)
    assert found["warm"] != pytest.approx(found["tenth"], abs=1e-4)


def test_every_level_has_its_row_of_the_score(whole):
    """Windows of 20 after each other: levels that step every 8 and every 16 tokens."""
    rows = [row for row in latest(records(whole.levels), "level", "memory") if row["level"].endswith(" in context")]
    found = {(row["level"], row["period"], row["unit"]) for row in rows}
    assert found == {("cms-3 in context", 8, "tokens"), ("cms-1 in context", 16, "tokens")}
    assert {row["writes"] for row in rows if row["period"] == 8} == {2, 3}
    assert {row["writes"] for row in rows if row["period"] == 16} == {1}
    for row in rows:
        assert row["fired"] and 0 < row["update_norm"] < row["weight_norm"]
        assert row["level"] == "cms-3 in context" or row["update_norm"] <= 0.3 * 0.2
    score = level_score(latest(records(whole.levels), "level", "memory"))
    assert score.levels[:2] == ("cms-3 in context", "cms-1 in context") and (score.size[:2] > 0).all()


def test_a_run_says_what_each_level_keeps_of_a_sequence(whole):
    weights = sum(w.numel() for name, w in last(whole).weights.items() if ".cms-3." in name)
    size = 2 * 4 * weights  # float32, the way and the gradients
    log = whole.log.read_text()
    assert f"Inner    cms-3   learns every 8 tokens, rate 0.5, clip 1: {size:,} bytes a sequence" in log
    assert f"Inner    cms-1   learns every 16 tokens, rate 0.3, clip 0.2: {size:,} bytes a sequence" in log


def test_the_trained_model_is_read_scored_and_shown(whole):
    result = read_json(whole.status)["result"]
    assert result["bits_per_byte"] != result["bits_per_byte_eta_0"]
    made = parts.make(learning(), whole, CPU)
    model, _ = load(whole.path)
    assert isinstance(model, InContext) and model.step is None
    held_out = made.held_out
    assert score(model, held_out, 4, CPU, lambda: None).bits_per_byte == pytest.approx(result["bits_per_byte"], abs=1e-6)
    assert by_position(model, held_out, reading_on, 2, 4, CPU).shape == (2, 4)
    tokens, _ = next(held_out.windows(2))
    assert worth(model, tokens).keys() == {level.name for level in model.levels()} - {"weights"}
    assert len(Speaker(whole.path).compute("once", 12, 0.8, 1).tokens) == 16
    opened = Dashboard(whole.path)
    with opened.lock:  # its own thread looks too
        opened._look()
        rows = opened.live.message(True)["rows"]
    assert {"cms-3 in context", "cms-1 in context"} <= {row["label"] for row in rows}
    opened.close()


WRONG = {
    "one missing": lambda rows: rows.pop(),
    "a level moved elsewhere": lambda rows: rows.__setitem__(0, rows[0][..., :-1]),
    "gradients of another shape": lambda rows: rows.__setitem__(6, rows[6][..., :-1]),
    "no number of chunks": lambda rows: rows.__setitem__(-1, None),
    "tokens that are no numbers": lambda rows: rows.__setitem__(-2, rows[-2].double()),
    "tokens that are not known": lambda rows: rows.__setitem__(-2, rows[-2] + 256),
    "more than a chunk": lambda rows: rows.__setitem__(-2, rows[-2].repeat(1, 9)),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_state_is_passed_over_and_the_end_is_the_same(whole, tmp_path, wrong):
    folder = RunFolder(shutil.copytree(whole.path, tmp_path / "run"))
    path = folder.checkpoints / "step-00000012"
    state = torch.load(path / STATE, weights_only=True)
    WRONG[wrong](state["carried"][0])
    torch.save(state, path / STATE)
    sign(path)
    assert train(folder)["state"] == "done"
    assert "step-00000012 is damaged and is passed over: its carried state" in folder.log.read_text()
    assert equal_runs(folder, whole)


def test_a_level_that_ran_away_in_a_carried_state_is_named(tmp_path):
    made = parts.make(learning(), RunFolder(tmp_path), CPU)
    inputs, _ = made.batches.next()
    state = made.model.detach(made.model(inputs).state)
    state.gathered[0][0].fill_(float("nan"))
    with pytest.raises(NonFinite, match=r"first in level cms-3 in context \(the in-context memory 'cms-3 in context' of"):
        Guard(made.model, made.optimizer).loss(float("nan"), 7, inputs, state)


@pytest.mark.parametrize(
    "choices, sentence",
    [
        (dict(in_context=(("cms-9", 8, 0.5),)), "there is no level 'cms-9' that could learn in context"),
        (dict(in_context=(("cms-3", 8, 0.5), ("cms-2", 12, 0.5))), "let each period be a multiple of the next shorter"),
        (dict(model="transformer"), "there is no level 'cms-3' that could learn in context"),
        (dict(second_order=True, checkpoint_blocks=True), "checkpointed blocks keep none: choose first order"),
    ],
)
def test_levels_that_make_no_model_are_one_sentence_before_anything_is_written(tmp_path, choices, sentence):
    with pytest.raises(TrainError, match=f"These sizes do not make a model: .*{sentence}") as caught:
        new(learning(**choices), tmp_path / "run")
    assert "\n" not in str(caught.value) and not (tmp_path / "run").exists()


def test_a_config_of_before_has_none_that_learn_in_context():
    stored = small().as_json()
    for name in ("in_context", "second_order"):
        del stored["preset"][name]
    assert TrainConfig.from_json(stored) == small()
