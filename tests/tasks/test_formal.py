"""The formal languages against recognisers of another make: regular expressions, counts, a rewriting of brackets."""

import re
from itertools import product

import pytest
import torch

from nlcore.tasks.formal import RULES, Formal, bins
from nlcore.tasks.recall import IGNORE


def counted(letters):
    """Reads on from the prefix: once a `b` has come, the rest of the string is known."""

    def label(prefix):
        text = "".join(letter * prefix.count("a") for letter in letters) + "T"
        assert text.startswith(prefix)
        return "a or b" if set(prefix) == {"a"} else text[len(prefix)]

    return label


def erased(text, pairs):
    """What is left of these brackets once closed pairs are rubbed out, again and again."""
    text = "".join(letter for letter in text if letter in "".join(pairs))
    while any(pair in text for pair in pairs):
        for pair in pairs:
            text = text.replace(pair, "")
    return text


def depths(prefix):
    left = [erased(prefix, [pair]) for pair in ("()", "[]")]
    assert not set(")]") & set("".join(left)), f"{prefix} closes what is not open"
    return "".join("1" if rest else "0" for rest in left)


def member(pattern):
    return lambda prefix: "inside" if re.fullmatch(pattern, prefix) else "outside"


RECOGNISERS = {
    "parity": member("0*(10*10*)*"),
    "(aa)*": member("(aa)*"),
    "(abab)*": member("(abab)*"),
    "a^n b^n": counted("ab"),
    "a^n b^n c^n": counted("abc"),
    "shuffle-2": depths,
}
WHOLE = {
    "parity": "inside", "(aa)*": "inside", "(abab)*": "inside", "a^n b^n": "T", "a^n b^n c^n": "T", "shuffle-2": "00",
}  # fmt: skip


def spelled(task, tokens, labels):
    """Strings and the names of their labels; the padding is checked and left out."""
    for row, named in zip(tokens.tolist(), labels.tolist()):
        length = sum(label != IGNORE for label in named)
        assert row[length:] == [task.vocabulary - 1] * (len(row) - length)
        assert named[length:] == [IGNORE] * (len(row) - length)
        yield "".join(task.rule.letters[token] for token in row[:length]), [task.rule.labels[k] for k in named[:length]]


@pytest.mark.parametrize("language", RULES)
@pytest.mark.parametrize("window", [(1, 13), (2, 40), (51, 100)])
def test_every_prefix_has_the_label_of_an_independent_recogniser(language, window):
    task = Formal(language, *window)
    tokens, labels = task.batch(48, torch.Generator().manual_seed(1))
    assert tokens.shape == labels.shape and tokens.max() < task.vocabulary and labels.max() < len(task.rule.labels)
    assert len(task.rule.labels) <= task.vocabulary
    for text, named in spelled(task, tokens, labels):
        assert named == [RECOGNISERS[language](text[: t + 1]) for t in range(len(text))]
        assert named[-1] == WHOLE[language]
        size = text.count("a") if language.startswith("a^n") else len(text)
        assert window[0] <= size <= window[1]


@pytest.mark.parametrize("language", RULES)
def test_the_count_of_strings_is_what_trying_all_gives_and_a_batch_meets_each(language):
    task = Formal(language, 2, 4 if language == "a^n b^n c^n" else 6)
    letters, found = task.rule.letters, set()
    for length in range(2, task.sizes[-1] * task.rule.symbols + 1):
        for text in map("".join, product(letters, repeat=length)):
            if language.startswith("a^n"):
                belongs = text == "".join(letter * text.count("a") for letter in letters) and length > len(letters)
            elif language == "shuffle-2":
                belongs = not erased(text, ["()"]) + erased(text, ["[]"])
            else:
                belongs = RECOGNISERS[language](text) == "inside"
            found |= {text} if belongs else set()
    drawn = {text for text, _ in spelled(task, *task.batch(6000, torch.Generator().manual_seed(0)))}
    assert task.distinct == len(found) and drawn == found


