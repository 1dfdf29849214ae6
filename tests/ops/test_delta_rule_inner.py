"""The README's fifth theorem: a layer that is read through another one bears less."""

import pytest
import torch

from nlcore.ops.delta_rule import delta_rule_naive, share_budget


def transition(x, eta, alpha, outer):
    """(out * in, out * in): the state after a chunk as a function of the state before, for L2 gradients behind `outer`."""
    rows, width = outer.shape[1], x.shape[-1]
    states = torch.eye(rows * width, dtype=x.dtype).view(-1, rows, width)
    answers = states @ x.mT
    delta = (outer.mT @ outer @ answers).mT
    given = (each.expand(len(states), *each.shape) for each in (x, eta, alpha.log()))
    x, eta, log_alpha = given
    return delta_rule_naive(x, delta, eta, log_alpha, states)[1].flatten(1)


@pytest.mark.parametrize("length", [1, 7, 24])
def test_a_chunk_is_non_expansive_within_the_budget_that_the_outer_layer_leaves(length):
    g, worst = torch.Generator().manual_seed(length), 0.0
    for trial in range(60):
        x, outer = (torch.randn(*size, generator=g, dtype=torch.float64) for size in ((length, 4), (5, 3)))
        largest = torch.linalg.matrix_norm(outer, 2).square()
        eta = share_budget(x @ x.mT, torch.rand(length, generator=g, dtype=torch.float64) * 5, 1 / (1 + largest))
        alpha = torch.rand(length, generator=g, dtype=torch.float64).clamp(1e-30)
        found = transition(x, eta, (alpha, alpha.round().clamp(1e-30), torch.ones_like(alpha))[trial % 3], outer)
        worst = max(worst, torch.linalg.matrix_norm(found, 2).item())
    assert 0.2 < worst <= 1 + 1e-12


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.0])
def test_that_budget_is_sharp(scale):
    x, outer, alpha = torch.ones(1, 1).double(), torch.full((1, 1), scale).double(), torch.full((1,), 1e-300).double()
    at = torch.full((1,), 1 / (1 + scale**2)).double()
    assert transition(x, at, alpha, outer).abs().item() == pytest.approx(1)
    assert transition(x, 1.01 * at, alpha, outer).abs() > 1
