"""Formal languages: bins that choose and the bin that tests stay apart, training is what it says, and its controls bite."""

import math
from dataclasses import replace

import pytest
import torch

from nlcore.tasks.formal import Formal, bins

from experiments import formal
from experiments.experiment import introduction
from experiments.formal import EXPERIMENT, SIZE, answers_to_a, configuration, of_training, run, tasks

TINY = dict(width=4, dim=16, hidden=8, batch=4, steps=2)
DELTANET = SIZE | TINY | dict(language="parity", model="deltanet", chunk=16)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(formal, "CHECK", 1)
    monkeypatch.setattr(formal, "CHOOSING", 8)
    monkeypatch.setattr(formal, "TESTING", 8)


def test_every_arm_trains_and_gives_what_the_table_asks_for():
    asked = [arm for arm in EXPERIMENT.arms if arm.name.startswith("parity") or arm.name.endswith("LSTM")]
    assert {arm.settings["language"] for arm in asked} == set(formal.RULES)
    for arm in asked:
        found = run(arm.settings | TINY, 3e-3, 0, None)
        beside = {"error", "steps", "seconds", "checks", "best", "loss"}
        assert set(found) == beside | set(EXPERIMENT.columns), arm.name
        assert found["steps"] == len(found["checks"]) == 2 and math.isfinite(found["loss"]), arm.name
        assert (found["frozen"] is None) == any(name in arm.name for name in ("LSTM", "Transformer")), arm.name
        assert all(0 <= found[name] <= 1 for name in ("bin_0", "bin_1", "bin_2", "labels_2", "chance")), arm.name


def test_models_of_one_language_have_about_as_many_parameters():
    for language in formal.OF_ALL:
        arms = [arm.settings for arm in EXPERIMENT.arms if arm.settings["language"] == language]
        sizes = [sum(p.numel() for p in formal.made(settings).parameters()) for settings in arms]
        assert len(sizes) >= len(formal.MODELS) and max(sizes) < 1.07 * min(sizes), (language, sizes)


def test_all_languages_are_there_and_arms_of_one_differ_in_their_model_alone():
    assert {arm.settings["language"] for arm in EXPERIMENT.arms} == set(formal.RULES)
    same = {str({**arm.settings, "language": 0, "model": 0, "chunk": 0, "memories": 0}) for arm in EXPERIMENT.arms}
    assert len(same) == 1


def test_the_printed_windows_are_the_same_experiment_under_another_name():
    printed = formal.experiment(50)
    assert printed.name == "formal_50" and EXPERIMENT.name == "formal" and printed.rates == EXPERIMENT.rates
    assert [task.sizes[-1] for task in tasks(printed.arms[0].settings)] == [50, 100, 150]
    assert [arm.settings | dict(width=40) for arm in printed.arms] == [arm.settings for arm in EXPERIMENT.arms]


def test_a_run_is_decided_by_its_configuration_and_leaves_the_random_state_alone():
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one, same, other, faster = (run(DELTANET, *asked, None) for asked in ((3e-3, 0), (3e-3, 0), (3e-3, 1), (9e-3, 0)))
    assert torch.equal(before, torch.get_rng_state())
    assert one | {"seconds": 0} == same | {"seconds": 0}
    assert len({one["loss"], other["loss"], faster["loss"]}) == 3
    keys = {str(configuration(arm.settings, *of)) for arm in EXPERIMENT.arms for of in ((1, 0), (1, 1), (2, 0), (2, 1))}
    assert len(keys) == 4 * len(EXPERIMENT.arms)


def test_a_run_that_diverges_has_no_error(monkeypatch):
    monkeypatch.setattr(formal, "factor", lambda done: math.inf)
    found = run(DELTANET, 3e-3, 0, None)
    assert found["error"] is None and set(found) == {"error", "steps", "seconds", "checks"}


