"""Needles: hidden at their depth, found by a regular expression, and scored by what stands in the answer."""

import json
import re
from dataclasses import replace

import pytest
import torch

from nlcore.tasks.corpus import Corpus, DataError, Document
from nlcore.tasks.needles import DEPTHS, KEYS, NOISE, TASKS, Needles, essays, score
from nlcore.tasks.tokenizers import train_bpe

WORDS = " ".join(f"This is line {n}, of no use to anyone. Is it {n * n}?" for n in range(90)).split()
FACT = re.compile(r"One of the special magic (numbers|uuids) for ([a-z]+-[a-z]+) is: ([0-9a-f-]+)\.")


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def parts(prompt):
    """Haystack with its needles, and the question."""
    first, *context, question = prompt.split("\n")
    assert "hidden within the following text" in first
    return "\n".join(context), question


def reader(prompt):
    context, question = parts(prompt)
    facts = [fact for fact in FACT.findall(context) if fact[1] in question]
    return " and ".join(value for _, _, value in facts)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("length", [1000, 4096])
def test_a_reader_by_regular_expression_scores_1_and_a_wrong_one_0(name, length):
    task = replace(TASKS[name], length=length)
    samples = [task.sample(seeded(seed), WORDS) for seed in range(6)]
    for sample in samples:
        context, question = parts(sample.prompt)
        facts = FACT.findall(context)
        assert len(facts) == task.keys * task.values and {kind for kind, _, _ in facts} == {task.kind}
        assert len({key for _, key, _ in facts}) == task.keys
        assert sum(key in question for key in {key for _, key, _ in facts}) == task.queries
        assert len(sample.references) == len(sample.depths) == task.queries * task.values
        assert all(value not in question for _, _, value in facts)
    assert score([reader(sample.prompt) for sample in samples], samples) == 1
    assert score([sample.answer.upper() for sample in samples], samples) == 1
    assert score([parts(sample.prompt)[1] for sample in samples], samples) == 0
    assert score([re.sub(r"\d", lambda d: str(9 - int(d[0])), sample.answer) for sample in samples], samples) == 0
    half = [" ".join(sample.references[: len(sample.references) // 2]) for sample in samples]
    assert score(half, samples) == (0.5 if len(samples[0].references) > 1 else 0)


def sentences(text):
    """The haystack's sentences without needles, of which the last may be cut."""
    return re.findall(r"\S.*?[.?](?=\s)|\S.*?$", " ".join(FACT.sub(" ", text).split()))


@pytest.mark.parametrize("name", TASKS)
def test_each_needle_is_at_its_depth_in_an_unbroken_haystack(name):
    task = replace(TASKS[name], length=6000)
    unit, text = (5, [NOISE]) if task.haystack == "noise" else (1, WORDS)
    for seed in range(8):
        sample = task.sample(seeded(seed), WORDS)
        context, _ = parts(sample.prompt)
        haystack = sentences(context)
        assert len(haystack) > 40 and " ".join(haystack) in " ".join(text * 100)
        for value, depth in zip(sample.references, sample.depths):
            needle = next(fact for fact in FACT.finditer(context) if fact[3] == value)
            before = len(sentences(context[: needle.start()]))
            assert depth in DEPTHS and before == len(haystack) // unit * depth // 100 * unit


def test_depths_are_rulers_forty_and_all_come():
    assert DEPTHS[:4] == (0, 3, 5, 8) and DEPTHS[-1] == 100 and len(set(DEPTHS)) == 40
    task = Needles("noise", length=800)
    assert {task.sample(seeded(seed)).depths[0] for seed in range(400)} == set(DEPTHS)


@pytest.mark.parametrize("haystack", ["noise", "essays"])
def test_a_prompt_fills_its_length_in_tokens_of_bytes_and_of_a_tokenizer(haystack):
    document = Document("text", "lines", " ".join(WORDS).encode())
    bpe = train_bpe(Corpus("lines", (document,), (), {}), 400)
    piece = len(NOISE) + 1 if haystack == "noise" else max(map(len, WORDS)) + 1
    for length in (700, 2500, 9000):  # the last is longer than all words: they go round
        task = Needles(haystack, keys=2, length=length, reserved=60)
        sizes = [len(task.sample(seeded(seed), WORDS).prompt.encode()) for seed in range(5)]
        assert all(length - 60 - piece < size <= length - 60 for size in sizes)
    sample = (task := replace(task, length=2500)).sample(seeded(), WORDS, bpe)
    assert 2440 - piece < len(bpe.encode(sample.prompt)) <= 2440 < len(sample.prompt.encode())
    assert score([reader(sample.prompt)], [sample]) == 1


def test_the_question_is_in_the_singular_for_one_value_and_names_all_keys_for_many():
    one = TASKS["S-NIAH-3"].sample(seeded(), WORDS).prompt
    assert one.startswith("A special magic uuid is hidden within") and one.endswith(" in the provided text is")
    assert "\nWhat is the special magic uuid for " in one and "special magic uuids for" in one
    many = TASKS["MQ-NIAH"].sample(seeded(), WORDS).prompt
    assert many.startswith("Some special magic numbers are hidden") and many.endswith(" in the provided text are")
    key = r"[a-z]+-[a-z]+"
    assert re.search(f"What are all the special magic numbers for {key}, {key}, {key}, and {key} mentioned", many)


def test_values_and_keys_have_rulers_form():
    numbers = [TASKS["S-NIAH-1"].sample(seeded(seed)).references[0] for seed in range(30)]
    assert all(re.fullmatch(r"[1-9]\d{6}", number) for number in numbers) and len(set(numbers)) == 30
    uuids = TASKS["S-NIAH-3"].sample(seeded(), WORDS).references
    assert all(re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", u) for u in uuids)
    assert len(set(KEYS)) == len(KEYS) > 2000 and all(re.fullmatch("[a-z]+-[a-z]+", key) for key in KEYS)


@pytest.mark.parametrize("name", TASKS)
def test_samples_are_those_of_their_seed(name):
    task = replace(TASKS[name], length=1500)
    one, same, other = (task.sample(seeded(seed), WORDS) for seed in (1, 1, 2))
    assert one == same and one.prompt != other.prompt and one.references != other.references


def test_essays_are_held_out_english_or_rulers_own_file(tmp_path):
    words = essays()
    assert len(words) > 10_000 and all(word.strip() == word for word in words)
    own = tmp_path / "PaulGrahamEssays.json"
    own.write_text(json.dumps({"text": "Work hard.\n\nBe  kind."}))
    assert essays(str(own)) == ["Work", "hard.", "Be", "kind."]
    for content in ("[1]", "{", '{"text": 3}'):
        own.write_text(content)
        with pytest.raises(DataError, match="is no haystack of RULER: name its PaulGrahamEssays.json, or a text"):
            essays(str(own))
    with pytest.raises(DataError, match="is no haystack of RULER"):
        essays(str(tmp_path / "none.json"))


@pytest.mark.parametrize(("given", "sentence"), [
    (dict(haystack="hay"), "no numbers in hay: hide numbers or uuids in noise or essays"),
    (dict(kind="words"), "no words in noise"),
    (dict(queries=2), "2 of 1 keys, of 1 values each, cannot be asked for: ask for 1 or more of those there are"),
    (dict(keys=11, values=4), "hide at most 40 values"),
    (dict(queries=0), "0 of 1 keys"),
])  # fmt: skip
def test_what_makes_no_sample_gets_one_sentence(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        Needles(**given)


def test_no_words_and_no_room_get_one_sentence_too():
    with pytest.raises(ValueError, match="there are no words: give those of `needles.essays`"):
        TASKS["S-NIAH-2"].sample(seeded())
    with pytest.raises(ValueError, match="500 tokens hold no haystack beside question, needles and answer: give more"):
        replace(TASKS["S-NIAH-1"], length=500).sample(seeded())
