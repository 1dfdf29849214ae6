"""The chunked delta recurrence equals the loop: outputs, final state, every gradient."""

import pytest
import torch

from nlcore.ops.delta_rule import (
    Chunk,
    Decays,
    Inside,
    Opened,
    delta_rule_chunked,
    delta_rule_naive,
    inside_naive,
    limit_each,
    share_budget,
    share_so_far,
)

CHUNK = 16


def problem(length, momentum, start, keys="random", dtype=torch.float64, seed=0):
    g = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    x = torch.nn.functional.normalize(normal(2, 3, length, 8), dim=-1)
    if keys == "repeated":
        x = x[..., :1, :].expand_as(x).clone()
    given = dict(
        x=x,
        delta=normal(2, 3, length, 5),
        eta=torch.sigmoid(normal(2, 3, length)) * (0.5 if keys == "repeated" else 1.0),
        log_alpha=torch.nn.functional.logsigmoid(normal(2, 3, length) + 2),
        weight=normal(2, 3, 5, 8),
        q=normal(2, 3, length, 8),
    )
    if momentum:
        given |= dict(momentum=normal(2, 3, 5, 8), theta=torch.sigmoid(normal(3)).expand(2, 3))
    if start:
        given |= dict(start=normal(2, 3, 5, 8))
    return {name: value.detach().to(dtype).requires_grad_() for name, value in given.items()}


def results_and_gradients(recurrence, given, **options):
    results = [r for r in recurrence(**given, **options) if r is not None]
    g = torch.Generator().manual_seed(1)
    weights = [torch.randn(r.shape, generator=g, dtype=torch.float64).to(r.dtype) for r in results]
    loss = sum((r * w).sum() for r, w in zip(results, weights))
    return results, torch.autograd.grad(loss, list(given.values()))


@pytest.mark.parametrize("length", [1, CHUNK - 1, CHUNK, CHUNK + 1, 63, 100])
@pytest.mark.parametrize("momentum", [False, True])
@pytest.mark.parametrize("start", [False, True])
@pytest.mark.parametrize("keys", ["random", "repeated"])
def test_chunked_equals_naive(length, momentum, start, keys):
    given = problem(length, momentum, start, keys)
    naive, naive_grads = results_and_gradients(delta_rule_naive, given)
    fast, fast_grads = results_and_gradients(delta_rule_chunked, given, chunk=CHUNK)
    assert len(naive) == len(fast) == (3 if momentum else 2)
    for a, b in zip(naive + list(naive_grads), fast + list(fast_grads)):
        scale = a.abs().max().clamp(min=1)
        assert (a - b).abs().max() / scale < 1e-10


@pytest.mark.parametrize("chunk", [32, 64])
def test_float32_holds_for_a_run_of_identical_keys(chunk):
    """A run of spaces: every key the same, rates at one half. Power products fail here."""
    exact = problem(256, False, True, "repeated")
    exact["eta"] = torch.full_like(exact["eta"], 0.5).requires_grad_()
    short = {name: value.detach().float().requires_grad_() for name, value in exact.items()}
    naive, naive_grads = results_and_gradients(delta_rule_naive, exact)
    fast, fast_grads = results_and_gradients(delta_rule_chunked, short, chunk=chunk)
    for a, b in zip(naive + list(naive_grads), fast + list(fast_grads)):
        assert (a - b).abs().max() / a.abs().max().clamp(min=1) < 1e-4


def test_underflowing_decay_stays_finite():
    given = problem(256, True, False)
    given["log_alpha"] = torch.full_like(given["log_alpha"], -20.0).requires_grad_()
    short = {name: value.detach().float().requires_grad_() for name, value in given.items()}
    results, grads = results_and_gradients(delta_rule_chunked, short, chunk=64)
    assert all(r.isfinite().all() for r in results + list(grads))


