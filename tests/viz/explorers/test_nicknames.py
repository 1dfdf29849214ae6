"""Nicknames: the explorer's memories against a loop in numpy, and what the chapter says of them."""

import numpy as np
import pytest
import torch

from nlcore.viz.explorers.nicknames import (
    RATES, STEPS, TEXTS, WIDTH, chart, compute, first_half, nicknames, read, second_half, texts,
)  # fmt: skip


def by_hand(tokens, eta, step, chunk):
    """The main memory of one text."""
    width = tokens.shape[1]
    k_memory, v_memory, main = first_half(width // 2).numpy(), second_half(width // 2).numpy(), np.eye(width)
    held = [k_memory.astype(float), v_memory.astype(float), main]
    opened = [one.copy() for one in held]

    def unit(x):
        return x / np.sqrt(x @ x + 1e-6)

    for t, x in enumerate(tokens.double().numpy(), 1):
        k, v = unit(opened[0] @ x), unit(opened[1] @ x)
        for i in range(3) if step.adapts else (2,):
            value = unit(opened[i] @ v) if step.own else v
            erased = held[i] @ k if "Delta" in type(step.rule).__name__ else 0.0
            held[i] = held[i] - eta * np.outer(erased + opened[i] @ k - value, k)
        if t % chunk == 0:
            opened = [one.copy() for one in held]
    return held[2]


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_each_step_is_the_plain_loop(name, chunk):
    tokens = texts(3, range(2)).tokens
    found = read(tokens, torch.tensor([0.5, 0.3]), STEPS[name], chunk)
    for own, text, eta in zip(found, tokens, (0.5, 0.3)):
        np.testing.assert_allclose(own.numpy(), by_hand(text, eta, STEPS[name], chunk), atol=1e-5)


def test_half_of_the_people_are_told_under_their_nickname_and_nobody_twice():
    given = texts(4, range(TEXTS))
    assert (given.nicked.sum(1) == 2).all()
    nicknames_told, names_told = given.tokens[:, :4, :WIDTH], given.tokens[:, :4, WIDTH:]
    assert torch.equal(given.words, torch.cat([given.words[:, :4], names_told, nicknames_told], 1))
    assert torch.equal(given.names, names_told)


def test_what_the_chapter_says_of_the_opening_holds():
    alone, shared, own = (compute(4, name, 1).shares["by nickname"].max() for name in list(STEPS)[:3])
    assert (compute(4, list(STEPS)[0], 1).shares["by nickname"] == 0).mean() > 0.8 and alone < 0.03
    assert 0.3 < shared < 0.7 and own > 0.9
    eight = [compute(8, name, 1) for name in list(STEPS)[:3]]
    assert eight[0].shares["by name"][eight[0].best] > 0.9 > 0.7 > eight[2].shares["by name"][eight[2].best]


def test_a_chunk_that_holds_the_whole_text_knows_no_nickname():
    assert compute(4, list(STEPS)[2], 8).shares["by nickname"].max() < 0.1


def test_bad_settings_get_one_sentence_and_every_title_names_its_best_rate():
    for given in (("fast", 4, 1), (list(STEPS)[0], 1, 1), (list(STEPS)[0], 4, 0)):
        with pytest.raises(ValueError, match="take one of"):
            compute(given[1], given[0], given[2])
    explorer = nicknames()
    found = explorer.compute(**explorer.values(explorer.first))
    assert f"{RATES[found.best]:g}: 100% by name, 0% by nickname" in chart(found)[0].title
