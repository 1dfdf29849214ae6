"""The exercises of notebook 00: its solutions pass, and each usual mistake is named."""

import math

import pytest
import torch

from nlcore.exercises.chapter_00 import RIGHT, check_fires, check_lasts, check_write


def write(W, k, v, alpha, eta):
    return alpha * W + eta * torch.outer(v, k)


def fires(t, period):
    return period > 0 and t % period == 0


def lasts(alpha, period):
    n = 1
    while alpha < 1 and alpha**n >= 0.5:
        n += 1
    return n * period if alpha < 1 else math.inf


def test_the_solutions_are_right():
    assert [check_write(write), check_fires(fires), check_lasts(lasts)] == [RIGHT] * 3


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
    (lambda t, period: False, "No level"),
    (lambda t, period: None, "No level"),
    (lambda t, period: t % 2 == 0, "every word"),
    (lambda t, period: (t - 1) % period == 0, "first word of each four"),
    (lambda t, period: (t + 1) % period == 0, "one word early"),
    (lambda t, period: True, "With period 4 it fires at [1, 2"),
    (lambda t, period: t % period == 0, "answer False there"),
    (lambda t, period: t % max(period, 1) == 0, "never updated"),
])
def test_a_wrong_clock_is_named(wrong, says):
    assert says in check_fires(wrong)


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
