"""Attention as an average of values: against a plain sum, PyTorch's attention, and the problem it solves."""

import numpy as np
import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from nlcore.viz.explorers.bandwidth import ANGLES, BANDWIDTHS, CANDIDATES, chart, compute, rule
from nlcore.viz.family import attend


def test_it_is_nadaraya_and_watsons_estimator_with_a_gaussian_kernel():
    found = compute(0.1, 60)
    for angle, answer in zip(ANGLES[::30], found.answers[::30]):
        chord = 2 * np.sin(np.radians(found.keys - angle) / 2)  # the distance of two points on the circle
        kernel = np.exp(-(chord**2) / (2 * 0.1))
        assert answer == pytest.approx((kernel * found.values).sum() / kernel.sum(), abs=1e-12)


def test_at_the_root_of_the_width_it_is_pytorchs_attention():
    draw = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 2, 7, 5, generator=draw, dtype=torch.float64)
    torch.testing.assert_close(attend(q, k, v, 5**0.5), scaled_dot_product_attention(q, k, v), atol=1e-12, rtol=0)


@pytest.mark.parametrize("bandwidth, query", [(0.003, 20), (0.1, 60), (10.0, 170)])
def test_no_candidate_has_a_smaller_loss_than_attentions_answer(bandwidth, query):
    found = compute(bandwidth, query)
    answer, every = found.answers[[query]], np.concatenate([CANDIDATES, np.linspace(-1.6, 1.6, 3201)])
    assert (found.loss(every) > found.loss(answer)).all()
    by_hand = [sum(w * (v - m) ** 2 for w, v in zip(found.weights, found.values)) for m in every[:5]]
    np.testing.assert_allclose(found.loss(every[:5]), by_hand, atol=1e-12)


def test_both_plots_tell_the_same_answer_and_hold_all_of_the_loss():
    for bandwidth in BANDWIDTHS:
        for query in range(0, 181, 2):
            left, right = chart(compute(bandwidth, query))
            (loss, best), told = right.lines, [plot.lines[-1].name.split(": ")[1] for plot in (left, right)]
            assert told[0] == told[1] and best.x[0] == left.lines[-1].y[0]
            assert best.y[0] < loss.y.min() and loss.y.max() < right.y_range[1]


def test_narrow_answers_with_the_nearest_value_and_wide_with_the_mean():
    narrow, wide = compute(0.0003, 60), compute(10.0, 60)
    assert narrow.weights.max() > 0.9
    assert abs(wide.answers - wide.values.mean()).max() < 0.2 and wide.weights.max() < 2 / len(wide.weights)


def test_the_rule_is_best_met_in_between():
    off = [compute(bandwidth, 60).off for bandwidth in (0.0003, 0.03, 10.0)]
    assert off[1] < off[0] and off[1] < off[2] and rule(np.array(45.0)) == pytest.approx(1)


def test_bad_arguments_are_one_sentence():
    with pytest.raises(ValueError, match="one above 0"):
        compute(0.0, 60)
    with pytest.raises(ValueError, match="from 0 to 180"):
        compute(0.1, 200)
