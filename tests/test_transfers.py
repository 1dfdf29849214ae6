"""The five ways of section 3.3 in which knowledge goes between levels, each against its own closed form; and 21, 69."""

import itertools

import pytest
import torch
import torch.nn.functional as F

from nlcore.memory import L2, AssociativeMemory, Decay, DeepMLP, DotProduct, GradientDescent, Linear, Rates

ONE = torch.ones((), dtype=torch.float64)
DELTA = AssociativeMemory(Linear(4, 4), L2(), GradientDescent(), Decay())
SUM = AssociativeMemory(Linear(4, 4), DotProduct(), GradientDescent(), Decay())


def normal(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def written(memory, k, v, eta, start=None):
    state = memory.start((), (torch.zeros(4, 4, dtype=torch.float64) if start is None else start,))
    for key, value in zip(k, v):
        state, _ = memory.write(state, key, value, Rates(eta * ONE, ONE))
    return state


def test_a_state_is_read_as_it_is():
    """Eq. 24-26: the slow weight's gradient takes the fast memory as given, and none goes into its writes."""
    k, v, x, right = F.normalize(normal(6, 4), dim=-1), normal(6, 4, seed=1), normal(4, seed=2), normal(4, seed=3)
    W = normal(4, 4, seed=4).requires_grad_()
    state = written(DELTA, k, v, 0.5)
    y = DELTA.read(state, W @ x)
    ((y - right).square().sum() / 2).backward()
    M = state.memory[0]
    assert not M.requires_grad
    torch.testing.assert_close(W.grad, torch.outer(M.T @ (y - right), x).detach(), rtol=0, atol=1e-12)


def test_an_answer_is_solved_from_a_context():
    """Eq. 27: the query's gradient is the covariance of keys and values under the weights; nothing is updated."""
    k, v, q, delta = normal(6, 4), normal(6, 4, seed=1), normal(4, seed=2).requires_grad_(), normal(4, seed=3)
    answer = F.scaled_dot_product_attention(q[None], k, v, scale=1.0)[0]
    (answer @ delta).backward()
    weights = torch.softmax(k @ q.detach(), 0)
    covariance = (weights[:, None] * (k - weights @ k)).T @ (v - weights @ v)
    torch.testing.assert_close(q.grad, covariance @ delta, rtol=0, atol=1e-12)


def test_one_flow_of_gradient_takes_the_old_weights_transposed():
    """Section 3.3, backward pass: as printed, with the weights after their update, it is not the gradient."""
    mlp, activation = DeepMLP((4, 3, 2), torch.tanh), torch.tanh
    upper, lower = (normal(*shape, seed=i) for i, shape in enumerate(mlp.shapes()))
    x, right = normal(4, seed=5), normal(2, seed=6)
    outputs = torch.autograd.functional.jacobian(activation, lower @ x)
    delta = upper @ activation(lower @ x) - right
    (of_upper, of_lower) = mlp.gradients((upper, lower), x[None], lambda answer: answer - right)
    torch.testing.assert_close(of_lower.delta[0], outputs.T @ (upper.T @ delta), rtol=0, atol=1e-12)
    after = upper - 0.1 * torch.outer(of_upper.delta[0], of_upper.x[0])
    assert (of_lower.delta[0] - outputs.T @ (after.T @ delta)).abs().max() > 1e-3
    with pytest.raises(RuntimeError):
        upper @ delta


def test_a_learnt_start_receives_what_the_writes_have_left_of_it():
    """Eq. 28: the gradient goes back through every write of the delta rule, each of which takes the key's part out."""
    k, v, q, right = F.normalize(normal(6, 4), dim=-1), normal(6, 4, seed=1), normal(4, seed=2), normal(4, seed=3)
    start = normal(4, 4, seed=4).requires_grad_()
    error = DELTA.read(written(DELTA, k, v, 0.5, start), q) - right
    (error.square().sum() / 2).backward()
    left = torch.linalg.multi_dot([torch.eye(4).double() - 0.5 * torch.outer(key, key) for key in k])
    torch.testing.assert_close(start.grad, torch.outer(error.detach(), left @ q), rtol=0, atol=1e-12)


def test_the_best_start_belongs_to_the_context_that_needs_it():
    """Eq. 28 with two contexts: where one step arrives from anywhere, the start is free for the other."""
    pull, goal = torch.tensor([1.0, 2.0]).double(), torch.tensor([2.0, 6.0]).double()
    loss = {}
    for start in torch.linspace(0, 8, 81).double():
        theta = start - 0.5 * pull * (start - goal)
        loss[start.item()] = (pull * (theta - goal) ** 2).mean().item()
    assert min(loss, key=loss.get) == pytest.approx(2)


def test_a_generated_weight_and_a_generated_context_teach_their_generator():
    G, z, x, right = normal(4, 4, 4).requires_grad_(), normal(4, seed=1), normal(4, seed=2), normal(4, seed=3)
    error = (G @ z) @ x - right
    (error.square().sum() / 2).backward()
    torch.testing.assert_close(G.grad, torch.einsum("i,j,k->ijk", error.detach(), x, z), rtol=0, atol=1e-12)
    W, tokens = normal(4, 4, seed=4).requires_grad_(), normal(6, 4, seed=5)
    read = lambda W: SUM.read(written(SUM, tokens @ W.T, tokens, 0.5), x).sum()
    read(W).backward()  # the keys are W x, so the memory's context is what W has made
    by_hand = 0.5 * torch.outer(x, tokens.sum(-1) @ tokens)
    torch.testing.assert_close(W.grad, by_hand, rtol=0, atol=1e-12)


def test_linear_attention_with_a_learnt_start_is_the_mlp_at_eta_0():
    """Eq. 21 and 69, their update transposed where they read by rows."""
    k, v, q, W = normal(6, 4), normal(6, 4, seed=1), normal(4, seed=2), normal(4, 4, seed=3)
    assert torch.equal(SUM.read(written(SUM, k, v, 0.0, W), q), Linear(4, 4).read((W,), q[None])[0])
    M = W + sum(torch.outer(value, key) for key, value in zip(k, v))
    torch.testing.assert_close(SUM.read(written(SUM, k, v, 1.0, W), q), M @ q, rtol=0, atol=1e-12)
    by_rows = W.T + sum(key[:, None] @ value[None] for key, value in zip(k, v))
    torch.testing.assert_close(q @ by_rows, M @ q, rtol=0, atol=1e-12)
    as_printed = W.T + sum(value[:, None] @ key[None] for key, value in zip(k, v))
    assert (q @ as_printed - M @ q).abs().max() > 0.1


@pytest.mark.parametrize("whose", ["start", "context", "query"])
def test_the_backward_graph_grows_just_where_the_writes_lie_between(whose):
    def operations(T):
        W, k, v = normal(4, 4).requires_grad_(), normal(T, 4, seed=1), normal(T, 4, seed=2)
        state = written(DELTA, k @ W.T if whose == "context" else k, v, 0.5, W if whose == "start" else None)
        q = normal(4, seed=3)
        waiting, seen = [DELTA.read(state, W @ q if whose == "query" else q).sum().grad_fn], set()
        while waiting:
            node = waiting.pop()
            if node is not None and node not in seen:
                seen.add(node)
                waiting += [after for after, _ in node.next_functions]
        return len(seen)

    counts = [operations(T) for T in (1, 2, 3, 4)]
    steps = [b - a for a, b in itertools.pairwise(counts)]
    assert steps[1] == steps[2] and (steps[1] == 0) == (whose == "query")
