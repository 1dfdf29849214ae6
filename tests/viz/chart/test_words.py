"""Numbers as words."""

import pytest

from nlcore.viz.chart.words import FEW, decade, decades, short


@pytest.mark.parametrize("value, text", [
    (0.0, "0"), (0.12345, "0.123"), (-0.5, "−0.5"), (99_999.0, "99999"), (3.1e14, "3.1 × 10¹⁴"), (-2e-7, "−2.0 × 10⁻⁷"),
    (float("inf"), "beyond all numbers"), (float("nan"), "beyond all numbers"),
])  # fmt: skip
def test_a_number_is_short(value, text):
    assert short(value) == text


def test_powers_of_ten():
    assert [decade(power) for power in (-6, -3, -1, 0, 3, 4)] == ["10⁻⁶", "0.001", "0.1", "1", "1000", "10⁴"]


@pytest.mark.parametrize("ends", [(1e-4, 1e4), (0.03, 30.0), (1e-12, 1e3), (0.8, 600.0)])
def test_there_are_few_of_them_and_1_is_one(ends):
    found = decades(*ends)
    assert 1.0 in found and 2 <= len(found) <= FEW
    assert all(ends[0] <= at <= ends[1] for at in found)
