"""Correlated streams: the errors are those of the optimizers themselves, seed by seed."""

import numpy as np
import pytest
import torch
from torch import nn

from nlcore.optim import DeltaGradientDescent, LayerInputs
from nlcore.viz.chart.frame import exits
from nlcore.viz.explorers import correlated_streams as explorer
from nlcore.viz.explorers.correlated_streams import CORRELATIONS, MEASURES, RULES, SEEDS, SMOOTH, STEPS, WIDTH, compute


def by_hand(rule, rho, eta, drift, fresh):
    """Squared errors (T, seeds), one nn.Linear a seed."""
    x, w = (torch.from_numpy(part) for part in explorer._streams(drift))
    errors = torch.empty(STEPS, SEEDS, dtype=torch.float64)
    for seed in range(SEEDS):
        layer = nn.Linear(WIDTH, 1, bias=False, dtype=torch.float64)
        nn.init.zeros_(layer.weight)
        with LayerInputs(layer) as inputs:
            make = {RULES[0]: lambda p: torch.optim.SGD(p, lr=eta), RULES[1]: lambda p: DeltaGradientDescent(p, inputs, eta)}
            optimizer = make[rule](layer.parameters()) if rule in make else None
            for t in range(STEPS):
                key, target = x[t, CORRELATIONS.index(rho), seed], w[t, seed]
                answer = layer(key)
                missing = key @ target - answer
                distance = (layer.weight[0] - target).square().mean() if fresh else missing.square()
                errors[t, seed] = distance.detach()
                if optimizer is None:
                    matrix = torch.outer(key, key) + torch.eye(WIDTH, dtype=key.dtype) / eta
                    solved = torch.linalg.solve(matrix, key * (key @ target) + layer.weight[0].detach() / eta)
                    layer.weight.data[0] = solved
                    inputs.clear()
                else:
                    layer.zero_grad()
                    (missing.square().sum() / 2).backward()
                    optimizer.step()
                    inputs.clear()
    return errors.numpy()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("rho, eta, drift, measure", [(0.8, 0.5, 0.03, 0), (0.95, 1.0, 0.3, 1)])
def test_it_is_the_optimizers(rule, rho, eta, drift, measure):
    errors = by_hand(rule, rho, eta, drift, fresh=measure == 1)
    found = compute(rho, eta, drift, MEASURES[measure])
    smooth = np.array([[errors[t : t + SMOOTH, s].mean() for t in range(STEPS - SMOOTH + 1)] for s in range(SEEDS)])
    np.testing.assert_allclose(found.error[rule][0], np.median(smooth, 0), rtol=1e-9)
    here = CORRELATIONS.index(rho)
    assert found.late[rule][0, here] == pytest.approx(errors[STEPS // 2 :].mean(), rel=1e-9)


def test_the_streams_are_as_correlated_and_as_long_as_said():
    x, w = explorer._streams(0.03)
    assert (x**2).sum(-1)[:, 0].mean() == pytest.approx(1, abs=0.05)
    for index, rho in enumerate(CORRELATIONS[:6]):
        now, following = x[:-1, index].ravel(), x[1:, index].ravel()
        assert np.corrcoef(now, following)[0, 1] == pytest.approx(rho, abs=0.05)
    assert np.corrcoef(w[:-1].ravel(), w[1:].ravel())[0, 1] == pytest.approx(1, abs=0.01)


def test_delta_gd_is_the_delta_rule_at_twice_the_rate_halved():
    """So with a drift of 0 it settles at half of the target, whatever the correlation."""
    found = compute(0.6, 2.0, 0.0, MEASURES[1])
    size = (explorer._streams(0.0)[1][0] ** 2).mean(-1)
    assert found.error[RULES[1]][0, -1] == pytest.approx(0.25 * np.median(size), rel=0.02)
    assert found.error[RULES[2]][0, -1] < 1e-3


def test_a_diverging_rule_is_said_to_leave_the_frame_and_the_exact_ones_do_not_diverge():
    found = compute(0.9, 8.0, 0.03, MEASURES[0])
    assert found.late[RULES[0]][0].max() > 1e6
    assert all(np.isfinite(curve).all() for curve in found.error.values())
    assert all(found.late[rule][0].max() < 1 for rule in RULES[1:])
    left, right = explorer.chart(found)
    gone = [[bool(exits(line, plot)) for line in plot.lines] for plot in (left, right)]
    assert gone == [[True, False, False], [True, False, False, False, False, False]]
