"""The landscape of figure 4: its paths are those of the optimizers with autograd's slope, its counts a plain loop's."""

import math

import numpy as np
import pytest
import torch

from nlcore.optim import DeltaMomentum, Momentum
from nlcore.viz.explorers.psi_landscape import ALPHAS, ARRIVED, BETAS, ETAS, FORMS, START, STEPS
from nlcore.viz.explorers.psi_landscape import arrival, compute, psi, share, survey, walk, winners


def height(weight, k, a, w):
    r, th = weight
    return r**2 + k * (r - th + a * torch.sin(w * r)) ** 2


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("eta, alpha, beta, constants", [(0.005, 0.9, 0.002, (1.0, 1.0, 5.0)), (0.01, 0.5, 0.5, (0.5, 1.5, 2.0))])
def test_a_path_is_the_optimizers(form, eta, alpha, beta, constants):
    weight = torch.tensor(START, dtype=torch.float64, requires_grad=True)
    if form == "standard":
        optimizer = Momentum([weight], eta, alpha)
    else:
        optimizer = DeltaMomentum([weight], eta, alpha, beta, form=form)
    r, th = walk(np.float64(eta), np.float64(alpha), np.float64(beta), constants, steps=25)
    for step in range(1, 26):
        optimizer.zero_grad()
        height(weight, *constants).backward()
        optimizer.step()
        found = [at[step, FORMS.index(form)] for at in (r, th)]
        if not np.abs(found).max() < 1e3:  # on its way out: there the last digit is magnified at every step
            assert form == "literal" and not weight.abs().max() < 1e3
            return
        np.testing.assert_allclose(found, weight.tolist(), rtol=1e-6)  # a steep valley magnifies the last digit


def by_counting(values):
    """The first step from which all are below ARRIVED."""
    for step in range(len(values)):
        if all(value < ARRIVED for value in values[step:]):
            return step
    return math.inf


def test_arrival_is_counted():
    draw = np.random.default_rng(0)
    values = draw.uniform(0, 2 * ARRIVED, (6, 200))
    values[:, 0], values[:, 1], values[3, 2] = 0, 1, np.nan
    assert arrival(values).tolist() == [by_counting(column) for column in values.T]
    assert arrival(values)[:2].tolist() == [0, math.inf]


def test_a_survey_is_its_paths_one_by_one():
    beta, constants = 0.01, (1.0, 1.0, 5.0)
    found = survey(beta, constants)
    assert found.shape == (len(FORMS), len(ETAS), len(ALPHAS)) and np.isfinite(found).any()
    for e, a in ((10, 9), (14, 7), (20, 0)):
        alone = compute(float(ETAS[e]), float(ALPHAS[a]), beta, *constants)
        np.testing.assert_array_equal(alone.needed, found[:, e, a])


def test_the_fastest_wins_and_the_first_named_if_two_are():
    inf = np.inf
    assert winners(np.array([[5, 5, inf, inf], [4, 5, inf, 9], [4, 9, inf, 8.0]])).tolist() == [1, 0, -1, 2]


def test_the_lowest_point_is_where_the_paths_end():
    end = compute(float(ETAS[11]), 0.9, float(BETAS[4]), 1.0, 1.0, 5.0)
    assert psi(0.0, 0.0, (1.0, 1.0, 5.0)) == 0 and np.isfinite(end.needed).all()
    assert end.paths.shape == (len(FORMS), STEPS + 1, 2) and np.abs(end.paths[:, -1, 0]).max() < ARRIVED**0.5


@pytest.mark.parametrize("there, settings, words", [(0, 252, "0%"), (1, 252, "<1%"), (3, 252, "1%"), (251, 252, ">99%"), (252, 252, "100%")])
def test_few_are_not_none_and_nearly_all_are_not_all(there, settings, words):
    assert share(np.arange(settings) < there) == words
