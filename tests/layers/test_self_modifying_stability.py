"""Self-modifying Titans at the edge of what their rates can learn: nothing grows, and what each bound is for."""

import itertools

import pytest
import torch

from nlcore.layers.family import matrix
from nlcore.layers.learning import given, own_answer, soft_answer
from nlcore.layers.self_modifying import SelfModifyingTitans
from nlcore.memory import (
    L2,
    Decay,
    DeltaGradientDescent,
    DotProduct,
    GradientDescent,
    KeepAll,
    PullToStart,
    ResidualMLP,
)
from tests.layers.test_self_modifying import SIX, groups, tokens


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_16384_tokens_stay_finite_forward_and_backward(dtype):
    torch.manual_seed(0)
    layer = SelfModifyingTitans(128, 4, 32).to(dtype)
    x = tokens(1, 16_384, 128, dtype=dtype).requires_grad_()
    y, state, _ = layer(x)
    assert y.isfinite().all()
    (grad,) = torch.autograd.grad(y[:, -1].float().square().sum(), x)
    assert grad.isfinite().all() and grad[:, 0].norm() < 1e3
    for memory in (*state.memory.memory, *state.projections.memory):
        assert memory.dtype == torch.float32
        assert 0.1 < memory.norm(dim=(-1, -2)).min() and memory.norm(dim=(-1, -2)).max() < 1e3


def gradient_and_norm(layer, x):
    """The gradient of the last output, largest over tokens, and the largest memory; both finite, and so the outputs."""
    x = x.clone().requires_grad_()
    y, state, _ = layer(x)
    (grad,) = torch.autograd.grad(y[:, -1].square().sum(), x)
    assert y.isfinite().all() and grad.isfinite().all()
    return grad.norm(dim=-1).max(), max(w.norm(dim=(-1, -2)).max() for _, its in groups(layer, state) for w in its.memory)


def at_the_edge(layer):
    """Largest rates; one head keeps everything, one forgets at once."""
    with torch.no_grad():
        layer.bias_eta.fill_(10.0)
        if layer.bias_alpha is not None:
            layer.bias_alpha.copy_(torch.tensor([-3.0, 20.0]))
    return layer


