"""The exercises of notebook 04: its solutions pass, and each usual mistake is named."""

import pytest
import torch

from nlcore.exercises.chapter_04 import (
    check_best_memory, check_full_adagrad, check_newton_schulz, check_running_mean, check_write_slow,
)  # fmt: skip
from nlcore.exercises.checking import RIGHT


def best_memory(G):
    return G.sum(0) / G.square().sum(0).sqrt()


def running_mean(G, beta):
    m = torch.zeros_like(G[0])
    for g in G:
        m = beta * m + (1 - beta) * g
    return m / (1 - beta ** len(G))


def step(O):
    return 1.5 * O - 0.5 * O @ O.mT @ O


def write_slow(slow, period, beta3):
    return beta3 * slow + (1 - beta3) * period.mean(0)


def direction(G):
    values, Q = torch.linalg.eigh(G.mT @ G)
    return Q @ ((Q.mT @ G[-1]) / values.sqrt())


def test_the_solutions_are_right():
    answers = check_best_memory(best_memory), check_running_mean(running_mean), check_newton_schulz(step)
    assert [*answers, check_write_slow(write_slow), check_full_adagrad(direction)] == [RIGHT] * 5


@pytest.mark.parametrize("wrong, says", [
    (lambda G: None, "nothing yet"),
    (lambda G: G.sum(0), "momentum"),
    (lambda G: G[-1] / G.square().sum(0).sqrt(), "AdaGrad"),
    (lambda G: G.sum(0) / G.square().sum(0), "root is missing"),
    (lambda G: G.sum(0) / G.square().mean(0).sqrt(), "mean of the squares"),
    (lambda G: G.sum(0) / G.sum(0).square().sqrt(), "square each gradient first"),
    (lambda G: G.sum(0) / G.norm(), "One norm"),
    (lambda G: G.sum(0) * G.square().sum(0).sqrt(), "multiplied"),
    (lambda G: -best_memory(G), "sign"),
    (lambda G: 3 * G[0], "not a mistake known"),
    (lambda G: G, "has size"),
    (lambda G: G[9], "IndexError"),
])
def test_a_wrong_memory_is_named(wrong, says):
    assert says in check_best_memory(wrong)


def mean(keep, new, correct):
    """A running mean with its parts exchanged."""
    def found(G, beta):
        m = torch.zeros_like(G[0])
        for g in G:
            m = keep(beta) * m + new(beta) * g
        return correct(m, beta, len(G))

    return found


@pytest.mark.parametrize("wrong, says", [
    (lambda G, beta: None, "nothing yet"),
    (mean(lambda b: b, lambda b: 1 - b, lambda m, b, t: m), "No bias correction"),
    (mean(lambda b: b, lambda b: 1 - b, lambda m, b, t: m / (1 - b)), "divided by 1 - beta"),
    (mean(lambda b: b, lambda b: 1 - b, lambda m, b, t: m / (1 - b ** (t - 1))), "too few"),
    (mean(lambda b: b, lambda b: 1 - b, lambda m, b, t: m / (1 - b ** (t + 1))), "too many"),
    (mean(lambda b: b, lambda b: 1 - b, lambda m, b, t: m * (1 - b**t)), "multiplied"),
    (mean(lambda b: b, lambda b: 1, lambda m, b, t: m / (1 - b**t)), "sum, not a mean"),
    (mean(lambda b: 1 - b, lambda b: b, lambda m, b, t: m / (1 - b**t)), "exchanged"),
    (lambda G, beta: G.mean(0), "plain mean"),
])
def test_a_wrong_mean_is_named(wrong, says):
    assert says in check_running_mean(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda O: O, "Nothing happened"),
    (lambda O: O + 0.5 * (O @ O.mT @ O - O), "climbs"),
    (lambda O: 1.5 * O - 0.5 * O**3, "cubed each number"),
    (lambda O: O - (O @ O.mT @ O - O) / 8, "factor 4"),
    (lambda O: O - 4 * (O @ O.mT @ O - O), "rate 1/8"),
    (lambda O: 4 * (O @ O.mT @ O - O), "gradient itself"),
    (lambda O: O - 0.5 * O @ O.mT @ O, "identity"),
    (lambda O: O.mT @ O @ O, "RuntimeError"),
    (lambda O: O.mT, "has size"),
])
def test_a_wrong_step_is_named(wrong, says):
    assert says in check_newton_schulz(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda slow, period, b: slow, "Nothing was written"),
    (lambda slow, period, b: b * slow - (1 - b) * period.mean(0), "minus"),
    (lambda slow, period, b: slow + b * period.sum(0), "as printed"),
    (lambda slow, period, b: b * slow + (1 - b) * period.sum(0), "took the sum"),
    (lambda slow, period, b: b * slow + (1 - b) * period[-1], "last gradient"),
    (lambda slow, period, b: (1 - b) * slow + b * period.mean(0), "exchanged"),
    (lambda slow, period, b: slow + (1 - b) * period.mean(0), "keep beta3"),
    (lambda slow, period, b: period, "has size"),
])
def test_a_wrong_slow_memory_is_named(wrong, says):
    assert says in check_write_slow(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda G: None, "nothing yet"),
    (lambda G: roots(G) @ G.sum(0), "newest alone"),
    (lambda G: G[-1] / G.square().sum(0).sqrt(), "diagonal"),
    (lambda G: torch.linalg.solve(G.mT @ G, G[-1]), "root is missing"),
    (lambda G: torch.linalg.inv(roots(G)) @ G[-1], "multiplied"),
    (lambda G: torch.linalg.solve((G.mT @ G).abs().sqrt(), G[-1]), "each number"),
])
def test_a_wrong_adagrad_is_named(wrong, says):
    assert says in check_full_adagrad(wrong)


def roots(G):
    """H^-1/2."""
    values, Q = torch.linalg.eigh(G.mT @ G)
    return Q / values.sqrt() @ Q.mT