def test_few_strings_fill_the_windows_of_irie_et_al():
    """The trap: what a window holds is soon all seen."""
    sizes = {language: [Formal(language, *window).distinct for window in bins()] for language in RULES}
    assert sizes["(aa)*"] == [25, 25, 25] and sizes["(abab)*"] == [12, 13, 12]
    assert sizes["a^n b^n"] == sizes["a^n b^n c^n"] == [49, 50, 50]
    assert sizes["parity"][0] == 2**50 - 2 and sizes["shuffle-2"][0] > 1e25
    assert bins() == ((2, 50), (51, 100), (101, 150)) and bins(40) == ((2, 40), (41, 80), (81, 120))


def test_a_test_has_each_string_once_where_they_are_few():
    for language in RULES:
        task = Formal(language, 2, 20)
        texts = [text for text, _ in spelled(task, *task.test(300, torch.Generator().manual_seed(0)))]
        if language in ("parity", "shuffle-2"):
            assert len(texts) == 300 and len(set(texts)) > 200
        else:
            assert len(texts) == len(set(texts)) == task.distinct


def test_brackets_cross_and_sizes_are_spread_evenly():
    task = Formal("shuffle-2", 2, 20)
    texts = [text for text, _ in spelled(task, *task.batch(2000, torch.Generator().manual_seed(0)))]
    nested = [text for text in texts if not erased(text, ["()", "[]"])]
    assert 0.1 < len(nested) / len(texts) < 0.6
    lengths = torch.bincount(torch.tensor([len(text) for text in texts]))
    assert (lengths[2::2] > 140).all() and lengths[1::2].sum() == 0  # 200 each


def test_one_wrong_position_spoils_a_string_and_the_padding_none():
    task = Formal("a^n b^n", 2, 8)
    tokens, labels = task.test(0, torch.Generator())
    logits = torch.nn.functional.one_hot(labels.clamp(min=0), task.vocabulary).float()
    logits[labels == IGNORE] = torch.rand(int((labels == IGNORE).sum()), task.vocabulary)
    assert task.accuracy(logits, labels) == task.positions(logits, labels) == 1
    logits[3, 2] = logits[3, 2].roll(1)
    logits[5, 0], logits[5, 1] = logits[5, 0].roll(1), logits[5, 1].roll(1)
    assert task.accuracy(logits, labels) == pytest.approx(5 / 7)
    assert task.positions(logits, labels) == pytest.approx(1 - 3 / int((labels != IGNORE).sum()))


def test_chance_is_what_the_best_reader_of_one_symbol_gets():
    """By hand: half of the labels of (aa)*, three of four in (abab)*, all but one in a^n b^n; and no whole string."""
    expected = {"(aa)*": 0.5, "(abab)*": 0.75, "a^n b^n": 1 - 49 / sum(2 * n for n in range(2, 51))}
    for language, share in expected.items():
        task = Formal(language)
        assert task.chance(*task.test(0, torch.Generator())) == (0, pytest.approx(share))
    task, longer = Formal("parity"), Formal("parity", 51, 100)
    string, position = task.chance(*task.batch(4000, torch.Generator().manual_seed(0)))
    assert 0.01 < string < 0.04 and 0.5 < position < 0.54  # strings of 2 and 3 can be hit
    assert longer.chance(*longer.batch(500, torch.Generator().manual_seed(0)))[0] == 0


def test_strings_are_those_of_their_seed():
    for language in RULES:
        one, same, other = (Formal(language).batch(16, torch.Generator().manual_seed(seed)) for seed in (1, 1, 2))
        assert torch.equal(one[0], same[0]) and torch.equal(one[1], same[1]) and not torch.equal(one[0], other[0])


@pytest.mark.parametrize(("given", "sentence"), [
    (("dyck-1",), "there is no language 'dyck-1': choose among parity"),
    (("(abab)*", 1, 3), r"\(abab\)\* has no strings of sizes 1 to 3: give another window"),
    (("parity", 9, 8), "parity has no strings of sizes 9 to 8"),
    (("parity", 0, 8), "parity has no strings of sizes 0 to 8"),
])  # fmt: skip
def test_what_makes_no_strings_gets_one_sentence(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        Formal(*given)
