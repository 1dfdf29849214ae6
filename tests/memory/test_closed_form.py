"""The exact minimiser of definition 1, against least squares, the normal equations and gradient descent."""

import pytest
import torch

from nlcore.memory import ridge


def pairs(tokens, d_k=6, d_v=4, batch=()):
    draw = torch.Generator().manual_seed(tokens)
    return (torch.randn(*batch, tokens, d, generator=draw, dtype=torch.float64) for d in (d_k, d_v))


def test_without_a_penalty_it_is_least_squares():
    k, v = pairs(20)
    assert (ridge(k, v) - torch.linalg.lstsq(k, v).solution.mT).abs().max() < 1e-10


@pytest.mark.parametrize("tokens", [1, 4, 6, 20])
@pytest.mark.parametrize("strength", [0.01, 1.0, 100.0])
def test_it_solves_the_normal_equations(tokens, strength):
    k, v = pairs(tokens)
    expected = torch.linalg.solve(k.mT @ k + strength * torch.eye(6, dtype=k.dtype), k.mT @ v).mT
    assert (ridge(k, v, strength) - expected).abs().max() < 1e-10


@pytest.mark.parametrize("tokens, strength", [(4, 0.0), (20, 0.0), (4, 0.5), (20, 0.5)])
def test_gradient_descent_from_zero_converges_to_it(tokens, strength):
    """With fewer pairs than dimensions many matrices fit: descent finds the one of least norm."""
    k, v = pairs(tokens)
    W = torch.zeros(4, 6, dtype=torch.float64, requires_grad=True)
    step = 1 / (torch.linalg.matrix_norm(k, 2) ** 2 + strength)
    for _ in range(5000):
        loss = (k @ W.mT - v).square().sum() / 2 + strength * W.square().sum() / 2
        (gradient,) = torch.autograd.grad(loss, W)
        W = (W - step * gradient).detach().requires_grad_()
    assert (ridge(k, v, strength) - W).abs().max() < 1e-10


def test_repeated_keys_and_batches():
    k, v = pairs(5, batch=(2, 3))
    k, v = torch.cat([k, k], -2), torch.cat([v, -v], -2)
    assert ridge(k, v).shape == (2, 3, 4, 6)
    assert ridge(k, v).abs().max() < 1e-10  # each key's two values are opposite: their mean is zero
    assert (ridge(k, v, 0.3)[1, 2] - ridge(k[1, 2], v[1, 2], 0.3)).abs().max() < 1e-12


def test_it_is_differentiable():
    k, v = (x.requires_grad_() for x in pairs(8))
    assert torch.autograd.gradcheck(lambda k, v: ridge(k, v, 0.5), (k, v))


def test_a_negative_strength_gets_one_sentence():
    with pytest.raises(ValueError, match="0 or more"):
        ridge(*pairs(5), -0.1)
