"""Deep Momentum: an MLP that learns the gradients it meets, by bounded gradient steps on its own loss."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nlcore.optim import DeepMomentum


def stream(steps, noise=1.0, rows=24, width=32, rank=3):
    """(signal, gradient) at each step: the signal stays in a subspace, the noise does not."""
    draw = torch.Generator().manual_seed(0)
    basis = torch.linalg.qr(torch.randn(width, rank, generator=draw))[0]
    for _ in range(steps):
        signal = torch.randn(rows, rank, generator=draw) @ basis.T
        yield signal, signal + noise * (rank / width) ** 0.5 * torch.randn(rows, width, generator=draw)


def answers(optimizer, weight, gradients):
    """What each step subtracts from the weight, and the inner loss before it."""
    for g in gradients:
        before = weight.detach().clone()
        weight.grad = g
        optimizer.step()
        yield before - weight.detach(), optimizer.state[weight]["inner_loss"].item()


def test_the_inner_loss_falls():
    weight = torch.zeros(24, 32, requires_grad=True)
    made = answers(DeepMomentum([weight], lr=1.0), weight, [g for _, g in stream(200, noise=0.0)])
    losses = [loss for _, loss in made]
    assert losses[0] == pytest.approx(0.5, abs=1e-6)  # it answers nothing yet
    assert losses[50] < 0.1 and losses[-1] < 0.02


def test_the_inner_loss_falls_on_the_gradients_of_a_real_network():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(12, 32), nn.Tanh(), nn.Linear(32, 4))
    optimizer, target, seen = DeepMomentum(net.parameters(), lr=0.1), torch.randn(12, 4), []
    for _ in range(200):
        x = torch.randn(8, 12)
        optimizer.zero_grad()
        (net(x) - (x @ target).sin()).square().mean().backward()
        optimizer.step()
        seen.append([optimizer.state[p]["inner_loss"].item() for p in net.parameters()])
    for losses in zip(*seen):
        assert sum(losses[-50:]) / 50 < 0.9 * losses[0], losses


def test_it_gives_back_what_it_has_met_and_leaves_out_noise():
    weight = torch.zeros(24, 32, requires_grad=True)
    pairs = list(stream(300))
    cosines = [
        [F.cosine_similarity(x.flatten(), signal.flatten(), dim=0).item() for x in (answer, g)]
        for (answer, _), (signal, g) in zip(answers(DeepMomentum([weight], lr=1.0), weight, [g for _, g in pairs]), pairs)
    ]
    ours, plain = torch.tensor(cosines[-100:]).mean(0)
    assert plain == pytest.approx(0.71, abs=0.02) and ours > plain + 0.1


def test_a_direction_never_met_is_mostly_left_out():
    weight = torch.zeros(24, 32, requires_grad=True)
    optimizer = DeepMomentum([weight], lr=1.0)
    pairs = list(stream(200, noise=0.0))
    for _ in answers(optimizer, weight, [g for _, g in pairs]):
        pass
    met = pairs[-1][1]
    new = torch.randn(24, 32, generator=torch.Generator().manual_seed(7))
    new -= new @ torch.linalg.pinv(met) @ met
    (new_answer, _), (met_answer, _) = answers(optimizer, weight, [new, met])
    assert new_answer.norm() < 0.35 * new.norm() and met_answer.norm() > 0.8 * met.norm()


def test_where_the_signal_moves_the_answer_is_at_first_farther_from_it_than_the_gradient():
    weight = torch.zeros(24, 32, requires_grad=True)
    optimizer, pairs = DeepMomentum([weight], lr=1.0), list(stream(200))
    for _ in answers(optimizer, weight, [g for _, g in pairs]):
        pass
    moved = [(signal.roll(16, 1), g.roll(16, 1)) for signal, g in pairs[:100]]
    cosines = torch.tensor([
        [F.cosine_similarity(x.flatten(), signal.flatten(), dim=0).item() for x in (answer, g)]
        for (answer, _), (signal, g) in zip(answers(optimizer, weight, [g for _, g in moved]), moved)
    ])
    soon, late = cosines[:8].mean(0), cosines[-30:].mean(0)
    assert soon[0] < soon[1] - 0.05 and late[0] > late[1] + 0.05


@pytest.mark.parametrize("inner_steps", [1, 3])
def test_a_step_is_autograds_on_the_inner_loss(inner_steps):
    """Against an MLP written in torch, by autograd, in float64."""
    eta, alpha, lr = 0.7, 0.95, 0.3
    weight = torch.zeros(6, 5, dtype=torch.float64, requires_grad=True)
    optimizer = DeepMomentum([weight], lr=lr, eta=eta, alpha=alpha, hidden=4, inner_steps=inner_steps)
    w1, w2, by_hand = None, None, torch.zeros(6, 5, dtype=torch.float64)
    for t in range(8):
        g = 1e-3 * torch.randn(6, 5, generator=torch.Generator().manual_seed(t), dtype=torch.float64)
        if w1 is None:
            fresh = optimizer.fresh(weight, optimizer.param_groups[0])
            w1, w2 = fresh["w1"], fresh["w2"]
        size = g.square().sum(1).mean().sqrt()
        u = g / size
        for step in range(inner_steps):
            one, two = w1.clone().requires_grad_(), w2.clone().requires_grad_()
            hidden = F.silu(u @ two.T)
            loss = (hidden @ one.T - u).square().sum(1).mean() / 2
            slopes = torch.autograd.grad(loss, (one, two))
            bounds = hidden.detach().square().sum(1).mean(), (alpha if step == 0 else 1.0) ** 2 * w1.square().sum()
            w1 = w1 * (alpha if step == 0 else 1.0) - eta / (1 + eta * bounds[0]) * slopes[0]
            w2 = w2 - eta / (1 + eta * bounds[1]) * slopes[1]
        by_hand -= lr * size * (F.silu(u @ w2.T) @ w1.T)
        weight.grad = g
        optimizer.step()
    memory = optimizer.state[weight]
    for ours, theirs in ((memory["w1"], w1), (memory["w2"], w2), (weight.detach(), by_hand)):
        assert (ours - theirs).abs().max() < 1e-14 * theirs.abs().max().clamp_min(1)
    assert by_hand.norm() > 1e-4


def test_nothing_random_reaches_the_weights():
    """Without learning it answers zero, whatever W_2 started as."""
    weight = torch.zeros(24, 32, requires_grad=True)
    for answer, loss in answers(DeepMomentum([weight], lr=1.0, eta=0.0), weight, [g for _, g in stream(5)]):
        assert answer.abs().max() == 0 and loss == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("eta", [1.0, 1e4])
@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_no_rate_and_no_gradient_makes_it_diverge(eta, scale):
    draw = torch.Generator().manual_seed(1)
    weight = torch.zeros(128, 16, requires_grad=True)
    gradients = []
    for _ in range(200):  # one row in 128 has all of the gradient, as in an embedding
        g = torch.zeros(128, 16)
        g[torch.randint(128, (), generator=draw)] = scale * torch.randn(16, generator=draw)
        gradients.append(g)
    losses = [loss for _, loss in answers(DeepMomentum([weight], lr=1.0, eta=eta), weight, gradients)]
    assert max(losses) < 5 and weight.isfinite().all()


def test_a_gradient_of_zero_is_answered_by_zero():
    weight = torch.zeros(3, 4, requires_grad=True)
    ((answer, _),) = answers(DeepMomentum([weight], lr=1.0), weight, [torch.zeros(3, 4)])
    assert answer.abs().max() == 0


def test_a_kernel_is_a_row_for_each_output_and_a_memory_is_small():
    kernel, bias = nn.Conv2d(8, 64, 3).parameters()
    optimizer = DeepMomentum([kernel, bias], lr=0.1, hidden=5)
    kernel.grad, bias.grad = torch.randn_like(kernel), torch.randn_like(bias)
    optimizer.step()
    assert optimizer.state[kernel]["w1"].shape == (8 * 9, 5) and optimizer.state[bias]["w2"].shape == (5, 64)
    assert sum(optimizer.state[kernel][name].numel() for name in ("w1", "w2")) < kernel.numel() / 6


@pytest.mark.parametrize("name", ["hidden", "inner_steps"])
def test_a_memory_of_nothing_is_refused(name):
    with pytest.raises(ValueError, match=f"{name} is 0: give a whole number, 1 or more"):
        DeepMomentum([torch.zeros(2, requires_grad=True)], **{name: 0})
