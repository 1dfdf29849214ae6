"""Appendix B: the closed form is the minimiser, momentum and Adam are two of its targets, and both forget."""

import pytest
import torch

from nlcore.optim import Adam
from nlcore.optim.regression import adam_regression, elementwise_memory


def stream(steps=12, shape=(3, 2)):
    return torch.randn(steps, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def solved(g, targets, weights, ridge):
    """Each coordinate's least squares by torch.linalg, the ridge as one more row."""
    targets, weights = (x.expand_as(g) for x in (targets, weights.view(-1, *[1] * (g.ndim - 1)) if weights.ndim == 1 else weights))
    found = torch.empty_like(g[0])
    for at in torch.cartesian_prod(*map(torch.arange, g.shape[1:])):
        i = (slice(None), *at)
        root = weights[i].sqrt()
        rows = torch.cat([root * g[i], g.new_tensor([ridge**0.5])])
        wanted = torch.cat([root * targets[i], g.new_zeros(1)])
        found[tuple(at)] = torch.linalg.lstsq(rows[:, None], wanted[:, None]).solution.item()
    return found


@pytest.mark.parametrize("ridge", (0.0, 0.7))
def test_the_closed_form_is_the_minimiser(ridge):
    g, draw = stream(), torch.Generator().manual_seed(1)
    targets, weights = torch.randn(g.shape, generator=draw, dtype=g.dtype), torch.rand(len(g), generator=draw, dtype=g.dtype)
    m = elementwise_memory(g, targets, weights, ridge)
    torch.testing.assert_close(m, solved(g, targets, weights, ridge), rtol=1e-12, atol=1e-12)
    m.requires_grad_()
    loss = (weights.view(-1, 1, 1) * (m * g - targets).square()).sum() + ridge * m.square().sum()
    assert torch.autograd.grad(loss, m)[0].abs().max() < 1e-12


def test_the_sum_of_squares_as_target_gives_momentum_and_its_root_adam_without_decay():
    g, ones = stream(), torch.ones(12, dtype=torch.float64)
    h = g.square().sum(0)
    torch.testing.assert_close(elementwise_memory(g, h, ones), g.sum(0), rtol=1e-12, atol=1e-12)  # 104
    torch.testing.assert_close(elementwise_memory(g, h.sqrt(), ones), g.sum(0) / h.sqrt(), rtol=1e-12, atol=1e-12)  # 105


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.9, 0.9), (0.0, 0.99), (0.95, 0.5)])
def test_the_best_memory_is_where_adam_steps(betas):
    g = stream()
    p = torch.zeros(3, 2, dtype=torch.float64, requires_grad=True)
    adam = Adam([p], lr=1.0, betas=betas, eps=0.0)
    for t, gradient in enumerate(g, start=1):
        before, p.grad = p.detach().clone(), gradient
        adam.step()
        corrected = (1 - betas[1] ** t) ** 0.5 / (1 - betas[0] ** t)
        best = corrected * elementwise_memory(g[:t], *adam_regression(g[:t], *betas))
        torch.testing.assert_close(before - p.detach(), best, rtol=1e-10, atol=1e-12)


def test_with_equal_betas_all_targets_are_one_number():
    targets, _ = adam_regression(stream(), 0.9, 0.9)
    torch.testing.assert_close(targets, targets[-1].expand_as(targets), rtol=1e-12, atol=0)
