"""The exercises of notebook 01: its solutions pass, and each usual mistake is named."""

import pytest
import torch
from torch import outer

from nlcore.exercises.chapter_01 import check_attend, check_delta, check_omega, check_ridge, check_step
from nlcore.exercises.checking import RIGHT


def attend(q, k, v, alpha):
    age = torch.arange(len(k)).flip(0)
    return (alpha**age * (k @ q)) @ v


def delta_write(W, k, v, alpha, eta):
    return alpha * W + eta * torch.outer(v - W @ k, k)


def exact_step(k):
    return 1 / (k @ k)


def ridge_memory(K, V, lam):
    square = K.T @ K + lam * torch.eye(K.shape[1], dtype=K.dtype)
    return torch.linalg.solve(square, K.T @ V).T


def omega_write(W, k, v, eta, gamma):
    error = v - k @ W.T
    return W + eta * (gamma * torch.outer(error[0], k[0]) + torch.outer(error[1], k[1]))


def one_by_one(W, k, v, eta, gamma, order):
    for i in order:
        W = W + eta * (gamma, 1.0)[i] * outer(v[i] - W @ k[i], k[i])
    return W


def age(k):
    return torch.arange(len(k)).flip(0)


def test_the_solutions_are_right():
    checks = (
        check_attend(attend), check_delta(delta_write), check_step(exact_step), check_ridge(ridge_memory),
        check_omega(omega_write),
    )
    assert checks == (RIGHT,) * 5


def test_the_stubs_are_told_what_is_missing():
    assert "nothing yet" in check_attend(lambda q, k, v, alpha: None)
    assert "Nothing happened" in check_delta(lambda W, k, v, alpha, eta: W)
    assert "length one" in check_step(lambda k: 1.0)
    assert "nothing yet" in check_ridge(lambda K, V, lam: None)
    assert "Nothing happened" in check_omega(lambda W, k, v, eta, gamma: W)


@pytest.mark.parametrize("wrong, says", [
    (lambda q, k, v, a: (k @ q) @ v, "alpha is not used"),
    (lambda q, k, v, a: (a ** torch.arange(len(k)) * (k @ q)) @ v, "oldest pair counts most"),
    (lambda q, k, v, a: (a ** (age(k) + 1) * (k @ q)) @ v, "one too old"),
    (lambda q, k, v, a: torch.softmax(age(k) * torch.tensor(a).log() + k @ q, 0) @ v, "softmax"),
    (lambda q, k, v, a: (a ** age(k).double()) @ v, "as loudly"),
    (lambda q, k, v, a: (a * age(k) * (k @ q)) @ v, "power"),
    (lambda q, k, v, a: k, "has size"),
    (lambda q, k, v, a: 1 / 0, "ZeroDivisionError"),
])
def test_a_wrong_attention_is_named(wrong, says):
    assert says in check_attend(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda W, k, v, a, e: a * W + e * outer(v, k), "Hebbian"),
    (lambda W, k, v, a, e: a * W - e * outer(v - W @ k, k), "sign"),
    (lambda W, k, v, a, e: a * W + e * outer(v - a * W @ k, k), "faded matrix"),
    (lambda W, k, v, a, e: W + e * outer(v - W @ k, k), "alpha is not used"),
    (lambda W, k, v, a, e: a * W + outer(v - W @ k, k), "eta is not used"),
    (lambda W, k, v, a, e: a * (W + e * outer(v - W @ k, k)), "fades as well"),
    (lambda W, k, v, a, e: W.mul_(a), "in place"),
    (lambda W, k, v, a, e: a * W + e * outer(k, v), "RuntimeError"),
    (lambda W, k, v, a, e: 3 * W, "not a mistake known here"),
])
def test_a_wrong_delta_rule_is_named(wrong, says):
    assert says in check_delta(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda k: 1 / k.norm(), "one over the length"),
    (lambda k: k @ k, "inverse"),
    (lambda k: 2 / (k @ k), "overshoots"),
    (lambda k: 0.5 / (k @ k), "half"),
    (lambda k: 1 / len(k), "number of entries"),
    (lambda k: None, "nothing yet"),
])
def test_a_wrong_step_is_named(wrong, says):
    assert says in check_step(wrong)


def solved(K, V, penalty):
    return torch.linalg.solve(K.T @ K + penalty * torch.eye(K.shape[1], dtype=K.dtype), K.T @ V).T


@pytest.mark.parametrize("wrong, says", [
    (lambda K, V, lam: solved(K, V, 0), "penalty is missing"),
    (lambda K, V, lam: solved(K, V, lam**2), "squared"),
    (lambda K, V, lam: solved(K, V, 2 * lam), "doubled"),
    (lambda K, V, lam: solved(K, V, -lam), "sign"),
    (lambda K, V, lam: solved(K, V, len(K) * lam), "sum here"),
    (lambda K, V, lam: V.T @ K, "Hebbian"),
    (lambda K, V, lam: solved(K, V, lam).T, "exchanged"),
])
def test_a_wrong_ridge_is_named(wrong, says):
    assert says in check_ridge(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda W, k, v, e, g: W + e * outer(v[1] - W @ k[1], k[1]), "c = 1"),
    (lambda W, k, v, e, g: W + e * g * outer(v[0] - W @ k[0], k[0]), "Only the older"),
    (lambda W, k, v, e, g: omega_write(W, k.flip(0), v.flip(0), e, g), "wrong pair"),
    (lambda W, k, v, e, g: omega_write(W, k, v, e, 1), "Gamma is not used"),
    (lambda W, k, v, e, g: one_by_one(W, k, v, e, g, (0, 1)), "newer pair's error"),
    (lambda W, k, v, e, g: one_by_one(W, k, v, e, g, (1, 0)), "older pair's error"),
    (lambda W, k, v, e, g: omega_write(W, k, v, -e, g), "sign"),
    (lambda W, k, v, e, g: omega_write(W, k, v, e, g) - W, "old matrix is gone"),
    (lambda W, k, v, e, g: W.add_(1), "in place"),
])
def test_a_wrong_omega_is_named(wrong, says):
    assert says in check_omega(wrong)
