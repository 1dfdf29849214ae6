"""The exercises of notebook 00: its solutions pass, and each usual mistake is named."""

import math

import pytest
import torch

from nlcore.exercises.chapter_00 import BOXES, RIGHT, check_boxes, check_lasts, check_text, check_write


PERIODS = {"A": 3, "B": 1, "C": 0, "D": 6}
NEW = "one two three four five six seven eight nine ten"
MANY = " ".join(f"word{i}" for i in range(24))


def write(W, k, v, alpha, eta):
    return alpha * W + eta * torch.outer(v, k)


def lasts(alpha, period):
    n = 1
    while alpha < 1 and alpha**n >= 0.5:
        n += 1
    return n * period if alpha < 1 else math.inf


def test_the_solutions_are_right():
    assert [check_write(write), check_lasts(lasts), check_boxes(PERIODS)] == [RIGHT] * 3
    assert check_text("jam " * 24 + NEW).startswith(RIGHT)


@pytest.mark.parametrize("wrong, says", [
    (lambda W, k, v, a, e: W, "Nothing happened"),
    (lambda W, k, v, a, e: a * W, "Nothing was written"),
    (lambda W, k, v, a, e: a * W + e * torch.outer(k, v), "exchanged"),
    (lambda W, k, v, a, e: W + e * torch.outer(v, k), "alpha is not used"),
    (lambda W, k, v, a, e: a * W + torch.outer(v, k), "eta is not used"),
    (lambda W, k, v, a, e: a * (W + e * torch.outer(v, k)), "fades as well"),
    (lambda W, k, v, a, e: e * torch.outer(v, k), "is gone"),
    (lambda W, k, v, a, e: a * W - e * torch.outer(v, k), "sign"),
    (lambda W, k, v, a, e: W.mul_(a).add_(e * torch.outer(v, k)), "in place"),
    (lambda W, k, v, a, e: None, "not a matrix"),
    (lambda W, k, v, a, e: 3 * W, "not a mistake known here"),
    (lambda W, k, v, a, e: 1 / 0, "ZeroDivisionError"),
])
def test_a_wrong_write_is_named(wrong, says):
    assert says in check_write(wrong)


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
    ({"A": 1}, "slower than every 1"),
    ({"D": 3}, "slower than every 3"),
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
