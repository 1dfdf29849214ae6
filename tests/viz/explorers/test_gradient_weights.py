"""The make-up of a momentum: against a run of the optimizer, and counted one by one."""

import numpy as np
import pytest
import torch

from nlcore.optim import Momentum
from nlcore.viz.chart.frame import exits
from nlcore.viz.explorers.gradient_weights import ALPHAS, SHOWN, chart, compute, newest


def counted(alpha: float, share: float) -> int:
    """Adds up shares until they reach it, in exact enough steps."""
    carried, n = 0.0, 0
    while carried < share - 1e-12:
        carried, n = carried + (1 - alpha) * alpha**n, n + 1
    return n


@pytest.mark.parametrize("share", [0.5, 0.99])
def test_the_marks_are_counted(share):
    assert [counted(a, share) for a in ALPHAS] == newest(ALPHAS, share).tolist()


def test_the_papers_retention_takes_7_and_44_gradients():
    assert compute(0.9).newest == {"half": 7, "99%": 44}


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.9])
def test_the_shares_are_those_of_the_optimizer(alpha):
    """Feed gradient t as the t-th unit vector: the momentum then lists what each counts."""
    weight = torch.zeros(400, dtype=torch.float64, requires_grad=True)
    optimizer = Momentum([weight], lr=0.1, alpha=alpha)
    for row in torch.eye(400, dtype=torch.float64):
        weight.grad = row
        optimizer.step()
    momentum = optimizer.state[weight]["momentum"].flip(0)
    np.testing.assert_allclose(compute(alpha).weight, (momentum / momentum.sum())[:SHOWN], atol=1e-12)


def test_what_never_settles_is_refused():
    with pytest.raises(ValueError, match="below 1"):
        newest(1.0, 0.5)


def test_the_chart_says_both_counts():
    bars, half, most = chart(compute(0.5))[0].lines
    assert bars.y[0] == 0.5 and (half.name, most.name) == ("newest 1 carry half", "newest 7 carry 99%")


def test_the_frame_stays_and_what_lies_beyond_it_is_said():
    short, long = (chart(compute(alpha))[0] for alpha in (0.5, 0.99))
    assert (short.x_range, short.y_range) == (long.x_range, long.y_range)
    assert [line.name for line in long.lines[1:]] == [
        "newest 69 carry half, beyond the frame", "newest 459 carry 99%, beyond the frame",
    ]  # fmt: skip
    assert [one.words for one in exits(short.lines[0], short)] == ["▲ up to 0.5"] and not exits(long.lines[0], long)
