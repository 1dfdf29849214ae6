"""Learning rules: named rules are settings, Oja finds components, Omega is a loss over the last c tokens."""

import pytest
import torch
from torch.nn.functional import normalize

from nlcore.memory import (
    L2,
    AssociativeMemory,
    Decay,
    DeepMLP,
    DotProduct,
    GradientDescent,
    Huber,
    Linear,
    Oja,
    Omega,
    PullToStart,
    Rates,
    proximal_step,
)

D_K, D_V = 5, 3
ONE = torch.tensor(1.0, dtype=torch.float64)
RATES = Rates(0.3 * ONE, 0.9 * ONE)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 0.5


def linear(objective, rule, retention=Decay()):
    memory = AssociativeMemory(Linear(D_K, D_V), objective, rule, retention)
    return memory, memory.start((), (normal(D_V, D_K),))


def after(memory, state, k, v, rates=RATES):
    for t in range(len(k)):
        state, _ = memory.write(state, k[t], v[t], rates)
    return state


@pytest.mark.parametrize("objective, rule, formula", [
    (DotProduct(), GradientDescent(), lambda W, k, v: 0.9 * W + 0.3 * torch.outer(v, k)),
    (L2(), GradientDescent(), lambda W, k, v: 0.9 * W - 0.3 * W @ torch.outer(k, k) + 0.3 * torch.outer(v, k)),
    (DotProduct(), Oja(), lambda W, k, v: 0.9 * W - 0.3 * torch.outer(v, v) @ W + 0.3 * torch.outer(v, k)),
], ids=["hebbian", "delta", "oja"])
def test_a_named_rule_is_a_setting(objective, rule, formula):
    """Eq. 64, 65, 66-67: d_k and d_v differ, so a product in the wrong order would not have a shape."""
    memory, state = linear(objective, rule)
    k, v = normal(6, D_K, seed=1), normal(6, D_V, seed=2)
    (W,) = state.memory
    for t in range(6):
        W = formula(W, k[t], v[t])
    assert (after(memory, state, k, v).memory[0] - W).abs().max() < 1e-12


def test_linear_attention_is_a_proximal_step_per_token_and_a_masked_product():
    """Eq. 15-18, from zero at rate 1: 17's problem is solved without being told its answer."""
    k, v, q = normal(6, D_K, seed=1), normal(6, D_V, seed=2), normal(6, D_K, seed=3)
    memory, state = linear(DotProduct(), GradientDescent())
    state = memory.start((), (0 * state.memory[0],))
    at_once = (q @ k.T).tril() @ v
    for t in range(6):
        asked = proximal_step(lambda M: -(M @ k[t]) @ v[t], state.memory[0], eta=1.0)
        state, _ = memory.write(state, k[t], v[t], Rates(ONE, ONE))
        assert (state.memory[0] - asked).abs().max() < 1e-12
        assert (memory.read(state, q[t]) - at_once[t]).abs().max() < 1e-12


@pytest.mark.parametrize("objective, stated", [
    (DotProduct(), lambda W, k, v: -2 * (W @ k) @ v), (L2(), lambda W, k, v: (W @ k - v).square().sum()),
], ids=["64", "65"])
def test_the_objectives_stated_with_64_and_65_have_twice_the_printed_gradient(objective, stated):
    """What stands under the braces, and is written here, is half of it."""
    memory, state = linear(objective, GradientDescent())
    k, v = normal(D_K, seed=1), normal(D_V, seed=2)
    W = state.memory[0].clone().requires_grad_()
    (slope,) = torch.autograd.grad(stated(W, k, v), W)
    written, _ = memory.write(state, k, v, Rates(0.3 * ONE, ONE))
    assert (written.memory[0] - (W - 0.3 * slope / 2)).abs().max() < 1e-12
    assert slope.abs().max() > 0.1


def test_ojas_rule_is_a_step_on_the_objective_printed_below_67():
    """`-2 <M k, v> + ||M^T v||^2` by autograd; half of it, since the 2 is part of eta."""
    memory, state = linear(DotProduct(), Oja())
    k, v = normal(D_K, seed=1), normal(D_V, seed=2)
    W = state.memory[0].clone().requires_grad_()
    (slope,) = torch.autograd.grad(-2 * (W @ k) @ v + (W.mT @ v).square().sum(), W)
    written, _ = memory.write(state, k, v, Rates(0.3 * ONE, ONE))
    assert (written.memory[0] - (W - 0.3 * slope / 2)).abs().max() < 1e-12


