"""Momentum is torch's SGD, a gradient step of a linear memory, and with values P a momentum on P g."""

import pytest
import torch
from torch import nn

from nlcore.optim import Momentum


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3)).double()


def backward(net, step):
    draw = torch.Generator().manual_seed(step)
    x, y = torch.randn(8, 6, generator=draw, dtype=torch.float64), torch.randn(8, 3, generator=draw, dtype=torch.float64)
    net.zero_grad()
    (net(x) - y).square().mean().backward()


def distance(a, b):
    return max((p - q).abs().max().item() for p, q in zip(a.parameters(), b.parameters(), strict=True))


@pytest.mark.parametrize("alpha", [0.0, 0.5, 0.9])
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_it_is_torch_sgd_over_200_steps(alpha, nesterov, decay):
    if nesterov and not alpha:
        pytest.skip("torch refuses nesterov without momentum")
    ours, theirs = network(), network()
    optimizer = Momentum(ours.parameters(), lr=0.05, alpha=alpha, nesterov=nesterov, weight_decay=decay)
    sgd = torch.optim.SGD(theirs.parameters(), lr=0.05, momentum=alpha, nesterov=nesterov, weight_decay=decay)
    for step in range(200):
        backward(ours, step)
        optimizer.step()
        backward(theirs, step)
        sgd.step()
    assert distance(ours, theirs) < 1e-12 and distance(ours, network()) > 0.1


def test_dampening_is_torchs():
    ours, theirs = network(), network()
    optimizer = Momentum(ours.parameters(), lr=0.05, dampening=0.4)
    sgd = torch.optim.SGD(theirs.parameters(), lr=0.05, momentum=0.9, dampening=0.4)
    for step in range(50):
        for net, rule in ((ours, optimizer), (theirs, sgd)):
            backward(net, step)
            rule.step()
    assert distance(ours, theirs) < 1e-12 and distance(ours, network()) > 0.1
    with pytest.raises(ValueError, match="dampening is 0.4"):
        Momentum(ours.parameters(), nesterov=True, dampening=0.4)


def test_the_memory_is_a_decayed_sum_of_past_gradients():
    """Unrolled (eq. 13): gradient t - k counts alpha^k."""
    net, past = network(), []
    optimizer = Momentum(net.parameters(), lr=0.05, alpha=0.8)
    for step in range(12):
        backward(net, step)
        past.append(net[0].weight.grad.clone())
        optimizer.step()
    unrolled = sum(0.8**k * g for k, g in enumerate(reversed(past)))
    assert (optimizer.state[net[0].weight]["momentum"] - unrolled).abs().max() < 1e-14


def test_the_memory_takes_a_gradient_step_on_its_own_objective():
    """`m <- alpha m - d/dm of -<m, g>`, by autograd (eq. 34-36)."""
    net = network()
    optimizer = Momentum(net.parameters(), lr=0.05, alpha=0.7)
    m = torch.zeros_like(net[0].weight)
    for step in range(5):
        backward(net, step)
        at = m.clone().requires_grad_()
        (slope,) = torch.autograd.grad(-(at * net[0].weight.grad).sum(), at)
        m = 0.7 * m - slope
        optimizer.step()
        assert (m - optimizer.state[net[0].weight]["momentum"]).abs().max() < 1e-15


def test_the_papers_signs_give_the_same_path():
    """`m <- alpha m - eta g, W <- W + m`."""
    ours, plain = network(), network()
    optimizer = Momentum(ours.parameters(), lr=0.05, alpha=0.9)
    m = [torch.zeros_like(p) for p in plain.parameters()]
    for step in range(50):
        backward(ours, step)
        optimizer.step()
        backward(plain, step)
        for p, m_p in zip(plain.parameters(), m):
            m_p.copy_(0.9 * m_p - 0.05 * p.grad)
            p.data += m_p
    assert distance(ours, plain) < 1e-13


def test_values_are_momentum_on_the_preconditioned_gradient():
    """Eq. 46-47: storing P g is running torch's momentum on P g, and P m, by linearity."""
    P = {n: torch.randn(n, n, generator=torch.Generator().manual_seed(n), dtype=torch.float64) / n for n in (8, 3)}
    ours, theirs = network(), network()
    optimizer = Momentum(ours.parameters(), lr=0.05, values=lambda g: P[len(g)] @ g)
    sgd = torch.optim.SGD(theirs.parameters(), lr=0.05, momentum=0.9)
    plain = [torch.zeros_like(p) for p in ours.parameters()]
    for step in range(50):
        backward(ours, step)
        plain = [0.9 * m + p.grad for m, p in zip(plain, ours.parameters())]
        optimizer.step()
        backward(theirs, step)
        for p in theirs.parameters():
            p.grad = P[len(p)] @ p.grad
        sgd.step()
    assert distance(ours, theirs) < 1e-12
    for p, m in zip(ours.parameters(), plain):
        assert (optimizer.state[p]["momentum"] - P[len(p)] @ m).abs().max() < 1e-12
