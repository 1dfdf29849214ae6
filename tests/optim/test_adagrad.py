"""AdaGrad against torch's; the full matrix against a plain loop, against the diagonal, and in another basis."""

import pytest
import torch

from nlcore.optim import AdaGrad, FullAdaGrad
from nlcore.optim.adagrad import LARGEST, over_root
from tests.optim.test_adam import network, train


@pytest.mark.parametrize("settings", [{}, {"lr_decay": 0.1}, {"initial_accumulator_value": 0.5}])
def test_the_diagonal_is_torchs(settings):
    a, b = network(), network()
    ours, theirs = AdaGrad(a.parameters(), lr=0.05, **settings), torch.optim.Adagrad(b.parameters(), lr=0.05, **settings)
    torch.testing.assert_close(train(a, ours), train(b, theirs), rtol=0, atol=1e-10)


def run(optimizer, p, gradients):
    for g in gradients:
        p.grad = g.view_as(p)
        optimizer.step()
    return p.detach().flatten()


def gradients(steps=15, n=6):
    return torch.randn(steps, n, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("beta", (0.0, 0.9, 1.0))
def test_the_full_matrix_is_the_plain_loop(beta):
    g, eps = gradients(), 1e-2
    p = torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
    found = run(FullAdaGrad([p], lr=0.1, beta=beta, eps=eps), p, g)
    H, m, w = torch.zeros(6, 6, dtype=torch.float64), torch.zeros(6, dtype=torch.float64), torch.ones(6, dtype=torch.float64)
    for step, row in enumerate(g, start=1):
        H, m = H + row[:, None] * row[None, :], beta * m + row
        U, S, _ = torch.linalg.svd(H)  # of a symmetric matrix without negative eigenvalues: U S U^T
        root = U @ S.sqrt().diag() @ U.T
        w = w - 0.1 * torch.linalg.solve(root + eps * torch.eye(6, dtype=torch.float64), span(g[:step]) @ m)
    torch.testing.assert_close(found, w, rtol=0, atol=1e-10)


def span(rows):
    """The projection on what the rows span."""
    return torch.linalg.pinv(rows) @ rows


def test_along_the_axes_it_is_the_diagonal():
    g = torch.eye(4, dtype=torch.float64)[[0, 1, 0, 2, 3, 1]] * torch.arange(1.0, 7)[:, None]
    full, diagonal = (torch.zeros(4, dtype=torch.float64, requires_grad=True) for _ in range(2))
    one, other = run(FullAdaGrad([full]), full, g), run(AdaGrad([diagonal]), diagonal, g)
    torch.testing.assert_close(one, other, rtol=0, atol=1e-10)


def test_a_rotation_of_the_weights_rotates_only_the_full_matrixs_path():
    g = gradients()
    Q = torch.linalg.qr(torch.randn(6, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(2)))[0]
    for make, turns in ((FullAdaGrad, True), (AdaGrad, False)):
        p, q = (torch.zeros(6, dtype=torch.float64, requires_grad=True) for _ in range(2))
        straight, turned = run(make([p]), p, g), run(make([q]), q, g @ Q.T)
        assert torch.allclose(Q @ straight, turned, atol=1e-9) is turns


def test_beta_one_is_not_adagrad():
    """Eq. 109's sum against the newest gradient alone: the two part at the second step."""
    g = gradients()

    def after(steps, beta):
        p = torch.zeros(6, dtype=torch.float64, requires_grad=True)
        return run(FullAdaGrad([p], beta=beta), p, g[:steps])

    torch.testing.assert_close(after(1, 0.0), after(1, 1.0))
    assert (after(2, 0.0) - after(2, 1.0)).abs().max() > 1e-3


def test_a_direction_never_seen_gets_no_step_in_single_precision():
    p = torch.zeros(8, requires_grad=True)
    g = torch.zeros(3, 8)
    g[:, :2] = torch.tensor([[1.0, 1e-3], [1.0, 1e-3], [1.0, 1e-3]])
    assert run(FullAdaGrad([p], lr=1.0), p, g)[2:].abs().max() < 1e-6


def test_too_large_a_parameter_is_refused():
    with pytest.raises(ValueError, match="a full matrix is kept for at most"):
        FullAdaGrad([torch.zeros(LARGEST + 1, requires_grad=True)])


def test_a_preconditioned_step_is_plain_descent_in_other_coordinates():
    """Eq. 38 with P = H^1/2: the step for z = P^1/2 W, taken back to W, on a loss whose gradient autograd finds."""
    H = gradients().mT @ gradients()
    values, Q = torch.linalg.eigh(H)
    quarter = Q * values**0.25 @ Q.mT  # P^1/2
    target = torch.arange(6, dtype=torch.float64)

    def loss(w):
        return (w - target).pow(4).sum()

    w = torch.ones(6, dtype=torch.float64)
    in_z = torch.func.grad(lambda z: loss(torch.linalg.solve(quarter, z)))(quarter @ w)
    plain = torch.linalg.solve(quarter, quarter @ w - 0.1 * in_z)
    torch.testing.assert_close(w - 0.1 * over_root(H, torch.func.grad(loss)(w), 0.0), plain, rtol=0, atol=1e-10)