def test_the_decayed_hebbian_memory_is_linear_attention():
    """Eq. 5, token by token: the read after token t is the causal sum with weights alpha^(t - s) k_s . q_t."""
    memory, _ = linear(DotProduct(), GradientDescent())
    state = memory.start((), (torch.zeros(D_V, D_K, dtype=torch.float64),))
    k, v, q = normal(9, D_K, seed=1), normal(9, D_V, seed=2), normal(9, D_K, seed=3)
    age = torch.arange(9)[:, None] - torch.arange(9)
    attention = ((q @ k.mT) * torch.where(age >= 0, 0.9 ** age.double(), 0.0)) @ v
    for t in range(9):
        state, _ = memory.write(state, k[t], v[t], Rates(ONE, 0.9 * ONE))
        assert (memory.read(state, q[t]) - attention[t]).abs().max() < 1e-12


def test_ojas_rule_is_the_delta_rule_of_the_memory_read_backwards():
    k, v = normal(6, D_K, seed=1), normal(6, D_V, seed=2)
    forwards = linear(DotProduct(), Oja())
    backwards = AssociativeMemory(Linear(D_V, D_K), L2(), GradientDescent(), Decay())
    learnt = after(backwards, backwards.start((), (forwards[1].memory[0].mT,)), v, k)
    assert (after(*forwards, k, v).memory[0] - learnt.memory[0].mT).abs().max() < 1e-12


def test_with_its_own_answers_as_values_oja_finds_the_principal_subspace():
    spread = torch.tensor([3.0, 2.0, 1.0, 0.5, 0.2], dtype=torch.float64)
    turn = torch.linalg.qr(normal(D_K, D_K, seed=3)).Q
    keys = normal(200, D_K, seed=4) * 2
    keys = (keys - keys.mean(0)) * spread @ turn
    memory, state = linear(DotProduct(), Oja())
    for epoch in range(40):
        for k in keys:
            state, _ = memory.write(state, k, memory.read(state, k), Rates(ONE * 0.02 / (1 + epoch), ONE))
    W, top = state.memory[0], torch.linalg.eigh(keys.mT @ keys).eigenvectors[:, -D_V:]
    assert (W @ W.mT - torch.eye(D_V, dtype=W.dtype)).abs().max() < 0.02
    assert torch.linalg.matrix_norm(W.mT @ W - top @ top.mT) < 0.05


@pytest.mark.parametrize("architecture", [Linear(D_K, D_V), DeepMLP((D_K, 4, 4, D_V))])
@pytest.mark.parametrize("objective", [L2(), Huber(0.3)])
@pytest.mark.parametrize("theta", [None, 0.5 * ONE])
def test_omega_is_a_gradient_step_on_the_loss_over_the_last_c_tokens(architecture, objective, theta):
    gammas, rates = (0.25, 0.5, 1.0), Rates(0.1 * ONE, 0.9 * ONE, theta)
    memory = AssociativeMemory(architecture, objective, Omega(gammas), Decay())
    k, v = normal(7, D_K, seed=1), normal(7, D_V, seed=2)
    weights = tuple(normal(*shape, seed=i) for i, shape in enumerate(architecture.shapes()))
    state, momentum = memory.start((), weights), [torch.zeros_like(w) for w in weights]
    for t in range(7):
        weights = tuple(w.detach().requires_grad_() for w in weights)
        loss = torch.zeros((), dtype=torch.float64)
        for age in range(3):
            if t >= age:
                answer = architecture.read(weights, k[t - age, None])
                loss = loss + gammas[-1 - age] * objective.loss(answer, v[t - age, None]).sum()
        grads = torch.autograd.grad(loss, weights)
        momentum = [(0.5 if theta is not None else 0) * m - 0.1 * g for m, g in zip(momentum, grads)]
        weights = tuple(0.9 * w + m for w, m in zip(weights, momentum))
        state, report = memory.write(state, k[t], v[t], rates)
        assert all((ours - w).abs().max() < 1e-12 for ours, w in zip(state.memory, weights))
    assert torch.equal(state.window[0], k[4:]) and torch.equal(state.window[1], v[4:])


