"""Each class is an ordinary torch optimizer: what torch's own tests (test/test_optim.py) ask of theirs, asked of ours."""

import copy
import inspect
import io
import math
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict, set_optimizer_state_dict
from torch.optim.lr_scheduler import CyclicLR, LambdaLR, OneCycleLR

from nlcore.optim import Adam, Momentum, base
from tests.optim.every import loss_at, same, small, train


@pytest.fixture
def kind(make):
    """The optimizer's class."""
    return type(make(small()))


def by_hand(make, shape=(4, 3), dtype=torch.float32, **settings):
    """One parameter whose gradient is set by hand, and its optimizer."""
    model = nn.Module()
    values = torch.linspace(-1, 1, max(1, math.prod(shape)))[: math.prod(shape)]
    model.weight = nn.Parameter(values.view(shape).to(dtype))
    return model.weight, make(model, [{"params": [model.weight]} | settings])


def gradient(like, step):
    drawn = torch.randn(like.shape, generator=torch.Generator().manual_seed(step))
    return drawn.to(like.dtype)


def test_no_copy_moves_the_original(make):
    for through in (copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))):
        model = small()
        optimizer = make(model)
        train(model, optimizer, range(1, 4))
        LambdaLR(optimizer, lambda step: 1.0)  # it wraps the original's step
        optimizer.register_step_post_hook(_forbidden)
        optimizer.zero_grad()
        before = copy.deepcopy(model)
        other, its = through((model, optimizer))
        train(other, its, range(4, 6))
        assert same(model, before) and not same(other, before)
        assert its.steps == 5 and optimizer.steps == 3
        optimizer._optimizer_step_post_hooks.clear()
        train(model, optimizer, range(4, 6))
        assert same(model, other)


def _forbidden(*_):
    pytest.fail("a hook of the original was called for its copy")


def test_a_refused_group_leaves_nothing_behind(make):
    model = small()
    extra = nn.Parameter(torch.ones(3, 2))
    optimizer = make(model)
    with pytest.raises(ValueError, match="lr is -1"):
        optimizer.add_param_group({"params": [extra], "lr": -1.0})
    assert len(optimizer.param_groups) == 1
    extra.grad = torch.ones_like(extra)
    optimizer.step()
    assert extra.eq(1).all()
    optimizer.add_param_group({"params": [extra], "lr": 0.1})
    optimizer.step()
    optimizer.step()  # the first step of Deep Momentum only learns
    assert extra.ne(1).any()


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf, "x", None, torch.tensor(-1.0), torch.ones(2), 1j])
def test_what_is_no_rate_is_refused_in_one_sentence(make, wrong):
    model = small()
    optimizer = make(model)
    numbers = optimizer.defaults.keys() - set(optimizer.choices)
    assert "lr" in numbers
    for name in numbers:
        value = (wrong,) * optimizer.decays[name] if optimizer.decays.get(name, 1) > 1 else wrong
        with pytest.raises(ValueError, match=" is .*give|below 1"):
            optimizer.add_param_group({"params": [nn.Parameter(torch.ones(3, 2))], name: value})
    assert len(optimizer.param_groups) == 1


def test_numbers_may_be_tensors_or_numpys(make):
    weights = []
    for form in (float, lambda value: torch.tensor(value, dtype=torch.float64), np.float64):
        more = {"betas": tuple(map(form, betas)) for betas in [make(small()).defaults.get("betas")] if betas}
        weight, optimizer = by_hand(make, lr=form(0.03125), **more)
        for step in range(4):
            weight.grad = gradient(weight, step)
            optimizer.step()
        weights.append(weight.detach())
        torch.load(_saved(optimizer.state_dict()), weights_only=True)
    assert torch.equal(weights[0], weights[1]) and torch.equal(weights[0], weights[2])


def test_many_parameters_at_once_take_the_steps_of_each_alone(make, monkeypatch):
    alone, together = small(), small()
    train(alone, make(alone), range(1, 7))
    monkeypatch.setattr(base, "_together", lambda params: [params])  # as on an accelerator
    train(together, make(together), range(1, 7))
    assert all(torch.allclose(p, q, rtol=1e-5, atol=1e-6) for p, q in zip(alone.parameters(), together.parameters()))


