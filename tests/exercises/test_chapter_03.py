"""The exercises of notebook 03: its solutions pass, and each usual mistake is named."""

import math

import pytest
import torch

from nlcore.exercises.chapter_03 import SUSPECTS, check_delta, check_harm, check_retention, check_suspects
from nlcore.exercises.checking import RIGHT

NAMED = {"A": "delta", "B": "Newton-Schulz", "C": "none", "D": "momentum"}


def retention(n):
    return 0.5 ** (1 / n)


def delta(m, x, surprise, alpha, beta):
    return alpha * m + torch.outer(surprise - beta * m @ x, x)


def harm():
    return (1.0, 0.0), 1.0, (0.8, 0.6), -1.0


def test_the_solutions_are_right():
    assert (check_retention(retention), check_delta(delta), check_harm(harm), check_suspects(NAMED)) == (RIGHT,) * 4


@pytest.mark.parametrize("wrong, says", [
    (lambda n: None, "nothing yet"),
    (lambda n: 1 - 1 / n, "mean age"),
    (lambda n: 0.5**n, "solve"),
    (lambda n: 2 ** (1 / n), "above 1"),
    (lambda n: math.log(0.5) / n, "logarithm"),
    (lambda n: 0.5 ** (1 / (n - 1)), "n - 1 gradients"),
    (lambda n: 1 - 0.5**n, "not asked for"),
    (lambda n: 0.9, "not a mistake known here"),
])
def test_a_wrong_retention_is_named(wrong, says):
    assert says in check_retention(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda m, x, s, a, b: None, "nothing yet"),
    (lambda m, x, s, a, b: m, "Nothing happened"),
    (lambda m, x, s, a, b: a * m + torch.outer(s, x), "plain momentum"),
    (lambda m, x, s, a, b: a * m - b * torch.outer(m @ x, x), "not stored"),
    (lambda m, x, s, a, b: m + torch.outer(s - b * m @ x, x), "alpha is not used"),
    (lambda m, x, s, a, b: a * m + torch.outer(s - m @ x, x), "beta is not used"),
    (lambda m, x, s, a, b: a * m + b * torch.outer(s - m @ x, x), "Stored with beta"),
    (lambda m, x, s, a, b: a * m + torch.outer(s + b * m @ x, x), "grows"),
    (lambda m, x, s, a, b: a * m - torch.outer(s + b * m @ x, x), "printed one"),
    (lambda m, x, s, a, b: a * m + (1 - b * (s @ m @ x)) * torch.outer(s, x), "first reading"),
    (lambda m, x, s, a, b: a * m + torch.outer(s, x - b * s @ m), "Erased along the surprise"),
    (lambda m, x, s, a, b: a * (m - b * torch.outer(m @ x, x)) + torch.outer(s, x), "alpha belongs"),
    (lambda m, x, s, a, b: a * m.T + torch.outer(x, s - b * m @ x), "size [3, 2]"),
    (lambda m, x, s, a, b: m.mul_(a).sub_(b * torch.outer(s, x)), "in place"),
])
def test_a_wrong_write_is_named(wrong, says):
    assert says in check_delta(wrong)


@pytest.mark.parametrize("wrong, says", [
    (None, "nothing yet"),
    (((1.0, 0.0), 1.0), "returns 2 things"),
    (((1.0, 0.0, 0.0), 1.0, (0.8, 0.6, 0.0), -1.0), "two numbers"),
    (((1.0, 0.0), 1.0, (0.0, 1.0), -1.0), "nothing to avoid"),
    (((1.0, 0.0), 1.0, (1.0, 0.0), -1.0), "capacity"),
    (((1.0, 0.0), 1.0, (0.8, 0.6), 0.8), "disagree"),
    (((1.0, 0.0), 1.0, (0.3, 0.91**0.5), -1.0), "share more"),
    (((1.0, 0.0), 1.0, (0.99, 0.0199**0.5), -1.0), "too alike"),
    (((3.0, 0.0), 1.0, (2.4, 1.8), -1.0), "length one"),
    (((1.0, 0.0), 10.0, (0.8, 0.6), -10.0), "between -1 and 1"),
])
def test_tasks_that_do_not_show_it_are_told_why(wrong, says):
    assert says in check_harm(lambda: wrong)


@pytest.mark.parametrize("wrong, says", [
    ({}, "nothing yet"),
    (NAMED | {"A": "momentum", "D": "delta"}, "repeated news"),
    (NAMED | {"B": "none"}, "ten times as large"),
    (NAMED | {"C": "momentum"}, "zeros"),
    (NAMED | {"D": "none"}, "grow to ten times"),
    (NAMED | {"A": "Oja"}, "none of the names"),
])
def test_a_wrong_name_is_answered_with_an_experiment(wrong, says):
    assert says in check_suspects(wrong)


def test_the_experiments_tell_the_suspects_apart():
    g = torch.tensor([[0.6, 0.2], [-0.3, 0.9]])
    again, once = g.expand(60, 2, 2), torch.cat([g[None], torch.zeros(5, 2, 2)])
    size = {name: box(again)[-1].norm() / g.norm() for name, box in SUSPECTS.items()}
    assert size["A"] < 1 and size["C"] == pytest.approx(1) and size["D"] == pytest.approx(10, rel=0.01)
    assert {name for name, box in SUSPECTS.items() if not box(once)[-1].any()} == {"C"}
    assert {name for name, box in SUSPECTS.items() if torch.allclose(box(again), box(10 * again), rtol=1e-4)} == {"B"}
