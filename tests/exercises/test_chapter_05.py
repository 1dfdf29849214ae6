"""The exercises of notebook 05: its solutions pass, and each usual mistake is named."""

import pytest
import torch

from nlcore.exercises.chapter_05 import (
    SUSPECTS,
    check_own_value,
    check_scaled,
    check_stable,
    check_suspects,
    comes_to,
    ends,
)
from nlcore.exercises.checking import RIGHT
from nlcore.optim import delta_step


def keys():
    return 2**0.5 * torch.eye(2)


def test_the_solutions_are_right():
    assert check_scaled(lambda v, c: c * v / (1 + c)) == RIGHT
    assert check_suspects({"A": "weight", "B": "rate", "C": "sign"}) == RIGHT
    assert check_own_value(lambda answer, gradient: answer - gradient) == RIGHT
    assert check_own_value(lambda answer, gradient: answer - 0.5 * gradient) == RIGHT
    assert check_stable(keys) == RIGHT


@pytest.mark.parametrize("wrong, says", [
    (lambda v, c: v / 2, "plain loss"),
    (lambda v, c: v, "v itself"),
    (lambda v, c: v / (1 + c), "wrong side"),
    (lambda v, c: c * v / 2, "without end"),
    (lambda v, c: c * v / (2 + c), "erase twice"),
    (lambda v, c: None, "nothing yet"),
    (lambda v, c: 0.3, "not a mistake known here"),
    (lambda v, c: 1 / 0, "ZeroDivisionError"),
])
def test_a_wrong_rest_is_named(wrong, says):
    assert says in check_scaled(wrong)


@pytest.mark.parametrize("wrong, says", [
    ({}, "nothing yet"),
    ({"A": "rate", "B": "weight", "C": "sign"}, "A moves less"),
    ({"A": "weight", "B": "sign", "C": "rate"}, "length 1"),
    ({"A": "weight", "B": "rate"}, "nearer to -u"),
])
def test_a_wrong_suspicion_is_named(wrong, says):
    assert says in check_suspects(wrong)


def step(W, x, u, eta):
    return delta_step(W, -torch.outer(u, x), x[None], eta)


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
    (lambda a, g: -g, "rests at half"),
    (lambda a, g: -2 * g, "rests at 0.67"),
    (lambda a, g: 0 * a, "rests at 0:"),
    (lambda a, g: a, "stays where it began"),
    (lambda a, g: a + g, "runs away"),
    (lambda a, g: a - 3 * g, "far more than is missing"),
    (lambda a, g: 2 * g - a, "runs away"),
    (lambda a, g: torch.tensor([6.0, -2.0]), "one target only"),
    (lambda a, g: None, "nothing yet"),
    (lambda a, g: 6.0, "entry for each entry"),
    (lambda a, g: a @ torch.ones(3), "RuntimeError"),
])
def test_a_wrong_value_is_named(wrong, says):
    assert says in check_own_value(wrong)


def test_a_write_of_own_values_is_the_step():
    """From the start of `comes_to`, one write of the correction."""
    W, x, v = torch.tensor([[2.0, 1.0], [1.0, -1.0]]).double(), torch.tensor([1.0, 2.0]).double(), torch.zeros(2).double()
    assert torch.allclose(comes_to(lambda a, g: -g, v, 0.7, writes=1), step(W, x, -(W @ x), 0.7) @ x)


@pytest.mark.parametrize("wrong, says", [
    (lambda: 3 * torch.eye(2), "explodes"),
    (lambda: torch.tensor([[1.0, 1.0]]).expand(9, 2), "one direction"),
    (lambda: (2**0.5 * torch.eye(2)).repeat(20, 1), "Both arrive"),
    (lambda: 0.5 * torch.eye(2), "not there yet"),
    (lambda: (1.97 * torch.eye(2)).repeat(4, 1), "exact step is ahead"),
    (lambda: torch.eye(3), "two numbers each"),
    (lambda: None, "nothing yet"),
])
def test_wrong_keys_are_named(wrong, says):
    assert says in check_stable(wrong)


def test_at_a_length_of_root_two_descent_is_done_at_once_and_the_exact_step_half():
    descent, exact = ends(keys())
    assert descent == pytest.approx(0, abs=1e-12) and exact == pytest.approx(0.5)
