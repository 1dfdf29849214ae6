"""Self-modifying Titans: equal to its loop, causal, resumable, alive and stable."""

import itertools

import pytest
import torch

from nlcore import probe
from nlcore.layers.family import matrix
from nlcore.layers.learning import given, own_answer, soft_answer
from nlcore.layers.memory_group import unit
from nlcore.layers.self_modifying import GROUPS, SelfModifyingTitans
from nlcore.layers.self_modifying_naive import self_modifying_naive
from nlcore.memory import (
    L2,
    Decay,
    DeepMLP,
    DeltaGradientDescent,
    DotProduct,
    GradientDescent,
    Huber,
    KeepAll,
    Oja,
    PullToStart,
    ResidualMLP,
)

TITANS = dict(
    adaptive=(), learns=given, rule=GradientDescent(), retention=Decay(), momentum=True, reads="after"
)  # fmt: skip
SIX = ("k", "v", "eta", "alpha", "q")
SETTINGS = {
    "default": dict(chunks=(4, 8)),
    "token by token": dict(chunks=(1, 1)),
    "equal chunks": dict(chunks=(5, 5)),
    "six memories": dict(chunks=(2, 6), adaptive=SIX, momentum=True),
    "momentum": dict(chunks=(4, 8), momentum=True),
    "plain decay": dict(chunks=(4, 8), retention=Decay()),
    "before": dict(chunks=(4, 8), reads="before"),
    "after": dict(chunks=(4, 8), reads="after"),
    "after, equal chunks": dict(chunks=(5, 5), reads="after", retention=Decay()),
    "before, six memories": dict(chunks=(5, 5), reads="before", adaptive=SIX, momentum=True),
    "narrow": dict(chunks=(4, 8), narrow_rates=True),
    "full share": dict(chunks=(4, 8), projections_share=1.0),
    "narrow, equal chunks": dict(
        chunks=(5, 5), narrow_rates=True, reads="after", momentum=True, adaptive=SIX, projections_share=0.3
    ),
    "after, momentum": dict(chunks=(4, 8), reads="after", momentum=True),
    "dot product": dict(chunks=(4, 8), objective=DotProduct()),
    "dot product, after": dict(chunks=(4, 8), objective=DotProduct(), reads="after", architecture=matrix),
    "dot product, before": dict(chunks=(5, 5), objective=DotProduct(), reads="before", momentum=True),
    "descent, after": dict(chunks=(4, 8), rule=GradientDescent(), reads="after", retention=KeepAll()),
    "a sum": dict(
        chunks=(4, 8), objective=DotProduct(), rule=GradientDescent(), reads="after", learns=given, architecture=matrix,
        adaptive=(),
    ),
    "a sum, before": dict(
        chunks=(5, 5), objective=DotProduct(), rule=GradientDescent(), reads="before", learns=given, architecture=matrix,
        momentum=True, retention=KeepAll(), adaptive=(),
    ),
    "a sum with keys of its own": dict(
        chunks=(4, 8), objective=DotProduct(), rule=GradientDescent(), reads="after", learns=given, architecture=matrix,
    ),
    "Hebbian": dict(chunks=(4, 8), objective=DotProduct(), rule=GradientDescent(), reads="before", retention=Decay()),
    "static rates": dict(chunks=(4, 8), adaptive=("k", "v", "q"), narrow_rates=True),
    "narrow eta alone": dict(chunks=(4, 8), adaptive=("eta",), narrow_rates=True),
    "nothing adapts": dict(chunks=(4, 8), adaptive=()),
    "Titans": dict(chunks=(4, 4), **TITANS),
    "four layers": dict(chunks=(4, 8), architecture=lambda width, hidden: DeepMLP((width, hidden, hidden, width))),
}


def make(dim=12, heads=2, hidden=5, seed=0, dtype=torch.float64, **options):
    torch.manual_seed(seed)
    layer = SelfModifyingTitans(dim, heads, hidden, **options).to(dtype)
    with torch.no_grad():
        for name in {"read_eta", "read_alpha"} & dict(layer.named_parameters()).keys():  # rates that vary as after training
            layer.get_parameter(name).mul_(10)
    return layer


