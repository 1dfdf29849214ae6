"""The same bytes for all: counts against plain loops, and what the control says."""

import numpy as np
import pytest
import torch

from nlcore.viz.explorers.same_bytes import ETAS, EXACT, LOADS, NEAREST, RULES, STREAMS, compute, counts
from nlcore.viz.family import SETTINGS, WINDOW, pairs, states, window


@pytest.mark.parametrize("rule", RULES)
def test_counts_are_those_of_one_memory_after_another(rule):
    width, load, rate = 8, 4, 5
    count, eta = round(LOADS[load] * width), torch.tensor(ETAS[rate])
    k, v = pairs(round(LOADS[-1] * width), STREAMS, width)
    found = counts(width, rule)[:, load, rate]
    for s in range(STREAMS):
        *_, W = states(SETTINGS[rule], k[:count, s], v[:count, s], eta)
        answers = k[:count, s] @ W.T
        nearest = [int((answer @ v[:count, s].T).argmax()) for answer in answers]
        assert found[0, s] == sum(n == i for i, n in enumerate(nearest))
        assert found[1, s] == ((answers - v[:count, s]).norm(dim=1) < 0.1).sum()


@pytest.mark.parametrize("width", [8, 16])
def test_a_window_of_the_same_bytes_keeps_half_the_width(width):
    assert 2 * width * window(width) == width**2
    found = compute(width)
    for measure in (NEAREST, EXACT):
        np.testing.assert_array_equal(found.pairs[measure][WINDOW], np.minimum(found.written, width // 2))


def test_a_matrix_names_more_pairs_than_the_window_and_recalls_fewer_exactly():
    found = compute(16)
    for rule in RULES:
        assert found.pairs[NEAREST][rule].max() > 2 * window(16)
        assert found.pairs[EXACT][rule].max() < window(16) / 2


def test_a_rate_that_matters_is_not_at_the_end_of_the_grid():
    found = compute(16)
    for rule in ("delta", "Oja", "Omega"):
        assert (found.eta[NEAREST][rule] < ETAS[-1]).all()
    assert (found.eta[EXACT]["delta"] < ETAS[-1]).all() and (found.eta[EXACT]["delta"] > ETAS[0]).all()


def test_bad_arguments_are_one_sentence():
    with pytest.raises(ValueError, match="take one of 8, 16, 32"):
        compute(9)
