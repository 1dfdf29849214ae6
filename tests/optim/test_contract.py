"""What every optimizer of the course owes, whatever it remembers; `every.py` lists them."""

import copy
import math

import pytest
import torch

from nlcore import probe
from tests.optim.every import loss_at, same, small, train

FORGETFUL = ("delta gradient descent", "sign descent")  # their next step does not depend on their last


def test_the_loss_falls(make):
    model = small()
    losses = train(model, make(model), range(1, 301))
    assert sum(losses[-20:]) < 0.7 * sum(losses[:20])


def test_a_group_with_its_own_rate_moves_by_it(make):
    model = small()
    before = copy.deepcopy(model)
    groups = [{"params": model.inner.parameters(), "lr": 0.0, "weight_decay": 0.0}, {"params": model.outer.parameters()}]
    train(model, make(model, groups), range(1, 6))
    assert same(model.inner, before.inner) and same(model.filter, before.filter)
    assert not torch.equal(model.outer.weight, before.outer.weight)


def test_a_scheduler_steers_it(make):
    model = small()
    optimizer = make(model)
    lr = optimizer.param_groups[0]["lr"]
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5 if step == 0 else 0.0)
    assert optimizer.param_groups[0]["lr"] == lr / 2
    train(model, optimizer, [1])
    schedule.step()
    assert optimizer.param_groups[0]["lr"] == 0.0


def test_state_dict_continues_bitwise(make, tmp_path):
    model = small()
    optimizer = make(model)
    train(model, optimizer, range(1, 7))
    torch.save(optimizer.state_dict(), tmp_path / "state")
    weights = copy.deepcopy(model.state_dict())
    train(model, optimizer, range(7, 13))
    for _ in range(2):  # training on must not write into a state that was loaded
        other = small()
        other.load_state_dict(weights)
        resumed = make(other)
        resumed.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
        train(other, resumed, range(7, 13))
        assert same(model, other) and resumed.steps == optimizer.steps == 12


def test_what_it_remembers_matters(make, request):
    """A fresh memory goes elsewhere than the loaded one: the round trip above keeps something."""
    model = small()
    optimizer = make(model)
    train(model, optimizer, range(1, 7))
    other = copy.deepcopy(model)
    train(model, optimizer, [7])
    train(other, make(other), [7])
    assert same(model, other) == (request.node.callspec.params["make"] in FORGETFUL)


def test_a_closure_gives_its_loss_and_the_same_step(make):
    ours, plain = small(), small()
    stepped, optimizer = make(ours), make(plain)
    for step in range(1, 4):
        def closure():
            stepped.zero_grad()
            loss = loss_at(ours, step)
            loss.backward()
            return loss

        assert [stepped.step(closure).item()] == train(plain, optimizer, [step])
    assert same(ours, plain)


def test_parameters_without_gradient_stay(make):
    model = small()
    before = copy.deepcopy(model)
    optimizer = make(model)
    optimizer.step()
    assert same(model, before)
    model.outer(torch.ones(2, 8)).sum().backward()
    optimizer.step()
    assert same(model.inner, before.inner) and not same(model.outer, before.outer)


def test_sparse_gradients_get_one_sentence(make):
    model = small()
    optimizer = make(model)
    weight = model.inner.weight
    weight.grad = torch.zeros_like(weight).to_sparse()
    with pytest.raises(ValueError, match="sparse gradient.*SparseAdam"):
        optimizer.step()


def test_a_rate_below_zero_is_refused(make):
    model = small()
    with pytest.raises(ValueError, match="lr is -1"):
        make(model, [{"params": model.inner.parameters(), "lr": -1.0}])


def test_a_grad_scaler_changes_nothing_and_skips_overflow(make):
    scaled, plain = small(), small()
    ours, optimizer = make(scaled), make(plain)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=100)
    for step in range(1, 6):
        ours.zero_grad()
        scaler.scale(loss_at(scaled, step)).backward()
        scaler.step(ours)
        scaler.update()
    train(plain, optimizer, range(1, 6))
    assert same(scaled, plain)  # a scale that is a power of 2 rounds nothing
    scaled.outer.weight.grad.fill_(math.inf)
    scaler.scale(torch.zeros(()))
    scaler.step(ours)
    assert same(scaled, plain) and ours.steps == 5


def test_reports_the_true_change_and_only_when_asked(make):
    heard_one, plain = small(), small()
    ours, optimizer = make(heard_one), make(plain)
    train(heard_one, ours, range(1, 4), listening=True)
    train(plain, optimizer, range(1, 4))
    assert same(heard_one, plain)  # listening does not change the path
    before = copy.deepcopy(heard_one)
    with probe.listen() as heard:
        train(heard_one, ours, [4])
    (report,) = heard
    assert report.source == type(ours).__name__
    moved = [(p - q).detach().flatten() for p, q in zip(heard_one.parameters(), before.parameters())]
    assert report.figures["update_norm"].item() == pytest.approx(torch.cat(moved).norm().item(), rel=1e-4)
    assert all(value.isfinite() for value in report.figures.values())
    remembers = any(isinstance(kept, torch.Tensor) and kept.is_floating_point()
                    for memory in ours.state.values() for kept in memory.values())
    assert any(name.endswith("_update") for name in report.figures) == remembers


def test_the_first_step_that_is_not_finite_is_named(make):
    model = small()
    optimizer = make(model)
    train(model, optimizer, range(1, 3))
    assert optimizer.first_non_finite() is None
    optimizer.zero_grad()
    loss_at(model, 3).backward()
    model.inner.weight.grad[0, 0] = math.nan
    optimizer.step()
    train(model, optimizer, [4])
    assert optimizer.first_non_finite() == 3
    with pytest.raises(FloatingPointError, match="since step 3"):
        optimizer.state_dict()


def test_the_state_of_another_kind_is_one_sentence(make):
    model = small()
    other = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    train(model, other, [1])
    optimizer = make(model)
    with pytest.raises(ValueError, match="this state is not of an optimizer of this"):
        optimizer.load_state_dict(other.state_dict())
    assert not optimizer.state
