"""The learning rate's course."""

import pytest

from nlcore.train.schedule import FLOOR, WARMUP, factor


def test_it_rises_to_one_and_falls_to_a_tenth():
    assert factor(0) == 0 and factor(WARMUP / 2) == 0.5
    assert factor(WARMUP) == 1 and factor(1.0) == pytest.approx(FLOOR) == factor(1.2)
    assert factor((1 + WARMUP) / 2) == pytest.approx((1 + FLOOR) / 2)


def test_it_never_rises_again():
    course = [factor(WARMUP + (1 - WARMUP) * i / 100) for i in range(101)]
    assert course == sorted(course, reverse=True)
