"""Frozen values: both trainings against plain loops over autograd, and what the explorer says of them."""

import numpy as np
import pytest
import torch

from nlcore.viz.explorers.frozen_values import ETAS, LOST, NEVER, REFRESH, STEPS, chart, compute
from nlcore.viz.spiral import POINTS, network, spiral


def mean_loss(layers, x, v):
    for w in layers[:-1]:
        x = torch.tanh(x @ w.T)
    return (x @ layers[-1].T - v).square().sum(-1).mean() / 2


def by_hand(eta, refresh):
    """Losses and final weights: gradients by autograd, at weights that are copied every `refresh` writes."""
    _, state = network()
    layers = [w.clone() for w in reversed(state.memory)]
    x, v = spiral()
    draw_order = torch.Generator().manual_seed(0)
    order = torch.cat([torch.randperm(POINTS, generator=draw_order) for _ in range(STEPS // POINTS)])
    losses = [mean_loss(layers, x, v).item()]
    for t in range(STEPS):
        if t % refresh == 0:
            asked = [w.clone().requires_grad_() for w in layers]
        at = order[t]
        grads = torch.autograd.grad(mean_loss(asked, x[at, None], v[at, None]), asked)
        layers = [w - eta * g for w, g in zip(layers, grads)]
        losses.append(mean_loss(layers, x, v).item())
    return np.array(losses), layers


@pytest.mark.parametrize("eta, refresh", [(0.05, NEVER), (0.05, 8), (0.01, 64), (0.2, 1)])
def test_both_are_the_plain_loops(eta, refresh):
    found = compute(eta, refresh)
    live, fresh = by_hand(eta, 1)
    frozen, stale = by_hand(eta, refresh)
    np.testing.assert_allclose(found.live, live, rtol=1e-8)
    np.testing.assert_allclose(found.frozen, frozen, rtol=1e-8)
    apart = sum((a - b).square().sum() for a, b in zip(fresh, stale)).sqrt().item()
    assert found.distance[-1] == pytest.approx(apart, rel=1e-8, abs=1e-12)


def test_asked_before_every_write_it_is_backpropagation():
    for eta in ETAS:
        found = compute(eta, 1)
        assert np.array_equal(found.live, found.frozen) and not found.distance.any()


def test_they_part_in_second_order():
    """At a small rate and few writes, half the rate brings them four times closer."""
    assert compute(0.02, NEVER).distance[4] / compute(0.01, NEVER).distance[4] == pytest.approx(4, rel=0.15)


def test_never_asked_again_it_unlearns_and_a_rare_question_can_be_worse():
    never = compute(0.05, NEVER)
    assert never.frozen[7] < never.frozen[0] / 2 < never.frozen[0] * 4 < never.frozen[-1]
    assert never.live[-1] < never.live[0] / 10
    assert np.isnan(compute(0.05, 32).frozen[-1]) and np.isfinite(never.frozen).all()


def test_what_is_lost_stays_lost():
    for eta in ETAS:
        for refresh in REFRESH:
            found = compute(eta, refresh)
            for values in (found.live, found.frozen, found.distance):
                lost = np.isnan(values)
                assert not lost[0] and (np.diff(lost.astype(int)) >= 0).all() and (values[~lost] < LOST).all()


def test_an_unknown_setting_is_one_sentence():
    with pytest.raises(ValueError, match="eta is one of"):
        compute(0.07, 1)


def test_it_says_how_often_values_are_made_and_how_far_they_part():
    loss, distance = chart(compute(0.2, 16))
    assert "every 16 writes" in loss.lines[1].name and "then beyond 10,000" in distance.title
    assert chart(compute(0.05, 1))[1].title.endswith("0 at the end")
