"""Stable steps: gains and distances against the updates written out, and the limits against what happens there."""

import numpy as np
import pytest
import torch

from nlcore.optim import delta_step
from nlcore.viz.explorers import stable_steps as explorer
from nlcore.viz.explorers.stable_steps import ETAS, RULES, SEEDS, STEPS, WIDTH, compute


def write(rule, weight, target, x, eta):
    """One write of a squared error, matrices in full."""
    outer, miss = np.outer(x, x), weight @ x - target @ x
    if rule == RULES[0]:
        return weight - eta * miss * x
    if rule == RULES[1]:
        rate = eta / (1 + eta)
        return weight @ (np.eye(WIDTH) - rate * outer) - rate * miss * x
    if rule == RULES[3]:  # from its normal equations
        return np.linalg.solve(outer + np.eye(WIDTH) / eta, (target @ x) * x + weight / eta)
    step = delta_step(torch.from_numpy(weight)[None], torch.from_numpy(miss * x)[None], torch.from_numpy(x)[None], eta)
    return step[0].numpy()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("norm, rho, index", [(1.0, 0.0, 30), (2.0, 0.9, 18), (3.0, 1.0, 5)])
def test_it_is_the_updates_written_out(rule, norm, rho, index):
    found, eta = compute(norm, rho), float(ETAS[index])
    x = norm * explorer._directions(rho)
    whole = rule in (RULES[0], RULES[3])
    target = np.ones(WIDTH) / np.sqrt(WIDTH) * (1 if whole else 2)  # so that all begin 1 away
    settled = target if whole else target / 2
    left = []
    for seed in range(SEEDS):
        weight = np.zeros(WIDTH)
        for t in range(STEPS):
            weight = write(rule, weight, target, x[t, seed], eta)
        left.append(np.log(np.linalg.norm(weight - settled) + 1e-300))
    row = RULES.index(rule)
    np.testing.assert_allclose(found.left[row, index], np.exp(np.mean(left)), rtol=1e-6, atol=1e-12)
    once = write(rule, np.zeros(WIDTH), target, x[0, 0], eta)
    gain = ((once - settled) @ x[0, 0]) / (-settled @ x[0, 0])
    assert found.gain[row, index] == pytest.approx(gain, abs=1e-10)


@pytest.mark.parametrize("norm", [0.5, 1.0, 1.5, 3.0])
def test_the_limits_are_where_a_gain_reaches_minus_one(norm):
    found = compute(norm, 0.0)
    for gain, rule in zip(found.gain, RULES):
        np.testing.assert_array_equal(gain > -1 + 1e-12, ETAS < found.limit[rule] * (1 - 1e-12))
    assert (np.abs(found.gain[2]) < 1).all()
    assert (found.gain[3] > 0).all() and (found.gain[3] < 1).all()


def test_at_length_one_the_printed_form_is_the_exact_one():
    found = compute(1.0, 0.5)
    np.testing.assert_allclose(found.gain[1], found.gain[2], atol=1e-12)
    np.testing.assert_allclose(found.left[1], found.left[2], rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_beyond_its_limit_a_rule_explodes_at_any_correlation(rho):
    found = compute(2.0, rho)
    assert found.left[0, ETAS > 2 * found.limit[RULES[0]]].min() > 1e3
    assert found.left[0, ETAS < found.limit[RULES[0]]].max() <= 1
    assert found.left[2].max() <= 1 + 1e-12


def test_bad_arguments_are_one_sentence():
    with pytest.raises(ValueError, match="length above 0"):
        compute(0.0, 0.5)


def test_the_legend_says_how_large_a_step_may_be():
    assert [line.name.split(": ")[1] for line in explorer.chart(compute(1.0, 0.0))[0].lines] == [
        "η < 2", "any η", "any η", "any η",
    ]
