"""The exercises of notebook 11: its solutions pass, and each usual mistake is named."""

import math

import pytest

from nlcore.exercises.chapter_11 import check_bits_per_byte, check_cost, check_fired
from nlcore.exercises.checking import RIGHT


def test_the_solutions_are_right():
    assert check_fired(lambda rows, level: [r["step"] for r in rows if r["level"] == level and r["fired"]]) == RIGHT
    assert check_bits_per_byte(lambda nats, size: nats / math.log(2) / size) == RIGHT
    assert check_cost(lambda size, periods: sum(size / period for period in periods)) == RIGHT


@pytest.mark.parametrize("wrong, says", [
    (lambda rows, level: [], "finds no step"),
    (lambda rows, level: [r["step"] for r in rows if r["level"] == level], "has a row too"),
    (lambda rows, level: [r["step"] for r in rows if r["fired"]], "of this one"),
    (lambda rows, level: [r["fired"] for r in rows if r["level"] == level], "return step numbers"),
    (lambda rows, level: [r["step"] for r in rows if r["level"] == "cms-2" and r["fired"]], "use the argument"),
    (lambda rows, level: [1, 2], "not a mistake known here"),
    (lambda rows, level: rows["level"], "TypeError"),
])
def test_wrong_steps_are_named(wrong, says):
    assert says in check_fired(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda nats, size: None, "nothing yet"),
    (lambda nats, size: nats / math.log(2), "bits per token"),
    (lambda nats, size: nats / size, "nats per byte"),
    (lambda nats, size: nats / math.log(2) * size, "so divide"),
    (lambda nats, size: nats * math.log(2) / size, "do not multiply"),
])
def test_wrong_bits_are_named(wrong, says):
    assert says in check_bits_per_byte(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda size, periods: size * len(periods), "once in its period"),
    (lambda size, periods: sum(size / p for p in periods) / len(periods), "add them up"),
    (lambda size, periods: sum(size * p for p in periods), "divide by it"),
    (lambda size, periods: size, "fastest level"),
])
def test_a_wrong_cost_is_named(wrong, says):
    assert says in check_cost(wrong)
