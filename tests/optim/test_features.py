"""Feature maps: products of coordinates are the polynomial kernel, and hold more keys apart."""

import pytest
import torch

from nlcore.optim import Momentum, SignedPower, monomials


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("degree, size", [(1, 5), (2, 15), (3, 35)])
def test_inner_products_are_powers_of_the_gradients_own(degree, size):
    g, h = draw(7, 5), draw(7, 5, seed=1)
    ours = monomials(g, degree)
    assert ours.shape == (7, size)
    assert torch.allclose((ours * monomials(h, degree)).sum(-1), (g * h).sum(-1) ** degree, rtol=1e-12)


def test_more_features_hold_more_keys_apart():
    """Five coordinates tell 5 gradients apart; their 15 products tell 15."""
    g = draw(16, 5)
    assert torch.linalg.matrix_rank(monomials(g, 1)) == 5
    assert torch.linalg.matrix_rank(monomials(g[:15], 2)) == 15
    assert torch.linalg.matrix_rank(monomials(g, 2)) == 15


def test_power_one_is_the_gradient_and_power_zero_its_sign():
    g = draw(4, 3)
    g[0, 0] = 0.0
    assert torch.equal(SignedPower(0.0)(g), g.sign())
    assert torch.allclose(SignedPower(1.0)(g), g, rtol=1e-15)
    assert torch.allclose(SignedPower(3.0)(g), g**3, rtol=1e-14)
    assert torch.allclose(SignedPower(0.5)(g) * SignedPower(0.5)(g).abs(), g, rtol=1e-14)


def test_a_memory_of_features_is_momentum_on_them():
    """Eq. 51, written out."""
    weight = torch.zeros(6, dtype=torch.float64, requires_grad=True)
    optimizer = Momentum([weight], lr=0.1, alpha=0.9, values=SignedPower(0.5))
    m, by_hand = torch.zeros(6, dtype=torch.float64), torch.zeros(6, dtype=torch.float64)
    for t in range(9):
        g = draw(6, seed=t)
        m = 0.9 * m + g.sign() * g.abs().sqrt()
        by_hand -= 0.1 * m
        weight.grad = g
        optimizer.step()
    assert (weight.detach() - by_hand).abs().max() < 1e-14


def test_on_a_steep_valley_a_root_helps_and_too_deep_a_root_harms():
    """1/2 (100 x^2 + y^2) from (1, 1), 60 steps, each power at the best of its rates."""
    steep = torch.tensor([100.0, 1.0], dtype=torch.float64)

    def ends(power, lr):
        w = torch.ones(2, dtype=torch.float64, requires_grad=True)
        optimizer = Momentum([w], lr=lr, alpha=0.5, values=SignedPower(power))
        for _ in range(60):
            w.grad = steep * w.detach()
            optimizer.step()
        return float((steep * w.detach().square()).sum() / 2)

    rates = [10 ** (-4 + 0.1 * i) for i in range(36)]
    best = {power: min(ends(power, lr) for lr in rates) for power in (1.0, 0.5, 0.25)}
    assert best[0.5] < best[1.0] < best[0.25]


def test_what_no_map_can_be_is_refused():
    with pytest.raises(ValueError, match="degree is 0"):
        monomials(draw(3), 0)
    with pytest.raises(ValueError, match="power is -1"):
        SignedPower(-1)
