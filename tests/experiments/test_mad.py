"""MAD: a score is what the trained model answers, a run is decided by its configuration, and the auto-encoder is MAD-Lab's."""

import math
from dataclasses import asdict, replace
from itertools import islice

import pytest
import torch
import torch.nn.functional as F

from nlcore.tasks.mad import TASKS
from nlcore.tasks.recall import IGNORE

from experiments import asked, mad
from experiments.asked import trained
from experiments.baselines.auto_encoder import AutoEncoder, sinusoids
from experiments.experiment import introduction
from experiments.mad import EXPERIMENT, LABELS, PROTOCOL, SIZE, batches, chance, configuration, made, run, scores, task_of

TINY = dict(steps=2, tests=8, texts=16, batch=4)
"""Of training and test."""


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(mad, "SCORED", 8)


def settings(name, model, **choices):
    arm = EXPERIMENT.arm(f"{name}, {LABELS[model]}")
    return arm.settings | TINY | choices


@pytest.mark.parametrize("model", LABELS)
def test_every_model_trains_on_recall_and_gives_what_the_table_asks_for(model):
    found = run(settings("in-context recall", model), 4e-3, 0, None)
    assert set(EXPERIMENT.columns) | {"error", "loss", "steps", "seconds"} == set(found)
    assert found["error"] == 1 - found["accuracy"] and found["steps"] == 2 and math.isfinite(found["loss"])
    assert (found["frozen"] is None) == (model in ("transformer", "convolved-attention"))
    assert found["kiloparameters"] == pytest.approx(100, rel=0.05)


@pytest.mark.parametrize("name", TASKS)
def test_every_task_is_trained_and_scored(name):
    found = run(settings(name, "deltanet"), 4e-3, 0, None)
    assert math.isfinite(found["loss"]) and 0 <= found["accuracy"] <= 1 and found["frozen"] is not None


@pytest.mark.parametrize("name", TASKS)
def test_a_guess_among_the_answers_gets_what_is_called_chance(name):
    task = TASKS[name][0]
    _, targets = task.batch(400, torch.Generator().manual_seed(0))
    asked_for = targets != IGNORE
    answers = targets[asked_for].unique()
    if name == "compression":
        answers = answers[:-1]  # that a text ends with its last token, everybody knows
    guess = answers[torch.randint(len(answers), targets.shape, generator=torch.Generator().manual_seed(1))]
    if name == "compression":
        guess[:, -1] = targets[:, -1]
    assert task.balanced(F.one_hot(guess, task.vocabulary), targets) == pytest.approx(chance(task), rel=0.15)


def test_the_texts_of_training_are_read_epoch_by_epoch():
    given = settings("memorization", "deltanet", texts=6, batch=4, steps=100)
    task = task_of(given)
    read = list(islice(batches(task, given, seed=3), 6))
    assert [len(tokens) for tokens, _ in read] == [4, 2] * 3
    epochs = [torch.cat([tokens for tokens, _ in read[at : at + 2]]) for at in (0, 2, 4)]
    assert not torch.equal(epochs[0], epochs[1])
    assert len({tuple(map(tuple, sorted(epoch.tolist()))) for epoch in epochs}) == 1
    tokens, targets = read[0]
    assert torch.equal(task.values[tokens[:, ::2]], targets[:, 1::2])  # rows of tokens and targets stay together


def test_texts_of_the_test_are_those_that_no_seed_draws():
    assert mad.HELD_OUT not in (*EXPERIMENT.seeds, *PROTOCOL.seeds)
    given = settings("in-context recall", "deltanet", texts=500, batch=500)
    task = task_of(given)
    tests = {tuple(row) for row in task.batch(256, torch.Generator().manual_seed(mad.HELD_OUT))[0].tolist()}
    for seed in EXPERIMENT.seeds:
        assert not tests & {tuple(row) for row in next(batches(task, given, seed))[0].tolist()}


def test_the_auto_encoder_hears_of_the_text_through_its_last_token_alone():
    model = made(settings("compression", "transformer"), TASKS["compression"][0]).double()
    assert isinstance(model, AutoEncoder)
    tokens = torch.randint(16, (2, 9), generator=torch.Generator().manual_seed(0))
    logits = model(tokens)
    assert logits.shape == (2, 9, 16)
    kept = {}
    hook = model.model.blocks[-1].register_forward_hook(lambda block, inputs, output: kept.update(x=output[0]))
    model(tokens)
    hook.remove()
    place = torch.arange(9.0, dtype=torch.double)[:, None]
    waves = place / 10_000 ** (torch.arange(32.0, dtype=torch.double) / 31)
    by_hand = kept["x"][:, -1:] + torch.cat([waves.sin(), waves.cos()], 1)
    torch.testing.assert_close(sinusoids(9, 64).double(), torch.cat([waves.sin(), waves.cos()], 1), rtol=0, atol=1e-5)
    torch.testing.assert_close(model.decoder(by_hand), logits, rtol=0, atol=1e-4)
    other = tokens.clone()
    other[:, 0] += 1
    assert (model(other % 16) - logits).abs().amax((0, 2)).gt(0).all()  # every place is told of the first token