def test_a_state_from_before_a_setting_loads(make):
    model = small()
    optimizer = make(model)
    train(model, optimizer, range(1, 4))
    state = copy.deepcopy(optimizer.state_dict())
    for group in state["param_groups"]:
        del group["maximize"]
        for letter, name in optimizer.torch_names.items():
            group[letter] = group.pop(name)
    weights = copy.deepcopy(model)
    resumed = make(weights)
    resumed.load_state_dict(state)
    assert resumed.param_groups[0].keys() == optimizer.param_groups[0].keys()
    train(model, optimizer, range(4, 7))
    train(weights, resumed, range(4, 7))
    assert same(model, weights)


def _saved(state):
    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return file


def test_schedulers_steer_the_momentum(make):
    model = small()
    for schedule in (lambda optimizer, cycles: OneCycleLR(optimizer, max_lr=0.01, total_steps=9, cycle_momentum=cycles),
                     lambda optimizer, cycles: CyclicLR(optimizer, 0.001, 0.01, 4, cycle_momentum=cycles)):
        optimizer = make(model)
        cycles = bool({"momentum", "betas"} & optimizer.defaults.keys())
        scheduler, seen = schedule(optimizer, cycles), set()
        for step in range(1, 9):
            train(model, optimizer, [step])
            scheduler.step()
            group = optimizer.param_groups[0]
            seen.add(group["momentum"] if "momentum" in group else group.get("betas", (0,))[0])
        assert (len(seen) > 2) == cycles
        assert all(p.isfinite().all() for p in model.parameters())


def test_the_momentum_that_is_steered_is_the_one_that_is_read():
    by_letter, by_name = (by_hand(lambda _, groups: Momentum(groups, lr=0.1), **{name: 0.5}) for name in ("alpha", "momentum"))
    plain = by_hand(lambda _, groups: Momentum(groups, lr=0.1, alpha=0.5))
    for weight, optimizer in (by_letter, by_name, plain):
        for step in range(3):
            weight.grad = gradient(weight, step)
            optimizer.step()
    assert torch.equal(by_letter[0], plain[0]) and torch.equal(by_name[0], plain[0])
    with pytest.raises(ValueError, match="alpha is -1"):
        Momentum([plain[0]], alpha=-1.0)


@pytest.mark.parametrize("form", ["strict", "flatten_optimizer_state_dict", "full_state_dict"])
def test_torchs_distributed_state_goes_round(make, form):
    model = small()
    optimizer = make(model)
    train(model, optimizer, range(1, 4))
    if form == "full_state_dict" and not any(isinstance(v, torch.Tensor) for m in optimizer.state.values() for v in m.values()):
        pytest.skip("torch asks for a tensor in the state, of torch.optim.SGD without momentum too")
    options = StateDictOptions(**{form: True})
    state = copy.deepcopy(get_optimizer_state_dict(model, optimizer, options=options))
    assert "steps" not in state
    other = copy.deepcopy(model)
    resumed = make(other)
    other.zero_grad()
    set_optimizer_state_dict(other, resumed, state, options=options)
    train(model, optimizer, range(4, 7))
    train(other, resumed, range(4, 7))
    assert same(model, other) and resumed.steps == optimizer.steps == 6


def test_autocast_does_not_reach_into_a_step(make):
    inside, outside = small(), small()
    ours, plain = make(inside), make(outside)
    for step in range(1, 5):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            ours.zero_grad()
            loss_at(inside, step).backward()
            ours.step()
            assert torch.is_autocast_enabled("cpu")
        with torch.autocast("cpu", dtype=torch.bfloat16):
            plain.zero_grad()
            loss_at(outside, step).backward()
        plain.step()
        assert same(inside, outside)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halves_take_the_step_of_float32_rounded(make, dtype):
    weight, optimizer = by_hand(make, dtype=dtype)
    wide, its = by_hand(make, dtype=torch.float32)
    for step in range(6):
        with torch.no_grad():
            wide.copy_(weight)
        weight.grad = gradient(weight, step) * 2.0 ** (8 - 6 * step)  # its square leaves the range of float16
        wide.grad = weight.grad.float()
        optimizer.step()
        its.step()
        assert torch.equal(weight, wide.to(dtype)) and weight.isfinite().all()
        state = torch.load(_saved(optimizer.state_dict()), weights_only=True)
        optimizer.load_state_dict(state)  # keeps the float32 memories


def test_a_parameter_without_numbers_changes_nothing(make):
    for shape in ((0, 5), (5, 0)):
        alone, beside = by_hand(make), by_hand(make)
        empty = nn.Parameter(torch.zeros(shape))
        beside[1].add_param_group({"params": [empty]})
        for step in range(3):
            for weight, optimizer in (alone, beside):
                weight.grad, empty.grad = gradient(weight, step), torch.zeros(shape)
                optimizer.step()
        assert torch.equal(alone[0], beside[0])
        assert beside[1].first_non_finite() is None