def test_double_backward():
    """Second order: what meta-learning through a chunk needs."""
    given = problem(6, True, True)
    names = list(given)

    def run(*values):
        return [r for r in delta_rule_chunked(**dict(zip(names, values)), chunk=4)]

    small = [v.detach()[:1, :1].requires_grad_() for v in given.values()]
    assert torch.autograd.gradgradcheck(run, small, atol=1e-6)


@pytest.mark.parametrize("keys", ["random", "repeated", "positive"])
def test_budget_bounds_the_largest_eigenvalue(keys):
    x = torch.randn(50, 24, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0)) * 3
    x = x[:, :1].expand_as(x) if keys == "repeated" else x.abs() if keys == "positive" else x
    eta = torch.rand(50, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    shared = share_budget(x @ x.mT, eta, budget=0.5)
    largest = torch.linalg.eigvalsh((shared[..., None] * x).mT @ x)[..., -1]
    assert largest.max() <= 0.5 + 1e-12
    if keys == "repeated":  # identical keys can use the budget up: the bound is not idle
        assert largest.min() > 0.5 - 1e-9


def test_budget_leaves_orthogonal_and_idle_tokens_alone():
    x = torch.eye(4, dtype=torch.float64)
    eta = torch.tensor([0.5, 0.25, 0.1, 0.0], dtype=torch.float64)
    assert torch.equal(share_budget(x @ x.mT, eta, 0.5), eta)
    same = torch.ones(4, 4, dtype=torch.float64)
    lone = torch.tensor([0.5, 0.0, 0.0, 0.0], dtype=torch.float64)
    assert torch.equal(share_budget(same, lone, 0.5), lone)


@pytest.mark.parametrize("length", [1, 2, 7, 24])
def test_a_chunk_of_dgd_is_non_expansive_within_the_budget(length):
    """The theorem of the README, at random keys and rates, and at every kind of retention."""
    g = torch.Generator().manual_seed(length)
    worst = 0.0
    for trial in range(200):
        x = torch.randn(length, 4, generator=g, dtype=torch.float64)
        eta = share_budget(x @ x.mT, torch.rand(length, generator=g, dtype=torch.float64) * 5, 0.5)
        alpha = torch.rand(length, generator=g, dtype=torch.float64)
        alpha = (alpha, alpha.round(), torch.ones_like(alpha))[trial % 3]
        transition = chunk_transition(x, eta, alpha)
        worst = max(worst, torch.linalg.matrix_norm(transition, 2).item())
    assert 0.2 < worst <= 1 + 1e-12


def test_the_budget_of_one_half_is_sharp():
    x, alpha = torch.ones(1, 1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    assert chunk_transition(x, torch.tensor([0.6], dtype=torch.float64), alpha).abs() > 1


def chunk_transition(x, eta, alpha):
    """P with W_C = W_0 P + ..., for L2 gradients `W_0 x - v` taken at the chunk's start."""
    start = torch.eye(x.shape[-1], dtype=x.dtype)
    state = start
    for t in range(len(x)):
        outer = eta[t] * torch.outer(x[t], x[t])
        state = alpha[t] * state - state @ outer - start @ outer
    return state


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("length", [1, 2, 15, 33])
@pytest.mark.parametrize("momentum", [False, True])
@pytest.mark.parametrize("start", [False, True])
@pytest.mark.parametrize("keys", ["random", "repeated"])
def test_a_read_inside_the_chunk_equals_the_loop(length, momentum, start, keys, before):
    given = problem(length, momentum, start, keys)
    naive = inside_naive(**given, budget=0.5, before=before)
    fast = inside(given, before)
    assert (fast(given["q"]) - naive).abs().max() < 1e-10
    assert (fast(given["q"][..., -1:, :]) - naive[..., -1:, :]).abs().max() < 1e-10
    weigh = torch.randn(naive.shape, generator=torch.Generator().manual_seed(1), dtype=naive.dtype)
    both = [torch.autograd.grad((r * weigh).sum(), list(given.values()), allow_unused=True, materialize_grads=True)
            for r in (naive, fast(given["q"]))]  # fmt: skip
    for a, b in zip(*both):
        assert (a - b).abs().max() / a.abs().max().clamp(min=1) < 1e-10
    if before and length == 1:
        assert torch.equal(fast(given["q"]), given["q"] @ given["weight"].mT)


def opened_by(given):
    x, weight = given["x"], given["weight"]
    parts = (given["delta"], weight, given.get("momentum"), given.get("start"))
    return Opened(x, *parts, x @ weight.mT, x @ x.mT)


def inside(given, before):
    opened = opened_by(given)
    read = Inside(opened, given["eta"], 0.5, Decays(given["log_alpha"], given.get("theta")))
    return (read.before() if before else read).answers


def test_a_row_of_rates_is_the_share_of_a_chunk_that_ends_there():
    given = problem(9, False, False)
    x, eta = given["x"], given["eta"]
    rows = share_so_far(x @ x.mT, eta, 0.3)
    for t in range(9):
        part = x[..., : t + 1, :]
        assert torch.allclose(rows[..., t, : t + 1], share_budget(part @ part.mT, eta[..., : t + 1], 0.3), rtol=1e-14)


@pytest.mark.parametrize("length", [1, 2, 7, 24])
def test_a_read_inside_is_non_expansive_within_the_budget(length):
    """The README's second theorem: what a linear memory answers inside a chunk, as a function of its state there."""
    g, start, worst = torch.Generator().manual_seed(length), torch.eye(4, dtype=torch.float64), 0.0
    for trial in range(100):
        x = torch.randn(length, 4, generator=g, dtype=torch.float64)
        alpha = torch.rand(length, generator=g, dtype=torch.float64).clamp(1e-30)
        eta = torch.rand(length, generator=g, dtype=torch.float64) * 5
        decays = Decays((alpha if trial % 2 else torch.ones_like(alpha)).log())
        opened = Opened(x, x, start, None, None, x, x @ x.mT)  # delta = W_0 x - v: the state's part of it is x
        read = Inside(opened, eta, 0.5, decays)
        matrix = read.answers(torch.eye(4, dtype=torch.float64)[:, None].expand(4, length, 4))
        norms = torch.linalg.matrix_norm(matrix.permute(1, 2, 0), 2)
        worst = max(worst, norms.max().item())
    assert 0.2 < worst <= 1 + 1e-12


@pytest.mark.parametrize("length", [1, 2, 15, 33])
@pytest.mark.parametrize("momentum", [False, True])
@pytest.mark.parametrize("start", [False, True])
def test_before_its_own_write_a_token_reads_what_the_loop_held_then(length, momentum, start):
    """The closed form's row above; the loop is asked at the query of the token that comes next."""
    given = problem(length, momentum, start)
    before = Chunk(opened_by(given), given["eta"], Decays(given["log_alpha"], given.get("theta"))).before()
    first = given["q"][..., :1, :] @ given["weight"].mT
    next_queries = torch.cat([given["q"][..., 1:, :], given["q"][..., :1, :]], -2)
    later = delta_rule_naive(**given | dict(q=next_queries))[0][..., :-1, :]
    assert (before.answers(given["q"]) - torch.cat([first, later], -2)).abs().max() < 1e-10


@pytest.mark.parametrize("length", [1, 2, 15, 33])
@pytest.mark.parametrize("momentum", [False, True])
@pytest.mark.parametrize("start", [False, True])
def test_without_erasing_a_chunk_equals_its_loop(length, momentum, start):
    """`W <- retain(W) + m`, one token after the other: in the closed form, and inside where the budget leaves all."""
    given = problem(length, momentum, start)
    weight, pushed, read = given["weight"], given.get("momentum", 0.0), []
    origin = given["start"] if start else 0.0
    for t in range(length):
        at = [given[name][..., t, None, None] for name in ("eta", "log_alpha")]
        step = -at[0] * given["delta"][..., t, :, None] * given["x"][..., t, None, :]
        pushed = given["theta"][..., None, None] * pushed + step if momentum else step
        weight = origin + at[1].exp() * (weight - origin) + pushed
        read.append((weight @ given["q"][..., t, :, None]).squeeze(-1))
    opened, decays = opened_by(given), Decays(given["log_alpha"], given.get("theta"))
    chunk, inside = Chunk(opened, given["eta"], decays, False), Inside(opened, given["eta"], 1e9, decays, False)
    final, moved = chunk.final()
    found = [(final, weight)] + [(way.answers(given["q"]), torch.stack(read, -2)) for way in (chunk, inside)]
    found += [(moved, pushed)] if momentum else []
    g, inputs = torch.Generator().manual_seed(1), list(given.values())
    weigh = [torch.randn(b.shape, generator=g, dtype=b.dtype) for _, b in found]
    grads = [torch.autograd.grad(sum((pair[i] * w).sum() for pair, w in zip(found, weigh)), inputs, allow_unused=True,
                                 materialize_grads=True, retain_graph=True) for i in (0, 1)]  # fmt: skip
    for a, b in found + list(zip(*grads)):
        assert (a - b).abs().max() / b.abs().max().clamp(min=1) < 1e-10


@pytest.mark.parametrize("length", [1, 2, 7, 24])
def test_a_chunk_of_gradient_descent_on_l2_is_non_expansive_up_to_a_budget_of_one(length):
    """The README's third theorem."""
    g, worst = torch.Generator().manual_seed(length), 0.0
    for trial in range(200):
        x = torch.randn(length, 4, generator=g, dtype=torch.float64)
        eta = share_budget(x @ x.mT, torch.rand(length, generator=g, dtype=torch.float64) * 5, 1.0)
        alpha = torch.rand(length, generator=g, dtype=torch.float64)
        alpha = (alpha, alpha.round(), torch.ones_like(alpha))[trial % 3]
        state = start = torch.eye(4, dtype=torch.float64)
        for t in range(length):
            state = alpha[t] * state - start @ (eta[t] * torch.outer(x[t], x[t]))
        worst = max(worst, torch.linalg.matrix_norm(state, 2).item())
    assert 0.2 < worst <= 1 + 1e-12


@pytest.mark.parametrize("length", [1, 7, 24])
def test_what_each_token_is_limited_to_makes_the_dot_product_non_expansive_and_no_less_would(length):
    """The README's fourth theorem, after every token; at the limit the transition on the key is -1."""
    g, edge = torch.Generator().manual_seed(length), 0.0
    for trial in range(100):
        x = torch.randn(length, 4, generator=g, dtype=torch.float64)
        alpha = torch.rand(length, generator=g, dtype=torch.float64)
        alpha = (alpha, alpha.round(), torch.ones_like(alpha))[trial % 3]
        eta = limit_each(x @ x.mT, torch.rand(length, generator=g, dtype=torch.float64) * 5, 1 + alpha)
        state = torch.eye(4, dtype=torch.float64)
        for t in range(length):
            step = alpha[t] * torch.eye(4, dtype=torch.float64) - eta[t] * torch.outer(x[t], x[t])
            edge = min(edge, torch.linalg.eigvalsh(step)[0].item())
            state = state @ step
            assert torch.linalg.matrix_norm(state, 2) <= 1 + 1e-12
    assert edge == pytest.approx(-1)


def test_a_token_that_keeps_to_its_limit_is_left_alone():
    x, eta = torch.eye(3, dtype=torch.float64), torch.tensor([2.0, 1.2, 0.5], dtype=torch.float64)
    limit = torch.tensor([2.0, 1.0, 1.0], dtype=torch.float64)
    assert limit_each(x @ x.mT, eta, limit).tolist() == [2.0, 1.0, 0.5]
