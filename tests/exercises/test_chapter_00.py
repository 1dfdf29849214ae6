"""The exercises of notebook 00: its solutions pass, and each usual mistake is named."""

import math

import pytest
import torch

from nlcore.exercises.chapter_00 import BOXES, RIGHT, check_boxes, check_erase, check_lasts, check_text


PERIODS = {"A": 3, "B": 1, "C": 0, "D": 6}
NEW = "one two three four five six seven eight nine ten"
MANY = " ".join(f"word{i}" for i in range(24))


def erase(W, k):
    return W - torch.outer(W @ k, k) / (k @ k)


def lasts(alpha, period):
    n = 1
    while alpha < 1 and alpha**n >= 0.5:
        n += 1
    return n * period if alpha < 1 else math.inf


def test_the_solutions_are_right():
    assert [check_erase(erase), check_lasts(lasts), check_boxes(PERIODS)] == [RIGHT] * 3
    assert check_text("jam " * 24 + NEW).startswith(RIGHT)


@pytest.mark.parametrize("wrong, says", [
    (lambda W, k: W, "Nothing happened"),
    (lambda W, k: 0 * W, "All is gone"),
    (lambda W, k: W - torch.outer(W @ k, k), "k @ k is not 1"),
    (lambda W, k: W - torch.outer(W @ k, k) / k.norm(), "comes in twice"),
    (lambda W, k: W - torch.outer(k, W @ k) / (k @ k), "exchanged"),
    (lambda W, k: W - torch.outer(W.T @ k, k) / (k @ k), "not k @ W"),
    (lambda W, k: W + torch.outer(W @ k, k) / (k @ k), "sign"),
    (lambda W, k: W - torch.outer(k, k) / (k @ k), "the key itself"),
    (lambda W, k: torch.outer(W @ k, k) / (k @ k), "keep everything else"),
    (lambda W, k: W.sub_(torch.outer(W @ k, k) / (k @ k)), "in place"),
    (lambda W, k: None, "not a matrix"),
    (lambda W, k: 3 * W, "not a mistake known here"),
    (lambda W, k: 1 / 0, "ZeroDivisionError"),
])
def test_a_wrong_erasure_is_named(wrong, says):
    assert says in check_erase(wrong)


def test_an_erased_key_is_silent_and_others_are_not_touched():
    draw = torch.Generator().manual_seed(1)
    W, k = torch.randn(4, 4, generator=draw), torch.tensor([3.0, 0.0, 4.0, 0.0])
    assert torch.allclose(erase(W, k) @ k, torch.zeros(4), atol=1e-5)
    for other in (torch.tensor([4.0, 0.0, -3.0, 0.0]), torch.eye(4)[1]):
        assert torch.allclose(erase(W, k) @ other, W @ other, atol=1e-5)


@pytest.mark.parametrize("wrong, says", [
    (lambda alpha, period: None, "nothing yet"),
    (lambda alpha, period: lasts(alpha, 1), "period is missing"),
    (lambda alpha, period: math.ceil(math.log(0.5) / math.log(alpha)) * period, "math.inf"),
    (lambda alpha, period: math.ceil(math.log(0.5, alpha)) * period if alpha < 1 else math.inf, "exactly one half"),
    (lambda alpha, period: 3 * period, "first power below"),
    (lambda alpha, period: lasts(alpha, period) if alpha < 1 else 0, "nothing fades"),
])
def test_a_wrong_lifetime_is_named(wrong, says):
    assert says in check_lasts(wrong)


@pytest.mark.parametrize("wrong, says", [
    (None, "one string"),
    ("", "one string"),
    ("jam to-day", "2 words"),
    ("jam " * 40, "too few different"),
    (f"{MANY} {NEW}", "read too many different words"),
    (f"{MANY} {MANY} one two", "only the last 2 words"),
    (f"{MANY} {' '.join(MANY.split()[:12])}", "met the others before"),
])
def test_a_text_that_does_not_break_it_is_told_why(wrong, says):
    assert says in check_text(wrong)


@pytest.mark.parametrize("changed, says", [
    ({"A": 6}, "sooner than every 6"),
    ({"B": 2}, "sooner than every 2"),
    ({"A": 1}, "A is slower than that: after 1 pair it"),
    ({"D": 3}, "D is slower than that: after 3 pairs it"),
    ({"A": 4}, "first know the newest"),
    ({"A": 0}, "A does change"),
    ({"C": 1}, "learnt none of them"),
    ({"D": 0}, "more pairs than you have"),
    ({"A": 3.0}, "whole number"),
    ({"E": 1}, "A, B, C and D"),
])
def test_a_wrong_period_is_told_what_to_try(changed, says):
    assert says in check_boxes(PERIODS | changed)


@pytest.mark.parametrize("name", PERIODS)
def test_a_box_knows_the_newest_pair_whenever_its_period_says(name):
    k, v = torch.eye(8), torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    for n in range(1, 9):
        knows = torch.allclose(BOXES[name](k[:n], v[:n], k[n - 1 : n])[0], v[n - 1], atol=1e-5)
        assert knows == (PERIODS[name] > 0 and n % PERIODS[name] == 0)