def test_to_maximize_is_to_go_up(make, kind):
    assert "maximize" in inspect.signature(kind).parameters
    up, down = by_hand(make, maximize=True), by_hand(make)
    for step in range(4):
        up[0].grad, down[0].grad = gradient(up[0], step), -gradient(up[0], step)
        for _, optimizer in (up, down):
            optimizer.step()
        assert torch.equal(up[0], down[0])
    assert torch.equal(up[0].grad, gradient(up[0], 3))


def test_gradients_are_never_written_to(make):
    model = small()
    optimizer = make(model)
    for step in range(1, 9):
        optimizer.zero_grad()
        loss_at(model, step).backward()
        before = [p.grad.clone() for p in model.parameters()]
        optimizer.step()
        assert all(torch.equal(p.grad, b) for p, b in zip(model.parameters(), before))


def test_the_layout_of_a_parameter_does_not_matter(make):
    plain, turned = by_hand(make), by_hand(make)
    turned[0].data = turned[0].data.mT.contiguous().mT
    assert not turned[0].is_contiguous()
    for step in range(4):
        for weight, optimizer in (plain, turned):
            weight.grad = gradient(weight, step)
            optimizer.step()
    assert torch.allclose(plain[0], turned[0], rtol=1e-5, atol=1e-6)


def test_a_state_of_other_shapes_is_one_sentence_and_changes_nothing(make):
    weight, optimizer = by_hand(make, shape=(4, 3))
    weight.grad = gradient(weight, 0)
    optimizer.step()
    state = optimizer.state_dict()
    if not any(isinstance(value, torch.Tensor) and value.ndim for value in state["state"][0].values()):
        pytest.skip("it remembers nothing that has a size")
    other, its = by_hand(make, shape=(5, 7), lr=0.5)
    with pytest.raises(ValueError, match=r"of other parameters.*\[5, 7\]"):
        its.load_state_dict(state)
    assert not its.state and its.param_groups[0]["lr"] == 0.5 and its.steps == 0


def test_a_loaded_state_is_not_shared(make):
    weight, optimizer = by_hand(make)
    weight.grad = gradient(weight, 0)
    optimizer.step()
    state = optimizer.state_dict()
    kept = copy.deepcopy(state["state"][0])
    other, its = by_hand(make)
    its.load_state_dict(state)
    for step in range(5):
        other.grad = gradient(other, step)
        its.step()
    assert all(torch.equal(torch.as_tensor(state["state"][0][name]), torch.as_tensor(kept[name])) for name in kept)


def test_hooks_are_called_and_may_change_a_state(make):
    weight, optimizer = by_hand(make)
    called = []
    optimizer.register_step_pre_hook(lambda *_: called.append("before"))
    optimizer.register_step_post_hook(lambda *_: called.append("after"))
    weight.grad = gradient(weight, 0)
    optimizer.step()
    assert called == ["before", "after"]
    its = by_hand(make)[1]
    its.register_load_state_dict_pre_hook(lambda _, state: state | {"steps": 7})
    its.load_state_dict(optimizer.state_dict())
    assert its.steps == 7


def test_names_of_parameters_are_kept(make):
    model = small()
    named = [(name, p) for name, p in model.named_parameters() if p.ndim == 2]
    optimizer = make(model, [{"params": named}])
    assert optimizer.state_dict()["param_groups"][0]["param_names"] == ["inner.weight", "outer.weight"]
    train(model, optimizer, [1, 2])


def test_a_step_that_is_refused_is_not_counted(make):
    weight, optimizer = by_hand(make)
    weight.grad = torch.ones_like(weight).to_sparse()
    with pytest.raises(ValueError, match="sparse gradient"):
        optimizer.step()
    assert optimizer.steps == 0 and not optimizer.state


def test_what_torch_offers_and_this_does_not_is_named(kind):
    assert all(word in kind.__doc__ for word in ("ot offered", "foreach", "differentiable")) or kind.__bases__ == (Adam,)


@pytest.mark.parametrize("betas", [(0.9,), 0.9, (0.9, 0.99, 0.999), (0.9, 1.0), ()])
def test_betas_come_in_the_right_number(betas):
    with pytest.raises(ValueError, match="betas is .*2 numbers"):
        Adam([nn.Parameter(torch.ones(2))], betas=betas)