@pytest.mark.parametrize("retention", [Decay(), PullToStart()])
def test_omega_of_one_token_is_the_online_rule_and_carries_no_window(retention):
    k, v = normal(6, D_K, seed=1), normal(6, D_V, seed=2)
    one, online = (after(*linear(L2(), rule, retention), k, v) for rule in (Omega((1.0,)), GradientDescent()))
    assert (one.memory[0] - online.memory[0]).abs().max() < 1e-12
    assert one.window == online.window == ()


def test_a_window_batches_vmaps_and_lets_gradients_through():
    memory, _ = linear(L2(), Omega((0.5, 1.0)))
    k, v = normal(4, 2, D_K, seed=1), normal(4, 2, D_V, seed=2)
    rates = Rates(*(r.expand(2) for r in RATES[:2]))
    batched = after(memory, memory.start((2,), (normal(D_V, D_K),)), k, v, rates)
    for b in range(2):
        alone = after(memory, memory.start((), (normal(D_V, D_K),)), k[:, b], v[:, b])
        assert (batched.memory[0][b] - alone.memory[0]).abs().max() < 1e-12

    def one(state, k, v, eta, alpha):
        return memory.write(state, k, v, Rates(eta, alpha))[0].memory

    mapped = torch.vmap(one)(batched, k[0], v[0], *rates[:2])
    assert (mapped[0] - memory.write(batched, k[0], v[0], rates)[0].memory[0]).abs().max() < 1e-12

    def learnt(start, k, v, eta, alpha):
        return after(memory, memory.start((), (start,)), k, v, Rates(eta, alpha)).memory[0]

    given = [normal(D_V, D_K), normal(3, D_K, seed=1), normal(3, D_V, seed=2), 0.3 * ONE, 0.9 * ONE]
    assert torch.autograd.gradcheck(learnt, [x.clone().requires_grad_() for x in given])


def test_oja_is_differentiable_and_vmaps():
    memory, state = linear(DotProduct(), Oja())

    def learnt(start, k, v, eta):
        return after(memory, memory.start((), (start,)), k, v, Rates(eta, ONE)).memory[0]

    given = [normal(D_V, D_K), normal(3, D_K, seed=1), normal(3, D_V, seed=2), 0.3 * ONE]
    assert torch.autograd.gradcheck(learnt, [x.clone().requires_grad_() for x in given])
    many = torch.stack([normal(D_V, D_K), normal(D_V, D_K, seed=9)])
    mapped = torch.vmap(learnt, (0, None, None, None))(many, *given[1:])
    assert (mapped[1] - learnt(many[1], *given[1:])).abs().max() < 1e-12


def test_a_repeated_pair_is_stored_exactly_by_the_delta_rule_at_step_one():
    memory, state = linear(L2(), GradientDescent())
    k, v = normalize(normal(D_K, seed=1), dim=0), normal(D_V, seed=2)
    state, _ = memory.write(state, k, v, Rates(ONE, ONE))
    assert torch.allclose(memory.read(state, k), v, atol=1e-12)


def test_an_empty_window_gets_one_sentence():
    with pytest.raises(ValueError, match="at least one"):
        Omega(())


def test_with_a_window_the_surprise_is_still_the_newest_tokens():
    memory, state = linear(L2(), Omega((0.5, 1.0, 2.0)))
    k, v = normal(4, D_K, seed=5), normal(4, D_V, seed=6)
    state = after(memory, state, k[:3], v[:3])
    _, report = memory.write(state, k[3], v[3], RATES)
    expected = L2().gradient(memory.read(state, k[3]), v[3]).norm()
    assert report.surprise == pytest.approx(expected.item(), abs=1e-12)


def test_without_theta_a_stored_momentum_neither_acts_nor_changes():
    memory, state = linear(L2(), GradientDescent())
    k, v = normal(D_K, seed=5), normal(D_V, seed=6)
    moving = state._replace(momentum=tuple(normal(*w.shape, seed=7) for w in state.memory))
    still, moved = memory.write(state, k, v, RATES)[0], memory.write(moving, k, v, RATES)[0]
    assert torch.equal(still.memory[0], moved.memory[0])
    assert torch.equal(moved.momentum[0], moving.momentum[0])