def test_a_run_is_decided_by_its_configuration_and_leaves_the_random_state_alone():
    given = settings("noisy recall", "deltanet")
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one, same, other, faster = (run(given, *of, None) for of in ((5e-3, 0), (5e-3, 0), (5e-3, 1), (1e-2, 0)))
    assert torch.equal(before, torch.get_rng_state())
    assert one["loss"] == same["loss"] and one["accuracy"] == same["accuracy"]
    assert len({one["loss"], other["loss"], faster["loss"]}) == 3
    for each in (EXPERIMENT, PROTOCOL):
        keys = {str(configuration(arm.settings, *of)) for arm in each.arms for of in ((1, 0), (1, 1), (2, 0))}
        assert len(keys) == 3 * len(each.arms)


def test_a_run_that_diverges_has_no_error(monkeypatch):
    monkeypatch.setattr(asked, "factor", lambda done: math.inf)
    found = run(settings("in-context recall", "deltanet"), 1e-2, 0, None)
    assert found["error"] is None and set(found) == {"error", "steps", "seconds", "kiloparameters"}


def test_the_decay_of_the_weights_is_the_one_that_is_asked_for():
    layer = torch.nn.Linear(3, 3, bias=False)
    start = layer.weight.detach().clone()
    x, y = torch.zeros(1, 1, 3), torch.zeros(1, 1, dtype=torch.long)
    list(trained(layer, [(x, y)] * 3, rate=0.5, steps=3, decay=0.1))
    shrunk = math.prod(1 - 0.5 * 0.1 * asked.factor(step / 3) for step in (1, 2, 3))
    torch.testing.assert_close(layer.weight.detach(), start * shrunk)


def test_the_arms_of_one_task_differ_in_their_model_alone_and_read_about_as_many_tokens():
    for name, (task, _) in TASKS.items():
        given = [arm.settings for arm in EXPERIMENT.arms if arm.settings["task"] == name]
        assert {each["model"] for each in given} == set(LABELS) and len(given) == len(LABELS)
        assert all(each | {"model": ""} == given[0] | {"model": ""} for each in given)
        assert given[0]["batch"] * given[0]["numbers"]["length"] == 1024
        assert task_of(given[0]) == task and SIZE.items() <= given[0].items()


def test_the_protocol_has_all_settings_of_mad_twice_for_each_model():
    assert len(PROTOCOL.arms) == 66 * 2 * len(LABELS)
    of_hope = [arm.settings for arm in PROTOCOL.arms if arm.settings["model"] == "hope"]
    assert {each["decay"] for each in of_hope} == {0.0, 0.1} and {each["dim"] for each in of_hope} == {128}
    assert {each["steps"] for each in of_hope if each["task"] != "memorization"} == {20_000, 10_000, 5000, 2600, 1400}
    assert {each["steps"] for each in of_hope if each["task"] == "memorization"} == {400}
    assert {TASKS[each["task"]][0] == task_of(each) for each in of_hope} == {True, False}


def test_a_tiny_copy_runs_from_its_tuning_to_its_table_of_scores(go):
    names = ("compression, DeltaNet", "memorization, DeltaNet", "memorization, Transformer")
    arms = tuple(replace(arm, settings=arm.settings | TINY) for arm in EXPERIMENT.arms if arm.name in names)
    found = go(replace(EXPERIMENT, arms=arms, rates=(5e-3, 1e-2)))
    table = scores(found)
    assert list(table) == ["compression", "memorization"] and list(table["memorization"]) == ["Transformer", "DeltaNet"]
    for row in found.rows:
        task, model = row["arm"].split(", ")
        assert table[task][model] == pytest.approx(1 - row["mean"]) == pytest.approx(row["figures"]["accuracy"])


def test_a_score_is_the_mean_over_settings_of_the_better_decay():
    class Stored:
        experiment = {"arms": [], "seeds": [0]}
        rows = []

    task = TASKS["memorization"][0]
    for vocabulary, decay, error in ((256, 0.0, 0.5), (256, 0.1, 0.3), (512, 0.0, 0.2), (512, 0.1, 0.4)):
        given = dict(task="memorization", model="hope", decay=decay, texts=256)
        numbers = asdict(replace(task, vocabulary=vocabulary))
        Stored.experiment["arms"].append({"name": f"{vocabulary} {decay}", "settings": given | {"numbers": numbers}})
        Stored.rows.append({"arm": f"{vocabulary} {decay}", "mean": error})
    assert scores(Stored)["memorization"]["Hope"] == pytest.approx(0.75)
    Stored.rows[0]["mean"] = None
    assert scores(Stored)["memorization"]["Hope"] == pytest.approx(0.75)
    Stored.rows[1]["mean"] = None
    assert scores(Stored)["memorization"]["Hope"] is None


def test_recall_is_learnt_only_if_the_memory_writes():
    """DeltaNet and few keys: what the experiment does, in seconds."""
    numbers = dict(vocabulary=4, length=16, noise_vocabulary=0, noise=0.0)
    given = settings("in-context recall", "deltanet", numbers=numbers, batch=64, texts=12_800, steps=150, tests=512)
    found = run(given, 8e-3, 0, None)
    print(found)
    assert found["accuracy"] > 0.95 and found["frozen"] < 0.65 and found["chance"] == 0.5


def test_the_experiment_stays_within_its_minutes():
    assert "180 runs in all, 67 minutes" in introduction(EXPERIMENT, 1)
