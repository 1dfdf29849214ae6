"""The exercises of notebook 10: its solutions pass, and each usual mistake is named."""

from dataclasses import replace

import pytest
import torch

from nlcore.exercises.chapter_10 import CHUNK, DIM, HARM, SUSPECTS, check_harm, check_heard, check_outgrown, check_suspects, harm
from nlcore.exercises.checking import RIGHT, UNKNOWN
from nlcore.models import PRESETS, build
from nlcore.models.memories import leaves

NAMED = {"A": "mixes", "B": "deaf", "C": "sound", "D": "leaks"}
RULE = "|---|---|" * 120


def heard(T, C, reads):
    return [[s <= t if reads != "boundary" else s < t // C * C or s == t for s in range(T)] for t in range(T)]


def outgrown(dim, hidden, memories, momentum):
    return memories * hidden * (2 if momentum else 1) + 1


def test_the_solutions_are_right():
    assert check_heard(heard) == check_heard(lambda *given: torch.tensor(heard(*given))) == RIGHT
    assert (check_suspects(NAMED), check_harm(RULE), check_outgrown(outgrown)) == (RIGHT,) * 3


@pytest.mark.parametrize("wrong, says", [
    (lambda T, C, reads: None, "nothing yet"),
    (lambda T, C, reads: [[s <= t for s in range(T)] for t in range(T)], "still open"),
    (lambda T, C, reads: [[heard(T, C, reads)[t][s] and s != t for s in range(T)] for t in range(T)], "its own token"),
    (lambda T, C, reads: [[heard(T, C, reads)[t][s] or s // C == t // C for s in range(T)] for t in range(T)], "future"),
    (lambda T, C, reads: torch.tensor(heard(T, C, reads)).T, "other way about"),
    (lambda T, C, reads: heard(T, C, "boundary"), "every earlier token"),
    (lambda T, C, reads: [[True] * T] * T, UNKNOWN),
    (lambda T, C, reads: [True], "size"),
    (lambda T, C, reads: 1 / 0, "ZeroDivisionError"),
])  # fmt: skip
def test_a_wrong_table_is_named(wrong, says):
    assert says in check_heard(wrong)


@pytest.mark.parametrize("thing", NAMED)
def test_every_suspect_has_its_own_hint(thing):
    assert f"Look again at {thing}." in check_suspects(NAMED | {thing: "sound" if thing != "C" else "deaf"})


def test_the_suspects_do_what_they_are_named_for():
    x = torch.randn(2, 3 * CHUNK, DIM, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    other = x.clone()
    other[1, 2] += 1
    moved = {name: (SUSPECTS[name](other) - SUSPECTS[name](x)).norm(dim=-1) > 1e-9 for name in NAMED}
    alone = torch.arange(3 * CHUNK) == 2
    for name, kind in NAMED.items():
        assert moved[name][0].any() == (kind == "mixes")
        assert moved[name][1, :2].any() == (kind == "leaks")
        assert (moved[name][1] == alone).all() == (kind == "deaf")


def test_a_suspect_says_what_it_takes():
    with pytest.raises(ValueError, match="give \\(texts, tokens, 8\\)"):
        SUSPECTS["C"](torch.zeros(2, 3))


@pytest.mark.parametrize("text, says", [
    (None, "nothing yet"), (3, "Return a text."), ("short", "shorter than a chunk"), ("the " * 256, "prepares for it"),
    ("The quick brown fox jumps over the lazy dog. " * 23, "more, and 0.25 are wanted"),
])  # fmt: skip
def test_a_text_that_does_not_do_is_told_why(text, says):
    assert says in check_harm(text)


def test_harm_is_of_the_last_bytes_alone():
    assert harm(RULE) > HARM and harm("x" * 4096 + RULE[-1024:]) == pytest.approx(harm(RULE[-1024:]), abs=1e-6)


@pytest.mark.parametrize("wrong, says", [
    (lambda d, h, n, m: None, "nothing yet"),
    (lambda d, h, n, m: outgrown(d, h, n, m) - 1, "as many"),
    (lambda d, h, n, m: outgrown(d, h, n, False), "Momentum"),
    (lambda d, h, n, m: n * h * (1 + m) / 2 + 1, "two matrices"),
    (lambda d, h, n, m: 2 * n * h * (1 + m) + 1, "two vectors"),
    (lambda d, h, n, m: 2 * n * h * d * (1 + m), "how many tokens"),
    (lambda d, h, n, m: outgrown(d, h, 1, m), "not the main one alone"),
    (lambda d, h, n, m: 0, UNKNOWN),
])  # fmt: skip
def test_a_wrong_count_is_named(wrong, says):
    assert says in check_outgrown(wrong)


def test_the_count_is_that_of_a_models_own_state():
    preset, tokens = PRESETS["tiny"], torch.zeros(1, outgrown(PRESETS["tiny"].dim, 16, 5, False), dtype=torch.int64)
    hope = build("hope", replace(preset, narrow_rates=False), 256).blocks[0].mixer.start(1)
    attention = build("transformer", preset, 256)(tokens).state[0]
    memories = sum(w.numel() for group in (hope.projections, hope.memory) for w in group.memory)
    kept = sum(x.numel() for x in leaves(attention))
    assert kept - 2 * preset.dim <= memories < kept
