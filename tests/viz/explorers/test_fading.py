"""How long a word lasts: against a plain loop, and where the answer is known."""

import numpy as np
import pytest
import torch

from nlcore.viz.explorers.fading import OBJECTIVES, STREAMS, WORDS, compute

ADDS, CORRECTS = OBJECTIVES


def by_hand(alpha: float, period: int, width: int, corrects: bool) -> np.ndarray:
    """Recall by age, (T,), with nothing but numpy."""
    pairs = torch.randn(2, WORDS, STREAMS, width, generator=torch.Generator().manual_seed(0)).double().numpy()
    keys, values = pairs / np.linalg.norm(pairs, axis=-1, keepdims=True)
    recall = np.zeros((STREAMS, WORDS))
    for s in range(STREAMS):
        w = np.zeros((width, width))
        for t in range(WORDS):
            before = w if t % period == 0 else before
            k, v = keys[t, s], values[t, s]
            w = (alpha if t % period == 0 else 1) * w + np.outer(v - before @ k if corrects else v, k)
        for t in range(WORDS):
            a, v = w @ keys[t, s], values[t, s]
            recall[s, t] = a @ v / np.linalg.norm(a)
    return recall.mean(0)[::-1]


@pytest.mark.parametrize("alpha, period, width", [(0.9, 1, 32), (1.0, 3, 16), (0.6, 16, 8)])
def test_it_is_the_plain_loop(alpha, period, width):
    found = compute(alpha, period, width)
    np.testing.assert_allclose(found.recall[ADDS], by_hand(alpha, period, width, False), atol=1e-4)
    np.testing.assert_allclose(found.recall[CORRECTS], by_hand(alpha, period, width, True), atol=1e-4)


def test_what_corrects_knows_the_last_word_exactly_if_it_keeps_everything():
    found = compute(1.0, 1, 16)
    assert found.recall[CORRECTS][0] == pytest.approx(1, abs=1e-5)
    assert found.recall[ADDS][0] < 0.9


def test_keeping_nothing_leaves_one_word():
    assert [compute(0.0, 1, 32).lasts(rule) for rule in OBJECTIVES] == [1, 1]


@pytest.mark.parametrize("better", ({"period": 8}, {"alpha": 0.95}, {"width": 64}))
def test_a_word_lasts_longer_in_a_slower_a_more_retentive_and_a_wider_memory(better):
    base = {"alpha": 0.9, "period": 1, "width": 32}
    for rule in OBJECTIVES:
        assert compute(**base | better).lasts(rule) > compute(**base).lasts(rule)


def test_bad_arguments_are_one_sentence():
    with pytest.raises(ValueError, match="alpha is 0 to 1"):
        compute(1.2, 1, 32)
