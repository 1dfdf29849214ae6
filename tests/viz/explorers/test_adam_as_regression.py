"""What Adam remembers of one weight: against torch's own Adam, and the regression against least squares."""

import numpy as np
import pytest
import torch

from nlcore.viz.chart.frame import exits
from nlcore.viz.explorers.adam_as_regression import STEPS, STREAMS, chart, compute


@pytest.mark.parametrize("stream", STREAMS)
@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.0, 0.5), (0.97, 0.7)])
def test_it_is_torchs_adam(stream, betas):
    found = compute(stream, STEPS - 1, 0.4, *betas)
    weight = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    adam = torch.optim.Adam([weight], lr=1.0, betas=betas, eps=0.0)
    for t, gradient in enumerate(found.gradients):
        before, weight.grad = weight.item(), torch.tensor([gradient])
        adam.step()
        assert before - weight.item() == pytest.approx(found.step[t], abs=1e-10)
    state = adam.state[weight]
    assert state["exp_avg"].item() / (1 - betas[0] ** STEPS) == pytest.approx(found.momentum[-1], abs=1e-12)
    assert (state["exp_avg_sq"].item() / (1 - betas[1] ** STEPS)) ** 0.5 == pytest.approx(found.root[-1], abs=1e-12)


@pytest.mark.parametrize("now", (1, 7, STEPS))
def test_the_line_is_the_weighted_least_squares_of_the_points(now):
    found = compute("switching", now - 1, 0.5, 0.9, 0.97)
    root = 0.97 ** (np.arange(now)[::-1] / 2)
    slope = np.linalg.lstsq((root * found.gradients)[:, None], root * found.targets, rcond=None)[0].item()
    assert found.slope == pytest.approx(slope, abs=1e-10)
    assert found.slope == pytest.approx(found.step[-1], abs=1e-10)


def test_equal_betas_give_one_target_and_a_steady_gradient_a_full_step():
    found = compute("steady", 29, 0.0, 0.9, 0.9)
    assert np.ptp(found.targets) < 1e-10 and found.step[-1] == pytest.approx(1.0)


def test_before_the_first_sparse_gradient_nothing_moves():
    found = compute("sparse", 2, 0.0, 0.9, 0.99)
    assert not found.step.any() and found.slope == 0 and np.isfinite(found.targets).all()


@pytest.mark.parametrize("wrong", [("wild", 5, 0.5, 0.9, 0.99), ("steady", 5, 0.5, 1.0, 0.99), ("steady", 5, 0.5, 0.9, 0.0),
                                   ("steady", -1, 0.5, 0.9, 0.99)])
def test_bad_arguments_are_one_sentence(wrong):
    with pytest.raises(ValueError, match="betas are 0 to 1"):
        compute(*wrong)


def test_the_step_turns_with_the_stream():
    before, after = (compute("switching", past, 0.5, 0.9, 0.99) for past in (35, 59))
    assert before.step[-1] > 0.5 > -0.5 > after.step[-1]


def test_points_are_larger_the_more_they_count_on_axes_that_keep_still():
    for past, beta2 in ((5, 0.5), (59, 0.9), (79, 0.999)):
        _, regression = chart(compute("switching", past, 1.5, 0.9, beta2))
        assert (np.diff(regression.lines[0].size) > 0).all()
        assert (regression.x_range, regression.y_range) == ((-4.4, 4.4), (-4.4, 6.5))
    _, far = chart(compute("switching", 59, 0.5, 0.9, 0.5))
    assert [one.words for one in exits(far.lines[0], far)] == ["▲ 54 more, up to 3.0 × 10¹⁴"]
