"""Needles: what is asked is the number alone, a sample fits its length, and a run is decided by its configuration."""

import math
from dataclasses import replace

import pytest
import torch

from nlcore.tasks.needles import KEYS, TASKS
from nlcore.tasks.recall import IGNORE

from experiments import needles
from experiments.experiment import introduction
from experiments.needles import EXPERIMENT, LONGER, MODELS, as_batch, batches, configuration, made, run, samples

TINY = dict(steps=2, batch=2)
"""Of training."""


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(needles, "TESTS", 4)


def settings(model, **choices):
    return needles.SIZE | dict(model=model) | TINY | choices


def drawn(number=5, length=500, split="train", seed=0):
    return samples(number, length, split, torch.Generator().manual_seed(seed))


def test_a_sample_with_its_answer_fits_the_length_and_has_its_needle_before_its_question():
    for length in (448, 512, 1024):
        for sample in drawn(length=length):
            whole = (sample.prompt + sample.answer).encode()
            assert length - 80 < len(whole) <= length - 1 and whole.endswith(f" {sample.references[0]}.".encode())
            number = sample.references[0]
            assert len(number) == 7 and sample.prompt.count(number) == 1
            assert sample.prompt.index(number) < sample.prompt.index("\nWhat is the special magic number")


def test_every_sample_has_room_for_a_word_beside_the_longest_key():
    key = max(KEYS, key=len)
    prompt = TASKS[needles.TASK]._prompt([], {(key, "1234567"): 50}, [key])
    assert len(prompt) + needles.ANSWER + max(map(len, needles.words("train"))) < needles.SIZE["length"]


def test_every_byte_of_the_answer_is_asked_for_and_nothing_else():
    asked = drawn()
    tokens, targets = as_batch(asked)
    assert tokens.shape == targets.shape
    for row, sample in enumerate(asked):
        at = len(sample.prompt.encode()) - 1
        answer = sample.answer.encode()
        assert bytes(targets[row, at : at + len(answer)].tolist()) == answer
        assert (targets[row] != IGNORE).sum() == len(answer) == 9
        assert bytes(tokens[row, : at + 1].tolist()) == sample.prompt.encode()


def test_training_and_test_read_different_texts_and_every_batch_is_a_new_one():
    assert needles.HELD_OUT not in EXPERIMENT.seeds
    train, test = (set(" ".join(needles.words(split)).split(". ")) for split in ("train", "validation"))
    assert len(train & test) < 0.2 * len(test)
    given = settings("titans")
    first, second = (tokens for _, (tokens, _) in zip(range(2), batches(given, 0)))
    assert first.shape != second.shape or not torch.equal(first, second)
    again, _ = next(batches(given, 0))
    assert torch.equal(first, again)


class Copies:
    """Names the needle's digits, but in every second sample its last digit wrongly."""

    def levels(self):
        return ()

    def modules(self):
        return ()

    def __call__(self, tokens):
        logits = torch.zeros(*tokens.shape, 256)
        for row, line in enumerate(tokens.tolist()):
            text = bytes(line).decode()
            number = text.split(" is: ")[1][:7]
            at = text.index("provided text is") + len("provided text is")
            for place, digit in enumerate(number):
                wrong = row % 2 and place == 6
                logits[row, at + place, ord(digit) + (-1 if digit == "9" else 1) * wrong] = 1
        return type("Output", (), {"logits": logits})


def test_a_sample_counts_only_if_all_its_digits_are_right():
    found = needles.measure(Copies(), 448)
    assert found["found"] == [0.5] * len(LONGER) and found["frozen"] is None
    assert found["digits_1"] == pytest.approx(13 / 14) and found["error"] == pytest.approx(1 / 14)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_trains_and_gives_what_the_table_asks_for(name):
    given = settings(MODELS[name][0], steps=1, batch=1)
    found = run(given, 4e-3, 0, None)
    assert set(EXPERIMENT.columns) < found.keys() and found["error"] == 1 - found["digits_1"]
    assert math.isfinite(found["loss"]) and found["steps"] == 1 and len(found["found"]) == 3
    assert (found["frozen"] is None) == (name in ("Transformer", "attention, convolved", "sliding window"))


def test_the_sliding_window_cannot_reach_the_needle():
    """The control: the needle may change as it likes, and what is said of it stays."""
    model = made(settings("sliding-window")).double()
    tokens, targets = as_batch(drawn(1))
    other = tokens.clone()
    at = bytes(tokens[0].tolist()).index(b" is: ") + 5
    other[0, at : at + 7] = ord("0")
    asked = targets[0] != IGNORE
    assert (tokens[0, at : at + 7] != ord("0")).any()
    one, two = (model(each).logits[0, asked][:2] for each in (tokens, other))  # later ones are told the first digits
    assert torch.equal(one, two)


def test_a_run_is_decided_by_its_configuration():
    given = settings("titans")
    torch.manual_seed(7)
    before = torch.get_rng_state()
    one, same, other = (run(given, 5e-3, seed, None) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert one["loss"] == same["loss"] != other["loss"]
    keys = {str(configuration(arm.settings, *of)) for arm in EXPERIMENT.arms for of in ((1, 0), (1, 1), (2, 0))}
    assert len(keys) == 3 * len(EXPERIMENT.arms)
    assert configuration(given, 1, 0)["corpus"] == needles.load(needles.TEXT).hash


def test_a_tiny_copy_runs_from_its_tuning_to_its_table(go):
    arm = EXPERIMENT.arm("Titans")
    arms = (replace(arm, settings=arm.settings | TINY | dict(steps=1)),)
    found = go(replace(EXPERIMENT, arms=arms, rates=(5e-3, 1e-2), seeds=(0,)))
    assert [row["arm"] for row in found.rows] == ["Titans"] and "found at 4 x" in found.text() and found.corpus


def test_the_experiment_stays_within_its_minutes():
    assert "25 runs in all, 80 minutes: 40 with 2" in introduction(EXPERIMENT, 2)
