"""Entropies against closed forms and a direct count."""

import math
from collections import Counter

import numpy as np
import pytest

from nlcore.tasks.entropy import order0, order1


def test_uniform_bytes_have_eight_bits():
    assert order0(bytes(range(256)) * 3) == pytest.approx(8, abs=1e-12)


def test_a_repeated_byte_has_none():
    assert order0(b"a" * 100) == order1([b"a" * 100]) == 0


def test_alternation_is_one_bit_alone_and_none_in_order():
    assert order0(b"ab" * 500) == pytest.approx(1, abs=1e-12)
    assert order1([b"ab" * 500]) == pytest.approx(0, abs=1e-12)


def test_order_one_is_the_direct_count():
    text = b"the quick brown fox jumps over the lazy dog, and then the dog sleeps there"
    pairs, firsts = Counter(zip(text, text[1:])), Counter(text[:-1])
    direct = -sum(n * math.log2(n / firsts[first]) for (first, _), n in pairs.items()) / (len(text) - 1)
    assert order1([text]) == pytest.approx(direct, abs=1e-12)


def test_a_markov_chain_has_the_entropy_of_its_transitions():
    flips = np.random.default_rng(0).random(400_000) < 0.1
    text = (np.cumsum(flips) % 2).astype(np.uint8).tobytes()
    assert order1([text]) == pytest.approx(-0.1 * math.log2(0.1) - 0.9 * math.log2(0.9), abs=0.01)
    assert order0(text) == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("text", [b"", b"a"])
def test_hardly_any_text_has_none(text):
    assert order0(text) == order1([text]) == 0


def test_pairs_are_counted_within_pieces_alone():
    assert order1([b"ab", b"ac", b"a", b""]) == pytest.approx(1)  # after an "a" a "b" or a "c"; nothing follows those
    assert order1([b"abac"]) == pytest.approx(2 / 3)  # joined, a third pair of no doubt stands there
