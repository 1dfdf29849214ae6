"""The exercises of notebook 06: its solutions pass, and each usual mistake is named."""

import math

import pytest
import torch

from nlcore.exercises.chapter_06 import SUSPECTS, check_stream, check_suspects, check_turn, check_window
from nlcore.exercises.checking import RIGHT


def ages(k):
    return torch.arange(len(k))[:, None] - torch.arange(len(k))


def attend(q, k, v, tau, c):
    seen = (ages(k) >= 0) & (ages(k) < c)
    return torch.softmax((q @ k.T / tau).masked_fill(~seen, -torch.inf), -1) @ v


def stream():
    eye = torch.eye(4)
    return eye[:2], eye[[2, 2]]


def keys():
    return torch.tensor([[1.0, 0.0], [0.5, math.sqrt(0.75)]])


def test_the_solutions_are_right():
    named = {"A": "delta", "B": "Oja", "C": "sum", "D": "decay"}
    assert [check_window(attend), check_suspects(named), check_stream(stream), check_turn(keys)] == [RIGHT] * 4
    assert check_suspects({name: rule.upper() for name, rule in named.items()}) == RIGHT
    assert check_turn(lambda: torch.tensor([[1.0, 0.0], [0.5, 0.866]])) == RIGHT


def masked(q, k, v, tau, seen):
    return torch.softmax((q @ k.T / tau).masked_fill(~seen, -torch.inf), -1) @ v


@pytest.mark.parametrize("wrong, says", [
    (lambda q, k, v, t, c: None, "nothing yet"),
    (lambda q, k, v, t, c: masked(q, k, v, t, ages(k) < c), "sees those that come after"),
    (lambda q, k, v, t, c: torch.softmax(q @ k.T / t, -1) @ v, "nothing is masked"),
    (lambda q, k, v, t, c: attend(q, k, v, t, len(k)), "c is not used"),
    (lambda q, k, v, t, c: attend(q, k, v, t, c + 1), "too long"),
    (lambda q, k, v, t, c: attend(q, k, v, t, c - 1), "too short"),
    (lambda q, k, v, t, c: attend(q, k, v, 1 / t, c), "multiplied"),
    (lambda q, k, v, t, c: attend(q, k, v, 1, c), "bandwidth is not used"),
    (lambda q, k, v, t, c: attend(q, k, v, q.shape[1] ** 0.5, c), "square root of the width: divide by tau"),
    (lambda q, k, v, t, c: attend(q, k, v, t * q.shape[1] ** 0.5, c), "as well: tau alone"),
    (lambda q, k, v, t, c: ((q @ k.T / t).exp() * ((ages(k) >= 0) & (ages(k) < c))) @ v, "add up to 1: divide"),
    (lambda q, k, v, t, c: torch.softmax(q @ k.T / t * ((ages(k) >= 0) & (ages(k) < c)), -1) @ v, "minus infinity"),
    (lambda q, k, v, t, c: (torch.softmax(q @ k.T / t, -1) * ((ages(k) >= 0) & (ages(k) < c))) @ v, "after the softmax"),
    (lambda q, k, v, t, c: v[0], "size [2]"),
    (lambda q, k, v, t, c: 1 / 0, "ZeroDivisionError"),
])
def test_a_wrong_window_is_named(wrong, says):
    assert says in check_window(wrong)


@pytest.mark.parametrize("wrong, says", [
    ({}, "nothing yet"),
    (None, "nothing yet"),
    ({"A": "linear attention", "B": "Oja", "C": "sum", "D": "decay"}, "none of the names: they are decay, delta, Oja, sum."),
    ({"A": "sum", "B": "Oja", "C": "delta", "D": "decay"}, "one key twice"),
    ({"A": "delta", "B": "sum"}, "one value under two keys"),
    ({"A": "delta", "B": "Oja", "C": "decay", "D": "sum"}, "three times"),
    ({"A": "delta", "B": "Oja", "C": "sum", "D": ""}, "ask for the older one"),
])
def test_a_wrong_suspicion_is_named(wrong, says):
    assert says in check_suspects(wrong)


def test_the_suspects_are_as_their_hints_say():
    eye = torch.eye(4)
    same_key = {name: box(eye[[0, 0]], eye[[1, 2]], eye[:1])[0] for name, box in SUSPECTS.items()}
    assert same_key["A"].tolist() == [0, 0, 1, 0] and (same_key["B"][1] == 1) == (same_key["C"][1] == 1)
    same_value = {name: box(eye[:2], eye[[3, 3]], eye[:1])[0] for name, box in SUSPECTS.items()}
    assert same_value["B"].tolist() == [0, 0, 0, 0] and same_value["A"][3] == 1
    again = {name: box(eye[[0, 0, 0]], eye[[1, 1, 1]], eye[:1])[0].norm() for name, box in SUSPECTS.items()}
    assert again["C"] == 3 and again["A"] == again["B"] == 1
    older = {name: box(eye[:2], eye[2:], eye[:1])[0].norm() for name, box in SUSPECTS.items()}
    assert older["D"] == pytest.approx(0.7) and older["A"] == older["B"] == older["C"] == 1


EYE = torch.eye(4)


@pytest.mark.parametrize("wrong, says", [
    (None, "nothing yet"),
    ((EYE, EYE), "[2, 4]"),
    (EYE[:2], "Return two tensors"),
    ((2 * EYE[:2], EYE[[2, 2]]), "length one"),
    ((EYE[[0, 0]], EYE[[2, 2]]), "same key"),
    ((torch.stack([EYE[0], 0.6 * EYE[0] + 0.8 * EYE[1]]), EYE[[2, 2]]), "overlap by 0.60"),
    ((EYE[:2], EYE[2:]), "values overlap by 0.00"),
])
def test_a_wrong_stream_is_named(wrong, says):
    assert says in check_stream(lambda: wrong)


@pytest.mark.parametrize("wrong, says", [
    (None, "nothing yet"),
    (torch.eye(3), "size [3, 3]"),
    (2 * torch.eye(2), "no reflection"),
    (torch.tensor([[1.0, 0.0], [-1.0, 0.0]]), "one line"),
    (torch.eye(2), "counts to two"),
    (torch.tensor([[1.0, 0.0], [0.6, 0.8]]), "now 53 degrees"),
])
def test_a_wrong_turn_is_named(wrong, says):
    assert says in check_turn(lambda: wrong)
