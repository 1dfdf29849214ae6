"""The exercises of notebook 04: its solutions pass, and each usual mistake is named."""

import pytest
import torch

from nlcore.exercises.chapter_04 import (
    FOUR, THREE, check_cubic, check_four, check_full_adagrad, check_three, check_uphill,
)  # fmt: skip
from nlcore.exercises.checking import RIGHT
from nlcore.optim.adagrad import over_root

NAMED_FOUR = {"A": "AdaGrad", "B": "Adam", "C": "printed", "D": "RMSProp"}
NAMED_THREE = {"A": "Muon", "B": "M3", "C": "Adam"}


def rare(size, length=1000):
    """One gradient of this size, then only -1."""
    return torch.cat([torch.tensor([size]), -torch.ones(length - 1)])


def direction(G):
    values, Q = torch.linalg.eigh(G @ G.mT)
    return G.mT @ (Q @ (Q[-1] / values.sqrt()))


def test_the_solutions_are_right():
    answers = check_four(NAMED_FOUR), check_three(NAMED_THREE), check_uphill(lambda: rare(1100.0))
    assert [*answers, check_full_adagrad(direction), check_cubic(lambda: (1.9, -0.9))] == [RIGHT] * 5
    assert check_four({name: kind.lower() for name, kind in NAMED_FOUR.items()}) == RIGHT


@pytest.mark.parametrize("wrong, says", [
    ({}, "nothing yet"),
    (NAMED_FOUR | {"A": "Muon"}, "none of the names"),
    ({"A": "Adam", "B": "AdaGrad", "C": "printed", "D": "RMSProp"}, "root never forgets"),
    (NAMED_FOUR | {"B": "RMSProp", "D": "Adam"}, "every step is 1"),
    (NAMED_FOUR | {"C": "RMSProp", "D": "printed"}, "steps grow"),
    (NAMED_FOUR | {"D": "Adam"}, "first step is 10"),
])
def test_a_wrong_name_of_four_is_told(wrong, says):
    assert says in check_four(wrong)


def test_the_four_are_as_their_hints_say():
    ones = {name: box(torch.ones(40)) for name, box in FOUR.items()}
    assert ones["A"][[0, 3]].tolist() == pytest.approx([1, 0.5])
    assert ones["B"].tolist() == pytest.approx([1] * 40)
    assert ones["C"][[0, 3]].tolist() == pytest.approx([1, 2])
    assert ones["D"][0] == pytest.approx(10, rel=1e-3) and 1 < ones["D"][-1] < 2.1


@pytest.mark.parametrize("wrong, says", [
    (None, "nothing yet"),
    ({"A": "M3", "B": "Muon", "C": "Adam"}, "singular values"),
    (NAMED_THREE | {"B": "Adam", "C": "M3"}, "ten times as large"),
    (NAMED_THREE | {"C": "Muon"}, "each entry of its first step"),
    ({"A": "SOAP", "B": "M3", "C": "Adam"}, "none of the names"),
])
def test_a_wrong_name_of_three_is_told(wrong, says):
    assert says in check_three(wrong)


def test_the_three_are_as_their_hints_say():
    G = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0))
    steps, tenfold = ({name: box(scale * G) for name, box in THREE.items()} for scale in (1, 10))
    change = {name: (tenfold[name] / steps[name]).mean().item() for name in THREE}
    assert change["A"] == pytest.approx(1, rel=1e-4) and change["C"] == pytest.approx(1, rel=1e-4)
    assert change["B"] == pytest.approx(0.1, rel=1e-3)
    singular = torch.linalg.svdvals(steps["A"])
    assert singular.max() / singular.min() < 1.9
    torch.testing.assert_close(steps["C"][0].abs(), torch.ones(5, 3, dtype=torch.float64), atol=1e-5, rtol=0)


@pytest.mark.parametrize("wrong, says", [
    (lambda: None, "nothing yet"),
    (lambda: torch.zeros(2000), "size [2000]"),
    (lambda: -torch.ones(10), "add up to -10"),
    (lambda: torch.ones(10), "No gradient is negative"),
    (lambda: torch.tensor([3.0, -1.0, -1.0]), "Make them rarer"),
    (lambda: rare(70.0, 60), "more time"),
    (lambda: rare(1e6), "more time"),
])
def test_a_stream_that_leads_adam_downhill_is_told_why(wrong, says):
    assert says in check_uphill(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda G: None, "nothing yet"),
    (lambda G: roots(G).sum(0), "newest alone"),
    (lambda G: roots(G)[0], "first gradient"),
    (lambda G: G[-1] / G.square().sum(0).sqrt(), "diagonal"),
    (lambda G: torch.linalg.solve(G @ G.mT, G)[-1], "root is missing"),
    (lambda G: (G @ G.mT @ roots(G))[-1], "multiplied"),
    (lambda G: torch.linalg.solve((G @ G.mT).abs().sqrt(), G)[-1], "each number"),
    (lambda G: in_full(G) @ G[-1], "not finite"),
    (lambda G: G, "has size"),
    (lambda G: G[9], "IndexError"),
])
def test_a_wrong_adagrad_is_named(wrong, says):
    assert says in check_full_adagrad(wrong)


def roots(G):
    """AdaGrad's direction for each gradient as the newest, K^-1/2 G."""
    values, Q = torch.linalg.eigh(G @ G.mT)
    return Q / values.sqrt() @ Q.mT @ G


def in_full(G):
    """H^-1/2, as if H had no eigenvalue of 0."""
    values, Q = torch.linalg.eigh(G.mT @ G)
    return Q / values.sqrt() @ Q.mT


def test_the_direction_without_the_matrix_is_the_optimizers():
    G = torch.randn(5, 40, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(direction(G), over_root(G.mT @ G, G[-1], eps=0.0))
    U, _, Rt = torch.linalg.svd(G, full_matrices=False)
    torch.testing.assert_close(direction(G), (U @ Rt)[-1])


@pytest.mark.parametrize("wrong, says", [
    (None, "nothing yet"),
    ((1.5,), "two numbers"),
    ((0.9, 0.1), "does not grow"),
    ((1.9, 0.9), "holds the large ones back"),
    ((3.4445, -4.775), "stay at 1"),
    ((2.2, -1.2), "a + 3b = -1.4"),
    ((2.0, -1.0), "a + 3b = -1"),
    ((1.5, -0.5), "come to 0.66"),
])
def test_a_wrong_cubic_is_named(wrong, says):
    assert says in check_cubic(lambda: wrong)