def test_the_third_bin_is_looked_at_once_after_all_is_chosen(monkeypatch):
    looked = []
    scored = formal.scored
    monkeypatch.setattr(formal, "scored", lambda *given: looked.append(given[1:]) or scored(*given))
    run(DELTANET, 3e-3, 0, None)
    windows = [(task.low, task.high, strings, seed) for task, strings, seed in looked]
    first, second, third = bins(4)
    choose = [(*window, 8, formal.HELD_OUT + step) for step in (1, 2) for window in (first, second)]
    test = [(*window, 8, formal.HELD_OUT) for window in (first, second, third, first)]  # the last while frozen
    assert windows == choose + test


def test_training_ends_in_a_row_of_faultless_checks_and_keeps_the_last_of_the_best(monkeypatch):
    shares = iter([(1.0, 1.0), (0.5, 0.9), *[(1.0, 1.0)] * 4, (0.0, 0.0)])
    pairs = [share for share in shares for _ in range(2)]
    monkeypatch.setattr(formal, "scored", lambda *given: pairs.pop(0))
    model = formal.made(DELTANET)
    losses, checks, (step, error, weights) = formal.train(model, DELTANET | dict(steps=9), 3e-3, 0)
    assert len(losses) == len(checks) == step == 6 and error == 0
    assert all(torch.equal(x, weights[name]) for name, x in model.state_dict().items())


def test_sizes_grow_over_the_first_half_and_stay_in_the_window():
    highs = [of_training(SIZE | dict(language="parity"), done / 100).high for done in range(1, 101)]
    assert highs[0] <= 11 and highs == sorted(highs) and set(highs[49:]) == {40}
    for language in formal.RULES:
        for width in (16, 40, 50):
            assert of_training(SIZE | dict(language=language, width=width), 1e-3).sizes


def test_strings_that_test_are_others_than_those_that_choose():
    task = Formal("parity", *bins(40)[1])
    one, other = (task.test(100, torch.Generator().manual_seed(formal.HELD_OUT + more))[0] for more in (0, 25))
    assert not {tuple(row) for row in one.tolist()} & {tuple(row) for row in other.tolist()}
    assert formal.HELD_OUT not in EXPERIMENT.seeds


@pytest.mark.parametrize("chunk", [3, 4, 15])
def test_without_a_convolution_all_letters_a_of_a_chunk_get_one_answer(chunk):
    answers = answers_to_a(chunk, convolved=False).unflatten(0, (-1, chunk))
    assert (answers - answers[:, :1]).abs().max() < 1e-12
    assert (answers[1:, 0] - answers[:-1, 0]).abs().amax(1).min() > 1e-6  # from chunk to chunk they differ


def test_with_a_convolution_or_chunks_of_one_token_they_do_not():
    answers = answers_to_a(4, convolved=True).unflatten(0, (-1, 4))
    assert (answers - answers[:, :1]).abs().max() > 1e-3
    one = answers_to_a(1, convolved=False, letters=16)
    assert (one[1:] - one[:-1]).abs().amax(1).min() > 1e-6


@torch.no_grad()
@pytest.mark.parametrize("chunk", [1, 16])
def test_titans_with_chunks_of_one_token_run_away_before_training(chunk):
    torch.manual_seed(0)
    model = formal.made(SIZE | dict(language="parity", model="titans", chunk=chunk))
    logits = model(torch.randint(2, (16, 120), generator=torch.Generator().manual_seed(0))).logits
    assert logits.isfinite().all() == (chunk == 16)


def test_a_tiny_copy_runs_from_its_tuning_to_its_table(go):
    few_arms = [arm for arm in EXPERIMENT.arms if arm.name.startswith("parity, DeltaNet")]
    arms = tuple(replace(arm, settings=arm.settings | TINY) for arm in few_arms)
    found = go(replace(EXPERIMENT, arms=arms, rates=(1e-3, 3e-3)))
    assert [row["arm"] for row in found.rows] == ["parity, DeltaNet, negative eigenvalues", "parity, DeltaNet"]
    assert all(len(row["scores"]) == 3 and row["low"] <= row["mean"] <= row["high"] for row in found.rows)
    assert "nothing written" in found.text() and found.corpus is None


def test_the_experiment_stays_within_its_minutes():
    assert "runs in all" in introduction(EXPERIMENT, 2)
    assert 5 * sum(arm.minutes for arm in EXPERIMENT.arms) <= 360
