"""Newton-Schulz: the polar factor of an SVD, torch's own loop, and what eq. 44's extra term does."""

import pytest
import torch
from torch.optim._muon import _zeropower_via_newtonschulz

from nlcore.ops.newton_schulz import (
    CUBIC, QUINTIC, newton_schulz, orthogonality, orthogonality_gradient, printed_newton_schulz,
)  # fmt: skip

SIZES = ((5, 5), (8, 3), (3, 8), (1, 4))


def matrix(rows, columns, dtype=torch.float64):
    return torch.randn(rows, columns, dtype=dtype, generator=torch.Generator().manual_seed(rows + 10 * columns))


def polar(g):
    U, _, Vh = torch.linalg.svd(g, full_matrices=False)
    return U @ Vh


@pytest.mark.parametrize("size", SIZES)
def test_the_cubic_finds_the_polar_factor(size):
    g = matrix(*size)
    torch.testing.assert_close(newton_schulz(g, 40, CUBIC), polar(g), rtol=0, atol=1e-12)


@pytest.mark.parametrize("coefficients", (CUBIC, QUINTIC))
@pytest.mark.parametrize("size", SIZES)
def test_each_step_is_the_polynomial_of_every_singular_value(size, coefficients):
    g, (a, b, c) = matrix(*size), coefficients
    U, s, Vh = torch.linalg.svd(g / g.norm(), full_matrices=False)
    for steps in range(7):
        torch.testing.assert_close(newton_schulz(g, steps, coefficients), U @ s.diag() @ Vh, rtol=0, atol=1e-12)
        s = a * s + b * s**3 + c * s**5


@pytest.mark.parametrize("size", SIZES)
def test_the_gradient_of_43_is_autograds_and_a_step_of_an_eighth_is_the_cubic(size):
    O = matrix(*size).requires_grad_()
    (found,) = torch.autograd.grad(orthogonality(O), O)
    torch.testing.assert_close(orthogonality_gradient(O), found, rtol=1e-12, atol=1e-12)
    O = O.detach() / O.norm().detach()
    torch.testing.assert_close(O - orthogonality_gradient(O) / 8, newton_schulz(O, 1, CUBIC), rtol=0, atol=1e-14)


@pytest.mark.parametrize("size", SIZES)
def test_as_printed_it_stops_elsewhere(size):
    g = matrix(*size)
    U, s, Vh = torch.linalg.svd(g / g.norm(), full_matrices=False)
    stops = torch.stack([next(root.real for root in roots(s0) if root.real > 0) for s0 in s])
    torch.testing.assert_close(printed_newton_schulz(g, 200), U @ stops.diag() @ Vh, rtol=0, atol=1e-10)
    if len(s) > 1:
        assert stops.min() < 0.9 and orthogonality(newton_schulz(g, 40, CUBIC)) < orthogonality(printed_newton_schulz(g, 200))


def roots(s0):
    """Of 2 s^3 - s - s0, largest real part first: where the printed step stands still."""
    companion = torch.tensor([[0.0, 0.5, s0 / 2], [1, 0, 0], [0, 1, 0]], dtype=torch.float64)
    return sorted(torch.linalg.eigvals(companion), key=lambda root: -root.real)


@pytest.mark.parametrize("size", SIZES)
def test_in_bfloat16_it_is_torchs_bit_for_bit(size):
    g = matrix(*size, dtype=torch.float32)
    ours = newton_schulz(g, dtype=torch.bfloat16)
    assert torch.equal(ours, _zeropower_via_newtonschulz(g, QUINTIC, 5, 1e-7))


def test_five_quintic_steps_leave_the_range_that_is_documented():
    s = torch.logspace(-2.69, 0, 5000, dtype=torch.float64)
    for _ in range(5):
        s = QUINTIC[0] * s + QUINTIC[1] * s**3 + QUINTIC[2] * s**5
    assert 0.68 < s.min() < 0.69 and 1.19 < s.max() < 1.21


def test_a_zero_gradient_gives_zero():
    assert torch.equal(newton_schulz(torch.zeros(3, 2)), torch.zeros(3, 2))


def test_a_vector_is_refused():
    with pytest.raises(ValueError, match="takes a matrix"):
        newton_schulz(torch.ones(3))
