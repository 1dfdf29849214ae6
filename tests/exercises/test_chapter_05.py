"""The exercises of notebook 05: its solutions pass, and each usual mistake is named."""

import pytest
import torch

from nlcore.exercises.chapter_05 import SUSPECTS, check_huber, check_left, check_rate, check_step, check_suspects
from nlcore.exercises.checking import RIGHT


def rate(eta, x):
    return eta / (1 + eta * x @ x)


def step(W, x, u, eta):
    return W + rate(eta, x) * torch.outer(u - W @ x, x)


def left(eta, norm):
    return (1 - eta * norm**2) / (1 + eta * norm**2)


def huber(answer, value, delta):
    return (answer - value).clamp(-delta, delta)


def test_the_solutions_are_right():
    assert [check_rate(rate), check_step(step), check_left(left), check_huber(huber)] == [RIGHT] * 4
    assert check_suspects({"A": "weight", "B": "rate", "C": "sign"}) == RIGHT


@pytest.mark.parametrize("wrong, says", [
    (lambda e, x: e / (1 + e), "printed rate"),
    (lambda e, x: e / (1 + e * x.norm()), "squared"),
    (lambda e, x: e, "eta itself"),
    (lambda e, x: 1 / (1 + e * x @ x), "share that is left"),
    (lambda e, x: e * x @ x / (1 + e * x @ x), "share that an answer moves"),
    (lambda e, x: e / (1 + x @ x), "eta is missing"),
    (lambda e, x: None, "nothing yet"),
    (lambda e, x: x, "size [3]"),
    (lambda e, x: 7.0, "not a mistake known here"),
    (lambda e, x: 1 / 0, "ZeroDivisionError"),
])
def test_a_wrong_rate_is_named(wrong, says):
    assert says in check_rate(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda W, x, u, e: W, "Nothing happened"),
    (lambda W, x, u, e: W + rate(e, x) * torch.outer(u, x), "Nothing is erased"),
    (lambda W, x, u, e: W + e * torch.outer(u, x), "gradient descent"),
    (lambda W, x, u, e: W - rate(e, x) * torch.outer(W @ x, x), "Nothing is written"),
    (lambda W, x, u, e: W - rate(e, x) * torch.outer(u + W @ x, x), "eq. 114"),
    (lambda W, x, u, e: W + e * torch.outer(u - W @ x, x), "eta, not eta'"),
    (lambda W, x, u, e: W + e / (1 + e) * torch.outer(u - W @ x, x), "length 1"),
    (lambda W, x, u, e: W - rate(e, x) * torch.outer(W @ x, x) + e * torch.outer(u, x), "same rate"),
    (lambda W, x, u, e: W + rate(e, x) * torch.outer(u + W @ x, x), "adds the old answer"),
    (lambda W, x, u, e: W.add_(torch.outer(u, x)), "in place"),
    (lambda W, x, u, e: None, "nothing yet"),
    (lambda W, x, u, e: W + rate(e, x) * torch.outer(x, u - W @ x), "RuntimeError"),
])
def test_a_wrong_step_is_named(wrong, says):
    assert says in check_step(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda e, n: 1 - e * n**2, "may fall below -1"),
    (lambda e, n: 1 / (1 + e * n**2), "value is given"),
    (lambda e, n: abs(left(e, n)), "opposite sign"),
    (lambda e, n: 1 - 2 * e * n**2, "twice the rate"),
    (lambda e, n: -left(e, n), "eta = 0"),
    (lambda e, n: 1 - 2 * e / (1 + e * n * n), "length is missing"),
    (lambda e, n: None, "nothing yet"),
    (lambda e, n: 0.3, "not a mistake known here"),
])
def test_a_wrong_share_is_named(wrong, says):
    assert says in check_left(wrong)


@pytest.mark.parametrize("wrong, says", [
    ({}, "nothing yet"),
    ({"A": "rate", "B": "weight", "C": "sign"}, "A moves less"),
    ({"A": "weight", "B": "sign", "C": "rate"}, "length 1"),
    ({"A": "weight", "B": "rate"}, "nearer to -u"),
])
def test_a_wrong_suspicion_is_named(wrong, says):
    assert says in check_suspects(wrong)


def test_the_suspects_are_as_their_hints_say():
    W, u = torch.zeros(2, 3).double(), torch.tensor([1.0, 2.0]).double()
    x = torch.tensor([2.0, 0.0, 1.0]).double()
    unit = x / x.norm()
    moved = [(SUSPECTS["A"](W, x, u, eta) @ x).norm() for eta in (0.1, 1.0, 10.0)]
    assert moved[0] > moved[1] > moved[2]
    assert torch.allclose(SUSPECTS["B"](W, unit, u, 0.3), step(W, unit, u, 0.3))
    assert not torch.allclose(SUSPECTS["B"](W, x, u, 0.3), step(W, x, u, 0.3))
    assert torch.allclose(SUSPECTS["C"](W, x, u, 0.3), step(W, x, -u, 0.3))


@pytest.mark.parametrize("wrong, says", [
    (lambda a, v, d: a - v, "L2's"),
    (lambda a, v, d: (v - a).clamp(-d, d), "sign is wrong"),
    (lambda a, v, d: (a - v).sign(), "gradient of L1"),
    (lambda a, v, d: d * (a - v).sign(), "times delta"),
    (lambda a, v, d: torch.where((a - v).abs() <= d, a - v, 0.0), "straight, not flat"),
    (lambda a, v, d: (a - v).clamp(-1, 1), "at delta"),
    (lambda a, v, d: a.clamp(-d, d) - v, "clips the answer"),
    (lambda a, v, d: (a - v).clamp(max=d), "one side"),
    (lambda a, v, d: torch.where((a - v).abs() <= d, (a - v) ** 2 / 2, d * ((a - v).abs() - d / 2)), "loss, not"),
    (lambda a, v, d: None, "nothing yet"),
])
def test_a_wrong_huber_gradient_is_named(wrong, says):
    assert says in check_huber(wrong)
