"""Generalised descent: the closed forms are the optimizer's own argmin, step by step."""

import numpy as np
import pytest
import torch
from torch import nn

from nlcore.memory import L2, DotProduct, Huber, Lp
from nlcore.optim import GeneralizedGradientDescent, LayerInputs, StayNearAndSmall
from nlcore.viz.explorers import generalized_descent as explorer
from nlcore.viz.explorers.generalized_descent import RETENTIONS, STEPS, WIDTH, compute

NEAR, NEAR4, SMALL, SMALL4 = RETENTIONS


@pytest.mark.parametrize("row", range(4))
@pytest.mark.parametrize("retention", RETENTIONS)
def test_it_is_the_optimizer(row, retention, monkeypatch):
    monkeypatch.setattr("nlcore.optim.generalized_gradient_descent.TOLERANCE", 0.0)  # to the argmin itself
    objective = (DotProduct(), L2(), Huber(0.5), Lp(1.5))[row]
    close = (1e-10, 1e-10, 1e-6, 2e-4)[row]  # inner steps find the argmin of Lp slowly where its error is near 0
    found = compute(5.0, retention, 0.5, 0.5)
    x, _, clean, sign = (torch.from_numpy(part) for part in explorer._pairs())
    layer = nn.Linear(WIDTH, 1, bias=False, dtype=torch.float64)
    nn.init.zeros_(layer.weight)
    with LayerInputs(layer, surprises=True) as inputs:
        rule = StayNearAndSmall(*RETENTIONS[retention])
        optimizer = GeneralizedGradientDescent(layer.parameters(), inputs, 0.5, objective, rule, inner_steps=100)
        for t in range(STEPS):
            optimizer.zero_grad()
            missing = layer(x[t, 0]) - (clean[t, 0] + 5.0 * sign[t, 0])
            (missing.square().sum() / 2).backward()
            assert found.value[row, t] == pytest.approx(-missing.item(), abs=close)
            optimizer.step()


def test_the_loss_is_the_mean_over_seeds_of_a_plain_loop():
    x, w, clean, sign = explorer._pairs()
    found, eta = compute(3.0, NEAR, 0.2, 0.5), 0.2
    for row in (0, 1):
        losses = np.zeros(STEPS)
        for seed in range(w.shape[0]):
            weight = np.zeros(WIDTH)
            for t in range(STEPS):
                key, value = x[t, seed], clean[t, seed] + 3.0 * sign[t, seed]
                u = value - weight @ key
                rate = eta / (1 + eta * key @ key)
                weight = weight + eta * u * key if row == 0 else weight + rate * (u - weight @ key) * key
                losses[t] += ((weight - w[seed]) ** 2).sum() / (w[seed] ** 2).sum() / w.shape[0]
        np.testing.assert_allclose(found.loss[row], losses, rtol=1e-10)


def test_only_the_dot_product_goes_beyond_half_and_only_it_and_l2_mind_outliers():
    clean, spoilt = (compute(size, NEAR, 0.2, 0.5).loss[:, -20:].mean(1) for size in (0.0, 20.0))
    assert clean[0] < 0.01
    assert all(0.24 < loss < 0.26 for loss in clean[1:])
    assert spoilt[0] > spoilt[1] > 1 and spoilt[3] < 0.5 and spoilt[2] < 0.27


def test_huber_never_writes_more_than_eta_delta():
    found = compute(20.0, NEAR, 0.2, 0.5)
    assert np.abs(found.written[2]).max() <= 0.2 * 0.5 + 1e-12
    assert np.abs(found.written[0]).max() > 2


def test_the_lines_are_what_each_rule_writes_of_a_value_that_its_memory_answers_with_0():
    found, rate = compute(5.0, NEAR, 0.5, 0.4), 0.5
    u, (dot, l2, huber, lp) = found.grid, found.plain
    np.testing.assert_allclose(dot, rate * u)
    np.testing.assert_allclose(l2, rate * u / (1 + rate))
    np.testing.assert_allclose(huber, rate * np.clip(u / (1 + rate), -0.4, 0.4))
    np.testing.assert_allclose(np.abs(lp), rate * np.sqrt(np.abs(u - lp)), atol=1e-12)


def test_as_stored_the_dot_product_is_the_worst_and_all_lies_in_the_frame():
    opened = explorer.generalized_descent()
    found = compute(**opened.values(opened.first))
    ends = found.loss[:, -20:].mean(1)
    assert ends.argmax() == 0 and 0.24 < ends[2] < 0.27
    low, high = explorer.chart(found)[0].y_range
    assert low <= found.loss.min() and found.loss.max() <= high and high / low <= 100