def tokens(batch, length, dim=12, seed=1, dtype=torch.float64):
    return torch.randn(batch, length, dim, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def groups(layer, state):
    """Each group of memories that is there, with its state."""
    return [(getattr(layer, name), getattr(state, name)) for name in GROUPS if getattr(layer, name) is not None]


def agrees_with_the_loop(layer, x):
    """Outputs, every memory and momentum, every gradient."""
    fast, state, _ = layer(x)
    slow, states = self_modifying_naive(layer, x)
    assert (fast - slow).abs().max() < 1e-10
    for group, memories in groups(layer, state):
        for index, name in enumerate(group.names):
            for ours, loop in zip(memories.memory + memories.momentum, states[name].memory + states[name].momentum):
                assert (ours[:, index] - loop).abs().max() < 1e-10
    weigh = torch.randn(fast.shape, generator=torch.Generator().manual_seed(2), dtype=fast.dtype)
    inputs = [x, *layer.parameters()]
    fast_grads = torch.autograd.grad((fast * weigh).sum(), inputs, allow_unused=True, materialize_grads=True)
    slow_grads = torch.autograd.grad((slow * weigh).sum(), inputs, allow_unused=True, materialize_grads=True)
    for a, b in zip(fast_grads, slow_grads):
        assert (a - b).abs().max() / b.abs().max().clamp(min=1) < 1e-10


@pytest.mark.parametrize("length", [1, 3, 8, 9, 21])
@pytest.mark.parametrize("setting", SETTINGS)
def test_chunked_layer_equals_the_token_loop(setting, length):
    agrees_with_the_loop(make(**SETTINGS[setting]), tokens(2, length).requires_grad_())


@pytest.mark.parametrize("reads", ["boundary", "before", "after"])
@pytest.mark.parametrize("architecture", [matrix, ResidualMLP])
@pytest.mark.parametrize("rule", [DeltaGradientDescent(), GradientDescent()], ids=["DGD", "GD"])
@pytest.mark.parametrize("objective", [L2(), DotProduct()], ids=["L2", "dot"])
def test_every_choice_with_every_other_equals_the_token_loop(objective, rule, architecture, reads):
    """Rates as large as they may be, at some tokens, so that the bounds are at work."""
    rest = itertools.product((PullToStart(), Decay(), KeepAll()), (own_answer, given, soft_answer))
    for index, (retention, learns) in enumerate(rest):
        adaptive = ((), SIX, SIX[:2])[(index + len(reads)) % 3]
        layer = make(
            4, 2, 3, chunks=((2, 4), (3, 3))[index % 2], momentum=index % 5 < 2, architecture=architecture, reads=reads,
            objective=objective, rule=rule, retention=retention, learns=learns, adaptive=adaptive,
        )  # fmt: skip
        torch.nn.init.constant_(layer.bias_eta, 2.0)
        agrees_with_the_loop(layer, tokens(1, 7, 4).requires_grad_())


@pytest.mark.parametrize("setting", SETTINGS)
def test_no_parameter_without_gradient(setting):
    layer = make(**SETTINGS[setting])
    layer(tokens(2, 24))[0].square().sum().backward()
    for name, parameter in layer.named_parameters():
        grad = parameter.grad
        assert grad is not None and grad.isfinite().all(), name
        if name.endswith(("w1", "w2", "w3")):  # every single memory's start, not just one of the group
            assert (grad.abs().amax((1, 2, 3)) > 0).all(), name
        assert grad.abs().max() > 0, name


@pytest.mark.parametrize("reads", ["boundary", "before", "after"])
@pytest.mark.parametrize("chunks", [(1, 1), (4, 8)])
def test_causal_and_remembering(chunks, reads):
    layer = make(chunks=chunks, reads=reads)
    x = tokens(1, 40)
    base = layer(x)[0]
    for t in (0, 3, 4, 15, 16, 20):
        changed = x.clone()
        changed[:, t] += 1.0
        moved = (layer(changed)[0] - base).abs().amax((0, 2))
        assert (moved[:t] == 0).all(), f"token {t} changed an earlier output"
        assert moved[t + 2 * chunks[1] :].max() > 1e-8, f"token {t} is forgotten two chunks later"


@pytest.mark.parametrize("reads", ["boundary", "before", "after"])
def test_whether_a_chunk_reads_itself(reads):
    """Without convolution, token t moves its own output; inside its chunk those after it only if they read there."""
    layer = make(chunks=(4, 8), reads=reads)
    with torch.no_grad():
        layer.convolution[..., :-1] = 0
    x = tokens(1, 16)
    changed = x.clone()
    changed[:, 8] += 1.0
    moved = (layer(changed)[0] - layer(x)[0]).abs().amax((0, 2))
    assert (moved[:8] == 0).all() and moved[8] > 0 and (moved[12:] > 0).all()
    assert ((moved[9:12] > 0) == (reads != "boundary")).all()


def test_the_newest_token_is_read_after_its_write_only():
    """With a query that does not change, the output at t moves with the key and value of t in one reading alone."""
    for reads, moves in (("boundary", False), ("before", False), ("after", True)):
        layer, x = make(chunks=(4, 8), reads=reads), tokens(1, 4)
        layer.w_q = torch.nn.Linear(12, 12).double()
        torch.nn.init.zeros_(layer.w_q.weight)  # the bias alone: one query for all tokens
        changed = x.clone()
        changed[:, 2] += 1.0
        moved = (layer(changed)[0] - layer(x)[0]).abs().amax((0, 2))
        assert (moved[2] > 1e-6) == moves and (moved[:2] == 0).all()


@pytest.mark.parametrize("momentum", [False, True])
def test_with_one_token_a_chunk_before_is_the_boundary_and_after_is_the_next_state(momentum):
    outputs = {}
    for reads in ("boundary", "before", "after"):
        layer = make(chunks=(1, 4), reads=reads, momentum=momentum)
        outputs[reads], state, _ = layer(tokens(2, 9))
    assert torch.equal(outputs["boundary"], outputs["before"])
    layer = make(chunks=(1, 4), momentum=momentum)
    x = tokens(2, 9)
    after = layer(x[:, :6])[1]
    queries = layer.inputs(x, layer.start(2, x.dtype).tail)[1]["q"]
    answer = layer.memory.read(after.memory.memory, unit(queries[:, :, 5:6]))[:, 0]
    expected = layer.w_out(layer.norm(answer).transpose(1, 2).flatten(2))
    assert (outputs["after"][:, 5:6] - expected).abs().max() < 1e-12


@pytest.mark.parametrize("setting", sorted(SETTINGS))
def test_two_calls_equal_one_at_every_split(setting):
    layer = make(**SETTINGS[setting])
    x = tokens(2, 20)
    whole, end, _ = layer(x)
    for split in range(1, 20):
        first, state, _ = layer(x[:, :split])
        second, last, _ = layer(x[:, split:], state)
        assert (torch.cat([first, second], 1) - whole).abs().max() < 1e-12
        assert last.position == end.position
        for a, b in zip(torch.utils._pytree.tree_leaves(last), torch.utils._pytree.tree_leaves(end)):
            assert a == b if isinstance(a, int) else (a.shape == b.shape and torch.allclose(a, b, atol=1e-12))


@pytest.mark.parametrize("setting", ["default", "dot product, after", "descent, after", "nothing adapts"])
def test_eta_scale_zero_freezes_every_memory(setting):
    layer = make(**SETTINGS[setting])
    layer.eta_scale = 0.0
    _, state, _ = layer(tokens(1, 32))
    for _, memories in groups(layer, state):
        for now, start in zip(memories.memory, memories.start):
            assert torch.equal(now, start)


@pytest.mark.parametrize("split", [None, 6, 11])
def test_report_has_fixed_shapes_and_costs_nothing_when_off(split):
    layer = make(chunks=(4, 8))
    x = tokens(2, 22)
    assert layer(x)[2] is None
    with probe.listen():
        state = None if split is None else layer(x[:, :split])[1]
        rest = x if split is None else x[:, split:]
        _, _, report = layer(rest, state)
        whole = layer(x)[2]
    length = rest.shape[1]
    for name in ("surprise", "eta", "alpha"):
        assert report[name].shape == (2, length) and not report[name].requires_grad
        assert torch.allclose(report[name], whole[name][:, -length:])
    assert (report["surprise"][:, -2:] == 0).all() and (report["surprise"][:, :-2] > 0).all()
    writes = {None: (5, 2), 6: (4, 2), 11: (3, 1)}[split]
    assert report["update/memory"].shape == report["norm/memory"].shape == (writes[0],)
    assert report["update/k"].shape == (writes[1],) and (report["update/k"] > 0).all()


def test_the_report_of_a_write_is_its_change_and_the_norm_after_it():
    layer, x = make(chunks=(4, 8)), tokens(2, 8)
    with probe.listen():
        _, after, report = layer(x)
        _, before, _ = layer(x[:, :4])

    def norm(weights):
        return sum(w.square().sum((-1, -2)) for w in weights).sqrt().mean((0, 2))

    change = norm([b - a for a, b in zip(before.memory.memory, after.memory.memory)])
    made = norm([b - a for a, b in zip(after.projections.start, after.projections.memory)])
    assert torch.allclose(report["update/memory"][1:], change.float())
    assert torch.allclose(report["norm/memory"][1:], norm(after.memory.memory).float())
    for index, name in enumerate(layer.projections.names):
        assert torch.allclose(report[f"update/{name}"], made[index].float())
        assert torch.allclose(report[f"norm/{name}"], norm(after.projections.memory)[index].float())


@pytest.mark.parametrize(
    "options, words",
    [
        (dict(dim=10, heads=3), "heads do not divide"),
        (dict(chunks=(16, 40)), "must divide"),
        (dict(chunks=(0, 4)), "must divide"),
        (dict(eta_max=0.6), "eta_max is 0.6: choose it above 0 and at most 0.5"),
        (dict(eta_max=2.1, objective=DotProduct(), architecture=matrix), "eta_max is 2.1: choose .* at most 2, .* DotProduct"),
        (dict(eta_max=0.6, objective=DotProduct()), "at most 0.5, .* DotProduct"),
        (dict(eta_max=1.1, rule=GradientDescent(), architecture=matrix), "eta_max is 1.1: choose it above 0 and at most 1,"),
        (dict(objective=Huber()), "no bound is known .* with Huber and DeltaGradientDescent: choose L2 or DotProduct"),
        (dict(rule=Oja()), "no bound is known .* with L2 and Oja"),
        (dict(retention="decay"), r"retention is 'decay': choose PullToStart\(\)"),
        (dict(learns=lambda read, v: 2 * v), "choose own_answer, soft_answer or given"),
        (dict(learns=given, narrow_rates=True), "cannot learn the value given"),
        (dict(adaptive="kv"), "adaptive is 'kv': give a tuple of some of k, v, eta, alpha, q"),
        (dict(adaptive=("k", "w")), "give a tuple of some of"),
        (dict(architecture=lambda width, hidden: DeepMLP((width, hidden))), "map 6 numbers to 5: .* both must be 6"),
        (dict(eta_max=0), "eta_max is 0: choose it above 0"),
        (dict(projections_share=2.0), "projections_share is 2.0: choose it between 0 and 1"),
        (dict(reads="now"), "choose one of boundary, before, after"),
    ],
)
def test_bad_sizes_get_one_sentence(options, words):
    with pytest.raises(ValueError, match=words):
        SelfModifyingTitans(**(dict(dim=12, heads=2, hidden=5) | options))


def test_no_token_and_a_state_of_another_dtype_get_one_sentence():
    layer = make()
    with pytest.raises(ValueError, match="at least one token"):
        layer(tokens(1, 0))
    with pytest.raises(ValueError, match=r"the state is torch.float32, but .* need torch.float64: start\(batch, torch.float64\)"):
        layer(tokens(1, 4), layer.start(1))
    assert torch.equal(layer(tokens(1, 4), layer.start(1, torch.float64))[0], layer(tokens(1, 4))[0])


def test_without_a_pull_memories_shrink_even_where_nothing_is_written():
    for pulled in (True, False):
        layer = make(retention=PullToStart() if pulled else Decay(), chunks=(4, 8))
        layer.eta_scale = layer.memory.eta_scale = 0.0
        state = layer(tokens(1, 16))[1]
        kept = torch.allclose(state.memory.memory[0], state.memory.start[0], rtol=0, atol=1e-12)
        assert kept == pulled


def test_a_rate_may_be_a_whole_number():
    found = []
    for eta_max in (1, 1.0):
        torch.manual_seed(0)
        layer = SelfModifyingTitans(12, 2, 5, (4, 8), rule=GradientDescent(), architecture=matrix, eta_max=eta_max)
        found.append(layer(tokens(2, 9, 12, dtype=torch.float32))[0])
    assert torch.equal(*found)
