"""Backpropagation is a memory: every layer's write against autograd and torch.optim.SGD, and its values' origin."""

import pytest
import torch
import torch.nn.functional as F

from nlcore.memory import L2, AssociativeMemory, Decay, DeepMLP, DotProduct, GradientDescent, Linear, Rates

WIDTHS = (3, 5, 4, 6, 2)
ONE = torch.ones((), dtype=torch.float64)


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def network(activation):
    """The memory, its starting state, and the same network for torch, which runs from input to output."""
    mlp = DeepMLP(WIDTHS, activation)
    weights = tuple(normal(*shape, seed=i) / shape[1] ** 0.5 for i, shape in enumerate(mlp.shapes()))
    memory = AssociativeMemory(mlp, L2(), GradientDescent(), Decay())
    return memory, memory.start((), weights), [w.clone().requires_grad_() for w in reversed(weights)]


def forward(layers, x, activation):
    for w in layers[:-1]:
        x = activation(F.linear(x, w))
    return F.linear(x, layers[-1])


@pytest.mark.parametrize("activation", [torch.tanh, F.silu, F.relu])
def test_every_layer_writes_what_backpropagation_and_sgd_do(activation):
    """Eq. 7-9 and 29-31, for 25 steps through all layers."""
    memory, state, layers = network(activation)
    sgd = torch.optim.SGD(layers, lr=0.1)
    for t in range(25):
        x, v = normal(3, seed=100 + t), normal(2, seed=200 + t)
        state, _ = memory.write(state, x, v, Rates(0.1 * ONE, ONE))
        sgd.zero_grad()
        (0.5 * (forward(layers, x, activation) - v).square().sum()).backward()
        sgd.step()
        for ours, torchs in zip(state.memory, reversed(layers)):
            assert (ours - torchs).abs().max() < 1e-12


def test_a_batch_is_a_sum_of_writes_from_one_state():
    memory, start, layers = network(torch.tanh)
    x, v = normal(8, 3, seed=7), normal(8, 2, seed=8)
    state = start
    for t in range(8):
        state, _ = memory.write(state, x[t], v[t], Rates(0.1 / 8 * ONE, ONE), at=start)
    (0.5 * (forward(layers, x, torch.tanh) - v).square().sum(-1).mean()).backward()
    for ours, torchs in zip(state.memory, reversed(layers)):
        assert (ours - (torchs - 0.1 * torchs.grad)).abs().max() < 1e-12


def test_each_layer_is_a_hebbian_memory_of_its_surprise():
    """Eq. 54-55: the layer's own input is the key, and what it made itself, minus delta, the value."""
    memory, state, _ = network(torch.tanh)
    x, v = normal(3, seed=7), normal(2, seed=8)
    found = memory.architecture.gradients(state.memory, x[None], lambda answer: memory.objective.gradient(answer, v))
    after, _ = memory.write(state, x, v, Rates(0.1 * ONE, ONE))
    for w, new, layer in zip(state.memory, after.memory, found):
        alone = AssociativeMemory(Linear(*reversed(w.shape)), DotProduct(), GradientDescent(), Decay())
        written, _ = alone.write(alone.start((), (w,)), layer.x[0], -layer.delta[0], Rates(0.1 * ONE, ONE))
        assert (written.memory[0] - new).abs().max() < 1e-12


def test_frozen_values_are_linear_attention_on_gradients_and_another_trajectory():
    """Eq. 58: with gradients taken at the start, the writes are a sum of given values; backpropagation's are not."""
    memory, start, _ = network(torch.tanh)
    x, v, rates = normal(6, 3, seed=7), normal(6, 2, seed=8), Rates(0.1 * ONE, ONE)
    frozen = live = start
    for t in range(6):
        frozen, _ = memory.write(frozen, x[t], v[t], rates, at=start)
        live, _ = memory.write(live, x[t], v[t], rates)
    given = memory.architecture.gradients(start.memory, x, lambda answer: memory.objective.gradient(answer, v))
    q = normal(2, max(WIDTHS), seed=9)
    for w, end, layer, other in zip(start.memory, frozen.memory, given, live.memory):
        q_in = q[:, : w.shape[1]]
        attention = -0.1 * (q_in @ layer.x.mT) @ layer.delta
        assert (q_in @ (end - w).mT - attention).abs().max() < 1e-12
        assert (end - other).norm() > 0.01
