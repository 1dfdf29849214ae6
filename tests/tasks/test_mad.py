"""MAD's tasks: readers that know nothing but the text answer all that is asked, and are asked all that they know."""

from collections import Counter
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from nlcore.tasks.mad import TASKS, Compression, FuzzyRecall, InContextRecall, Memorization, SelectiveCopying, settings
from nlcore.tasks.recall import IGNORE


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def answers(task, tokens, read):
    """Logits of a reader: `read(text)` yields its answer at each position, None where it has none."""
    guess = [[0 if token is None else token for token in read(text)] for text in tokens.tolist()]
    return F.one_hot(torch.tensor(guess), task.vocabulary)


def known(tokens, read):
    return sum(answer is not None for text in tokens.tolist() for answer in read(text))


def pairs_reader(task):
    def read(text):
        values = {}
        for t in range(0, len(text), 2):
            yield values.get(text[t])
            if t + 1 < len(text):
                yield None
                if text[t] < task.keys:
                    values[text[t]] = text[t + 1]

    return read


@pytest.mark.parametrize("task", [
    InContextRecall(), InContextRecall(128, 64), InContextRecall(32, 128, 16, 0.2), InContextRecall(20, 32, 16, 0.8),
    InContextRecall(3, 4),
])  # fmt: skip
def test_a_dictionary_answers_recall_and_is_asked_whatever_it_holds(task):
    tokens, targets = task.batch(200, seeded())
    assert tokens.shape == targets.shape == (200, task.length - 1)
    read = pairs_reader(task)
    assert task.accuracy(answers(task, tokens, read), targets) == 1
    assert (targets != IGNORE).sum() == known(tokens, read) and (targets[:, -1] != IGNORE).all()
    used = task.vocabulary - task.noise_vocabulary
    noisy = tokens[:, :-1].reshape(200, -1, 2) >= used
    assert torch.equal(noisy[:, :, 0], noisy[:, :, 1]) and (noisy[:, :, 0].sum(1) < task.length // 2 - 1).all()
    assert noisy.float().mean() == pytest.approx(task.noise, abs=0.08)
    keys, values = (tokens[:, :-1].reshape(200, -1, 2)[:, :, side][~noisy[:, :, side]] for side in (0, 1))
    assert set(keys.tolist()) <= set(range(task.keys)) and set(values.tolist()) <= set(range(task.keys, used))
    assert task.chance == pytest.approx(1 / (used - task.keys))


def runs(text, keys):
    """(key, value) for each run of keys and then of values, as tuples."""
    found, at = [], 0
    while at < len(text):
        start = at
        while at < len(text) and text[at] < keys:
            at += 1
        middle = at
        while at < len(text) and text[at] >= keys:
            at += 1
        found.append((tuple(text[start:middle]), tuple(text[middle:at])))
    return found


def fuzzy_reader(task):
    """Next token of the value whose key stands before, if that key came earlier, with its value."""

    def read(text):
        for t in range(len(text)):
            so_far = [token for token in text[: t + 1] if token != task.vocabulary - 1]
            *past, (key, begun) = runs(so_far, task.keys) or [((), ())]
            value = dict(past).get(key, ())
            yield value[len(begun)] if len(begun) < len(value) else None

    return read


@pytest.mark.parametrize("task", [
    FuzzyRecall(), FuzzyRecall(9, 64, 2, 3), FuzzyRecall(16, 18), FuzzyRecall(3, 12, 1, 1),
])  # fmt: skip
def test_a_reader_of_runs_answers_fuzzy_recall_and_is_asked_whatever_it_holds(task):
    tokens, targets = task.batch(40, seeded())
    assert tokens.shape == targets.shape == (40, task.length)
    read = fuzzy_reader(task)
    assert task.accuracy(answers(task, tokens, read), targets) == 1
    assert (targets != IGNORE).sum() == known(tokens, read) and (targets[:, -1] != IGNORE).all()
    pad = task.vocabulary - 1
    for text in tokens.tolist():
        assert text[0] == pad and pad not in text[text.count(pad) :]
        pairs = runs(text[text.count(pad) :], task.keys)
        assert all(len(set(key)) == len(key) == task.key for key, _ in pairs)
        assert all(1 <= len(set(value)) == len(value) <= task.value for _, value in pairs[:-1])


def test_training_asks_for_every_next_token_and_has_keys_of_every_size():
    for task in (InContextRecall(), InContextRecall(32, 128, 16, 0.2), FuzzyRecall()):
        tokens, targets = task.batch(100, seeded(), training=True)
        assert torch.equal(tokens[:, 1:], targets[:, :-1]) and (targets[:, -1] >= task.keys).all()
    sizes = Counter(len(key) for text in tokens.tolist() for key, _ in runs([t for t in text if t != 15], task.keys))
    assert set(sizes) == {1, 2, 3} and min(sizes.values()) > 0.25 * sizes.total()


@pytest.mark.parametrize("task", [SelectiveCopying(), SelectiveCopying(3, 4, 1), SelectiveCopying(128, 256, 96)])
def test_a_reader_of_what_is_not_blank_copies(task):
    tokens, targets = task.batch(100, seeded())
    blank, order = task.vocabulary - 2, task.vocabulary - 1
    place = task.length - task.copies - 1
    for text, asked in zip(tokens.tolist(), targets.tolist()):
        assert text[place] == order and text.count(order) == 1 and text[place + 1 :] == [blank] * task.copies
        assert asked[: place + 1] == [IGNORE] * (place + 1)
        assert asked[place + 1 :] == [token for token in text[:place] if token != blank]
        assert text[place - 1] != blank
    assert set(targets[:, place + 1 :].flatten().tolist()) == set(range(blank))
    assert task.chance == 1 / (task.vocabulary - 2)


def test_blanks_fall_before_any_token_alike():
    tokens, _ = SelectiveCopying(16, 40, 4).batch(4000, seeded())
    text = tokens[:, :35]
    place = (text != 14).nonzero()[:, 1].reshape(4000, 4)
    gaps = torch.diff(place, dim=1, prepend=torch.full((4000, 1), -1)) - 1
    assert (gaps.sum(1) == 31).all() and torch.allclose(gaps.float().mean(0), torch.tensor(31 / 4), atol=0.2)
    assert gaps.float().std(0).mean() == pytest.approx((31 * 0.25 * 0.75) ** 0.5, rel=0.1)


def test_compression_asks_for_the_text_itself():
    task = Compression(16, 32)
    tokens, targets = task.batch(300, seeded())
    assert torch.equal(tokens, targets) and tokens.shape == (300, 32)
    assert (tokens[:, -1] == 15).all() and set(tokens[:, :-1].flatten().tolist()) == set(range(15))
    guess = torch.cat([torch.randint(15, (300, 31), generator=seeded(1)), torch.full((300, 1), 15)], 1)
    assert task.accuracy(F.one_hot(guess, 16), targets) == pytest.approx(task.chance, abs=0.01)


def test_memorization_asks_for_the_same_pairs_in_all_texts():
    task = Memorization(64, 16)
    facts = {}
    for seed in (0, 1):
        tokens, targets = task.batch(300, seeded(seed))
        assert (tokens[:, 1::2] == 63).all() and (targets[:, ::2] == IGNORE).all()
        for key, value in zip(tokens[:, ::2].flatten().tolist(), targets[:, 1::2].flatten().tolist()):
            assert facts.setdefault(key, value) == value
    assert set(facts) == set(range(31)) and len(set(facts.values())) == 31 and set(facts.values()) <= set(range(31, 63))
    assert facts != dict(enumerate(Memorization(64, 16, seed=1).values.tolist())) and task.chance == 1 / 32


def test_what_training_never_shows_caps_memorization():
    tokens, _ = (task := Memorization(8192)).batch(256, seeded())
    assert task.shown(256) == pytest.approx(0.632, abs=1e-3)
    assert len(tokens[:, ::2].unique()) / task.keys == pytest.approx(task.shown(256), abs=0.02)
    assert [round(t.shown(n), 2) for t, n in settings("memorization")] == [1, 1, 1, 0.98, 0.86, 0.63]


def test_settings_are_those_of_mads_task_files():
    found = {name: list(settings(name)) for name in TASKS}
    assert {name: len(made) for name, made in found.items()} == {
        "compression": 11, "in-context recall": 11, "fuzzy recall": 11, "noisy recall": 14, "selective copying": 13,
        "memorization": 6,
    }  # fmt: skip
    assert (InContextRecall(32, 128, 16, 0.8), 12_800) in found["noisy recall"]
    assert (SelectiveCopying(16, 256, 96), 12_800) in found["selective copying"]
    assert (Compression(16, 32), 800) in found["compression"] and (FuzzyRecall(128), 12_800) in found["fuzzy recall"]
    for made in found.values():
        assert len(set(made)) == len(made)
        for task, _ in made:
            tokens, targets = task.batch(2, seeded())
            assert tokens.max() < task.vocabulary and targets.max() < task.vocabulary
    with pytest.raises(ValueError, match="MAD has no task 'recall': choose among compression"):
        next(settings("recall"))


def test_balanced_accuracy_counts_tokens_alike():
    task = Compression(5, 6)
    targets = torch.tensor([[0, 0, 0, 0, 1, IGNORE]])
    given = torch.tensor([[0, 0, 0, 3, 1, 2]])
    logits = F.one_hot(given, 5)
    assert task.accuracy(logits, targets) == pytest.approx(4 / 5)
    assert task.balanced(logits, targets) == pytest.approx((3 / 4 + 1 + 0) / 3)  # of 0, 1, and of 3, never right


@pytest.mark.parametrize("name", TASKS)
def test_texts_are_those_of_their_seed(name):
    task = TASKS[name][0]
    for training in (False, True):
        one, same, other = (task.batch(8, seeded(seed), training) for seed in (1, 1, 2))
        assert torch.equal(one[0], same[0]) and torch.equal(one[1], same[1])
        assert not (one[0][:, None] == other[0][None]).all(2).any()


@pytest.mark.parametrize(("task", "wrong", "sentence"), [
    (InContextRecall(), {"length": 127}, "127 tokens are not two pairs or more"),
    (InContextRecall(), {"noise_vocabulary": 15}, "15 of 16 tokens are noise: leave a key and a value"),
    (InContextRecall(), {"noise": 0.2}, "a share of 0.2 is noise: give 0 to below 1, and tokens of noise"),
    (InContextRecall(), {"noise": 1.0, "noise_vocabulary": 4}, "a share of 1.0 is noise"),
    (FuzzyRecall(), {"key": 8}, "keys of 8 and values of 3 tokens do not fit a vocabulary of 16"),
    (FuzzyRecall(), {"length": 17}, "a length of 17 is short: give room for three pairs, 18"),
    (SelectiveCopying(), {"copies": 128}, r"SelectiveCopying\(.*copies=128\) has no texts: give 3 tokens or more"),
    (Compression(), {"vocabulary": 1}, "has no texts: give at least 2 of both"),
    (Memorization(), {"length": 31}, "has no texts: give at least 3 tokens, and an even length"),
])  # fmt: skip
def test_what_makes_no_text_gets_one_sentence(task, wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        replace(task, **wrong)