def streams(length):
    """Random tokens, one token that repeats, and two in turn."""
    x = tokens(3, length, 16, dtype=torch.float32)
    x[1], x[2] = x[1, :1], x[2, :2].repeat(length // 2, 1)
    return x


@pytest.mark.parametrize("reads", ["boundary", "after"])
@pytest.mark.parametrize("theta", [None, 2.0])
@pytest.mark.parametrize("chunks", [(1, 4), (16, 64)])
@pytest.mark.parametrize("architecture", [matrix, ResidualMLP])
@pytest.mark.parametrize(
    "pair",
    [(L2(), GradientDescent()), (DotProduct(), DeltaGradientDescent()), (DotProduct(), GradientDescent())],
    ids=["L2-GD", "dot-DGD", "dot-GD"],
)
def test_stable_with_every_objective_and_rule(pair, architecture, chunks, theta, reads):
    """At these rates a linear memory of dot products turns what stands at a key over at each write, and keeps all."""
    torch.manual_seed(0)
    layer = SelfModifyingTitans(
        16, 2, 8, chunks, theta is not None, reads, objective=pair[0], rule=pair[1], architecture=architecture,
        retention=KeepAll() if reads == "after" else PullToStart(),
    )  # fmt: skip
    if theta is not None:
        torch.nn.init.constant_(layer.theta, theta)
    gradient, norm = gradient_and_norm(at_the_edge(layer), streams(64 if chunks[0] == 1 else 384))
    assert gradient < (500 if layer.eta_max == 2 else 100) and norm < 500


@pytest.mark.parametrize("size", [4, 16, 64])
def test_a_sum_of_what_is_given_needs_no_bound_and_so_it_counts(size):
    """Nothing is amplified; and a token writes as much whatever stands beside it, so chunks of any length sum up the same."""

    def adding(chunk):
        torch.manual_seed(0)
        return SelfModifyingTitans(
            16, 2, 8, (chunk, chunk), reads="after", objective=DotProduct(), rule=GradientDescent(), learns=given,
            architecture=matrix, retention=KeepAll(), adaptive=(),
        ).double()  # fmt: skip

    x = streams(384).double()
    (answers, state, _), (one_by_one, summed, _) = adding(size)(x), adding(1)(x)
    torch.testing.assert_close(answers, one_by_one)
    torch.testing.assert_close(state.memory.memory, summed.memory.memory)
    assert gradient_and_norm(at_the_edge(adding(size)), x)[0] < 100


@pytest.mark.parametrize("reads", ["boundary", "before", "after"])
@pytest.mark.parametrize("pull", [True, False])
@pytest.mark.parametrize("theta", [None, -2.0, 2.0, 5.0])
@pytest.mark.parametrize("chunks", [(1, 1), (1, 4), (16, 64), (32, 32)])
@pytest.mark.parametrize("narrow", [False, True])
def test_stable_at_every_setting_and_at_the_edge_of_what_rates_can_learn(chunks, theta, pull, reads, narrow):
    torch.manual_seed(0)
    layer = SelfModifyingTitans(
        16, 2, 8, chunks, theta is not None, reads, narrow,
        retention=PullToStart() if pull else Decay(), adaptive=SIX if pull else SIX[:4],
    )  # fmt: skip
    if theta is not None:
        torch.nn.init.constant_(layer.theta, theta)
    gradient, norm = gradient_and_norm(at_the_edge(layer), streams(64 if chunks[0] == 1 else 384))
    assert gradient < 100 and norm < 100


def test_projections_written_in_full_are_not_stable():
    """The control: what the share is for."""
    found = {}
    for share in (0.1, 1.0):
        torch.manual_seed(4)
        layer = at_the_edge(SelfModifyingTitans(16, 2, 8, (1, 1), projections_share=share)).double()
        found[share] = gradient_and_norm(layer, streams(320).double())[0]
    assert found[0.1] < 100 and found[1.0] > 1e9


def test_printed_retention_dies_and_ours_does_not():
    """Decay of the whole memory, as printed, takes the starts with it; the pull to the start keeps them."""
    norms = {}
    for pull in (False, True):
        torch.manual_seed(0)
        layer = SelfModifyingTitans(64, 2, 32, retention=PullToStart() if pull else Decay())
        with torch.no_grad():
            layer.bias_alpha.fill_(5.0)  # a half-life of 100 tokens
            _, state, _ = layer(tokens(1, 4096, 64, dtype=torch.float32))
        norms[pull] = state.memory.memory[1].norm(dim=(-1, -2)).mean()
    assert norms[False] < 1e-3 and norms[True] > 1


def test_memories_of_two_layers_are_not_stable_at_the_rates_of_one():
    """The control: what DEEP is for. Token by token, at eta up to 1, gradients of a short text reach thousands."""
    found = {}
    for eta_max in (0.5, 1.0):
        for seed in (2, 3, 4):
            torch.manual_seed(seed)
            layer = at_the_edge(SelfModifyingTitans(16, 2, 8, (1, 1), rule=GradientDescent())).double()
            assert layer.eta_max == 0.5
            layer.eta_max = eta_max
            gradient = gradient_and_norm(layer, streams(96).double())[0]
            found[eta_max] = max(gradient, found.get(eta_max, 0.0))
    assert found[0.5] < 100 and found[1.0] > 1e3


def test_long_starts_are_stable_because_what_is_read_through_them_writes_less(monkeypatch):
    """Training makes such starts. The control writes as if every layer stood at the memory's output."""
    found = []
    for curvatures in (ResidualMLP.curvatures, lambda self, weights: [w.new_ones(w.shape[:-2]) for w in weights]):
        monkeypatch.setattr(ResidualMLP, "curvatures", curvatures)
        for seed in (0, 3):
            torch.manual_seed(seed)
            layer = at_the_edge(SelfModifyingTitans(16, 2, 8, (1, 1))).double()
            with torch.no_grad():
                layer.bias_alpha.fill_(20.0)
                for group in (layer.projections, layer.memory):
                    for start in group.weights:
                        start *= 4
            x = torch.randn(1, 2, 16, generator=torch.Generator().manual_seed(seed + 9)).double().repeat(1, 96, 1)
            found.append(gradient_and_norm(layer, x)[0])
    assert max(found[:2]) < 50 and min(found[2:]) > 150


def test_linear_memories_that_learn_their_own_answers_need_soft_ones():
    """Theorems take values as given. The control: scaled to length one, a short answer is steep."""
    found, draw = {}, torch.Generator().manual_seed(0)
    x = torch.randn(3, 2, 32, generator=draw).double().repeat(1, 128, 1)
    for learns, eta_max in itertools.product((own_answer, soft_answer), (1.0, 2.0)):
        torch.manual_seed(0)
        layer = SelfModifyingTitans(
            32, 4, 8, (4, 4), architecture=matrix, objective=DotProduct(), learns=learns, eta_max=eta_max
        ).double()
        torch.nn.init.constant_(layer.bias_eta, 10.0)
        torch.nn.init.constant_(layer.bias_alpha, 20.0)
        found[learns, eta_max] = gradient_and_norm(layer, x)[0]
    assert found[soft_answer, 1.0] < 20 and found[soft_answer, 2.0] < 200
    assert found[own_answer, 1.0] > 1e3 and found[own_answer, 2.0] > 1e4
