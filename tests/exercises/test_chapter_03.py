"""The exercises of notebook 03: its solutions pass, and each usual mistake is named."""

import math

import pytest
import torch

from nlcore.exercises.chapter_03 import check_bound, check_delta, check_limit, check_retention, check_weights
from nlcore.exercises.checking import RIGHT


def weights(alpha, T):
    return alpha ** torch.arange(T - 1, -1, -1)


def retention(n):
    return 0.5 ** (1 / n)


def delta(m, g, alpha, beta):
    return alpha * m - beta * (g @ m) * g + g


def limit(alpha, beta):
    return (1 + alpha) / beta


def bound(b, g):
    return b / (1 + b * g @ g)


def test_the_solutions_are_right():
    checks = check_weights(weights), check_retention(retention), check_delta(delta), check_limit(limit), check_bound(bound)
    assert checks == (RIGHT,) * 5


@pytest.mark.parametrize("wrong, says", [
    (lambda a, T: None, "nothing yet"),
    (lambda a, T: weights(a, T).flip(0), "turned round"),
    (lambda a, T: a * weights(a, T), "faded already"),
    (lambda a, T: torch.ones(T), "Nothing fades"),
    (lambda a, T: (1 - a) * weights(a, T), "about 1"),
    (lambda a, T: weights(a, T) / weights(a, T).sum(), "add up to 1"),
    (lambda a, T: [1 - k * (1 - a) for k in range(T - 1, -1, -1)], "straight line"),
    (lambda a, T: weights(a, T + 1), "size"),
    (lambda a, T: 3 * weights(a, T), "not a mistake known here"),
    (lambda a, T: 1 / 0, "ZeroDivisionError"),
])
def test_wrong_weights_are_named(wrong, says):
    assert says in check_weights(wrong)


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
    (lambda m, g, a, b: None, "nothing yet"),
    (lambda m, g, a, b: m, "Nothing happened"),
    (lambda m, g, a, b: a * m + g, "plain momentum"),
    (lambda m, g, a, b: a * m - b * g * (g @ m), "not stored"),
    (lambda m, g, a, b: m - b * g * (g @ m) + g, "alpha is not used"),
    (lambda m, g, a, b: a * m - g * (g @ m) + g, "beta is not used"),
    (lambda m, g, a, b: a * m + b * g * (g @ m) + g, "grows"),
    (lambda m, g, a, b: a * m - b * g * (g @ m) - g, "printed one"),
    (lambda m, g, a, b: a * m - b * g * g * m + g, "Element by element"),
    (lambda m, g, a, b: a * m - b * m * (g @ m) + g, "Erased along m"),
    (lambda m, g, a, b: a * (m - b * g * (g @ m)) + g, "alpha belongs"),
    (lambda m, g, a, b: m.mul_(a).sub_(b * g), "in place"),
])
def test_a_wrong_write_is_named(wrong, says):
    assert says in check_delta(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda a, b: None, "nothing yet"),
    (lambda a, b: (a - 1) / b, "reaches +1"),
    (lambda a, b: (1 - a) / b, "other side"),
    (lambda a, b: a / b, "erased exactly"),
    (lambda a, b: 1 + a, "beta is not used"),
    (lambda a, b: (1 + a) * b, "wrong side"),
    (lambda a, b: 2 / b, "alpha is not used"),
    (lambda a, b: ((1 + a) / b) ** 0.5, "its square"),
])
def test_a_wrong_limit_is_named(wrong, says):
    assert says in check_limit(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda b, g: None, "nothing yet"),
    (lambda b, g: b, "how long g is"),
    (lambda b, g: b / (1 + b * g.norm()), "not squared"),
    (lambda b, g: b / (1 + g @ g), "denominator"),
    (lambda b, g: 1 / (1 + b * g @ g), "numerator"),
    (lambda b, g: 1 / (g @ g), "1 is missing"),
    (lambda b, g: b / (1 - b * g @ g), "minus"),
])
def test_a_wrong_bound_is_named(wrong, says):
    assert says in check_bound(wrong)
