"""The one memory type: its gradients are autograd's, its writes the formulas', and all of it differentiable."""

import pytest
import torch

from nlcore.memory import (
    L2,
    AssociativeMemory,
    Decay,
    DeltaGradientDescent,
    DotProduct,
    GradientDescent,
    Linear,
    PullToStart,
    Rates,
    ResidualMLP,
    State,
)

D, HIDDEN = 6, 5
ARCHITECTURES = {"linear": Linear(D, D), "mlp": ResidualMLP(D, HIDDEN)}


def normal(*shape, seed=0):
    """Entries of size 0.4: a key of length one, about, so that no setting runs away."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 0.4


def make(architecture="mlp", objective=L2(), rule=DeltaGradientDescent(), retention=PullToStart(), batch=(2, 3)):
    architecture = ARCHITECTURES[architecture]
    memory = AssociativeMemory(architecture, objective, rule, retention)
    starts = tuple(normal(*shape, seed=i) for i, shape in enumerate(architecture.shapes()))
    return memory, memory.start(batch, starts)


def rates(batch=(2, 3), theta=False):
    full = torch.full(batch, 1.0, dtype=torch.float64)
    return Rates(full * 0.3, full * 0.9, full * 0.5 if theta else None)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("objective", [DotProduct(), L2()])
def test_layer_gradients_are_autograds(architecture, objective):
    memory, state = make(architecture, objective)
    k, v = normal(2, 3, 1, D, seed=7), normal(2, 3, 1, D, seed=8)
    weights = tuple(w.clone().requires_grad_() for w in state.memory)
    answer = memory.architecture.read(weights, k)
    expected = torch.autograd.grad(objective.loss(answer, v).sum(), weights)
    layers = memory.architecture.gradients(weights, k, lambda answer: objective.gradient(answer, v))
    for layer, grad in zip(layers, expected):
        assert (layer.delta.mT @ layer.x - grad).abs().max() < 1e-12


def test_gradient_descent_is_torch_sgd():
    memory, state = make(rule=GradientDescent(), retention=Decay(), batch=())
    k, v = normal(5, D, seed=7), normal(5, D, seed=8)
    weights = [w.clone().requires_grad_() for w in state.memory]
    sgd = torch.optim.SGD(weights, lr=0.3, momentum=0.5)
    one = torch.tensor(1.0, dtype=torch.float64)
    for t in range(5):
        state, _ = memory.write(state, k[t], v[t], Rates(0.3 * one, one, 0.5 * one))
        sgd.zero_grad()
        memory.objective.loss(memory.architecture.read(weights, k[t, None]), v[t, None]).sum().backward()
        sgd.step()
    for ours, torchs in zip(state.memory, weights):
        assert (ours - torchs).abs().max() < 1e-12


def test_delta_gradient_descent_is_equation_88():
    memory, state = make("linear", retention=Decay(), batch=())
    (w,), k, v = state.memory, normal(D, seed=7), normal(D, seed=8)
    eta, alpha = torch.tensor(0.3, dtype=torch.float64), torch.tensor(0.9, dtype=torch.float64)
    new, report = memory.write(state, k, v, Rates(eta, alpha))
    by_hand = w @ (alpha * torch.eye(D, dtype=w.dtype) - eta * torch.outer(k, k)) - eta * torch.outer(w @ k - v, k)
    assert (new.memory[0] - by_hand).abs().max() < 1e-12
    assert torch.isclose(report.surprise, (w @ k - v).norm())
    assert torch.isclose(report.update, (new.memory[0] - w).norm())


def test_delta_gd_erases_twice_with_the_l2_objective():
    """At alpha = 1 the fixed point for a repeated pair is v / 2, and the transition on the key is 1 - 2 eta."""
    memory, state = make("linear", retention=Decay(), batch=())
    k, v = torch.nn.functional.normalize(normal(D, seed=7), dim=0), normal(D, seed=8)
    eta, one = torch.tensor(0.3, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64)
    before = memory.read(state, k) - v / 2
    state, _ = memory.write(state, k, v, Rates(eta, one))
    assert torch.allclose(memory.read(state, k) - v / 2, (1 - 2 * 0.3) * before, atol=1e-12)
    for _ in range(60):
        state, _ = memory.write(state, k, v, Rates(eta, one))
    assert torch.allclose(memory.read(state, k), v / 2, atol=1e-12)


@pytest.mark.parametrize("sign", [1, -1])
def test_dot_product_converges_to_the_value_only_with_the_corrected_sign(sign):
    """Erratum of eq. 92: with the printed sign the memory learns -v."""
    memory, state = make("linear", DotProduct(), retention=Decay(), batch=())
    k, v = torch.nn.functional.normalize(normal(D, seed=7), dim=0), normal(D, seed=8)
    eta, one = torch.tensor(0.3, dtype=torch.float64), torch.tensor(1.0, dtype=torch.float64)
    for _ in range(200):
        state, _ = memory.write(state, k, sign * v, Rates(eta, one))
    assert torch.allclose(memory.read(state, k), sign * v, atol=1e-10)


def test_a_memory_that_makes_its_own_values_stays_zero_if_it_starts_at_zero():
    memory = AssociativeMemory(Linear(D, D), L2(), DeltaGradientDescent(), PullToStart())
    state = memory.start()
    one = torch.tensor(1.0)
    for t in range(5):
        k = normal(D, seed=t).float()
        state, _ = memory.write(state, k, memory.read(state, k), Rates(0.3 * one, one))
    assert (state.memory[0] == 0).all()


def test_gradients_at_a_given_state():
    """Chunked semantics: with `at`, two writes add the gradients of the same state."""
    memory, state = make(rule=GradientDescent(), retention=Decay(), batch=())
    one = torch.tensor(1.0, dtype=torch.float64)
    given = Rates(0.3 * one, one)
    k, v = normal(2, D, seed=7), normal(2, D, seed=8)
    chunked = state
    for t in range(2):
        chunked, _ = memory.write(chunked, k[t], v[t], given, at=state)
    alone = [memory.write(state, k[t], v[t], given)[0] for t in range(2)]
    for index, start in enumerate(state.memory):
        expected = start + sum(one_write.memory[index] - start for one_write in alone)
        assert (chunked.memory[index] - expected).abs().max() < 1e-12


@pytest.mark.parametrize("theta", [False, True])
@pytest.mark.parametrize("rule", [GradientDescent(), DeltaGradientDescent()])
@pytest.mark.parametrize("retention", [Decay(), PullToStart()])
def test_differentiable_to_second_order_through_many_writes(rule, retention, theta):
    memory, state = make(rule=rule, retention=retention, batch=())
    one = torch.tensor(1.0, dtype=torch.float64)

    def after_three_writes(w1, w2, k, v, eta, alpha):
        state = memory.start((), (w1, w2))
        for t in range(3):
            state, _ = memory.write(state, k[t], v[t], Rates(eta, alpha, 0.5 * one if theta else None))
        return memory.read(state, k[0])

    given = [*state.start, normal(3, D, seed=7), normal(3, D, seed=8), 0.3 * one, 0.9 * one]
    given = [x.detach().clone().requires_grad_() for x in given]
    assert torch.autograd.gradcheck(after_three_writes, given)
    assert torch.autograd.gradgradcheck(after_three_writes, given)


def test_batched_equals_one_by_one_and_vmap():
    memory, state = make()
    k, v, given = normal(2, 3, D, seed=7), normal(2, 3, D, seed=8), rates(theta=True)
    batched, report = memory.write(state, k, v, given)

    def one(state, k, v, given):
        return memory.write(state, k, v, given)[0].memory

    mapped = torch.vmap(torch.vmap(one))(state, k, v, given)
    for a, b in zip(batched.memory, mapped):
        assert (a - b).abs().max() < 1e-12
    single = State(*(tuple(w[1, 2] for w in part) for part in state))
    alone, its_report = memory.write(single, k[1, 2], v[1, 2], Rates(*(r[1, 2] for r in given)))
    assert (alone.memory[0] - batched.memory[0][1, 2]).abs().max() < 1e-12
    assert torch.isclose(its_report.update, report.update[1, 2])


def test_a_start_of_the_wrong_size_gets_one_sentence():
    memory, _ = make("mlp")
    with pytest.raises(ValueError, match="one .* matrix per layer"):
        memory.start((), (torch.zeros(D, D),))


@pytest.mark.parametrize("alpha", [1.0, 0.8])
def test_a_learnt_start_is_a_linear_layer_beside_a_memory_that_starts_empty(alpha):
    """For the sum; with a decay that layer fades."""
    memory, begun = make("linear", DotProduct(), GradientDescent(), Decay(), batch=())
    empty, one = memory.start((), (torch.zeros(D, D, dtype=torch.float64),)), torch.ones((), dtype=torch.float64)
    (layer,) = begun.memory
    k, v, q = normal(7, D, seed=4), normal(7, D, seed=5), normal(D, seed=6)
    for t in range(7):
        begun, _ = memory.write(begun, k[t], v[t], Rates(one, alpha * one))
        empty, _ = memory.write(empty, k[t], v[t], Rates(one, alpha * one))
        beside = alpha ** (t + 1) * layer @ q + memory.read(empty, q)
        assert (memory.read(begun, q) - beside).abs().max() < 1e-12
