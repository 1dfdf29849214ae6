"""The X-ray's measuring: what changes when, by how much and from what, checked by hand; and all is left as it was."""

import copy
import math
import random
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nlcore.xray import xray

BATCH = torch.randn(8, 3), torch.randint(0, 2, (8,))


def mlp():
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))


def loops(found):
    assert found.stopped == ""
    return {loop.name: loop for loop in found.loops}


def levels(found):
    return [{loop.name for loop in level} for level in found.system.levels]


def kinds(found):
    return {(t.source, t.target): t.kind for t in found.system.transfers}


def training(model, optimizer, loss=F.cross_entropy):
    def step():
        optimizer.zero_grad()
        loss(model(BATCH[0]), BATCH[1]).backward()
        optimizer.step()

    return step


class EveryThird(torch.optim.SGD):
    """Gathers gradients, and steps at every third call."""

    calls = 0

    def step(self, closure=None):
        self.calls += 1
        return super().step(closure) if self.calls % 3 == 0 else None


class Functional(torch.optim.Optimizer):
    """Momentum that makes new tensors and puts them in the old ones' place."""

    def __init__(self, params):
        super().__init__(params, {"lr": 0.1})

    @torch.no_grad()
    def step(self, closure=None):
        for p in self.param_groups[0]["params"]:
            self.state[p]["m"] = 0.9 * self.state[p].get("m", torch.zeros_like(p)) + p.grad
            p -= 0.1 * self.state[p]["m"]


@pytest.mark.parametrize("form", [{}, {"foreach": True}, {"fused": True}])
def test_the_two_moments_of_adamw_share_a_level_and_the_weights_come_after_both(form):
    model = mlp()
    found = xray(model, torch.optim.AdamW(model.parameters(), **form), BATCH, F.cross_entropy)
    assert levels(found) == [{"exp_avg", "exp_avg_sq"}, {"weights"}]
    assert set(found.system.needs) == {("weights", "exp_avg"), ("weights", "exp_avg_sq")}
    row = loops(found)["exp_avg"]
    assert (row.frequency, row.period, row.context, row.rule) == (1, "every step", "gradients", "running mean")
    assert row.bytes == 4 * sum(p.numel() for p in model.parameters())
    assert kinds(found) == {(a, b): "generation" for a in ("exp_avg", "exp_avg_sq") for b in ("weights",)} | {
        ("weights", "exp_avg"): "generation", ("weights", "exp_avg_sq"): "generation"}


def test_momentum_lies_inside_the_weights_level_and_plain_descent_has_one():
    model = mlp()
    assert levels(xray(model, torch.optim.SGD(model.parameters(), 0.1), BATCH, F.cross_entropy)) == [{"weights"}]
    inside = xray(model, torch.optim.SGD(model.parameters(), 0.1, momentum=0.9), BATCH, F.cross_entropy)
    assert levels(inside) == [{"momentum_buffer"}, {"weights"}]


def test_what_an_optimizer_puts_in_the_place_of_the_old_is_followed_too():
    model = mlp()
    found = xray(model, Functional(model.parameters()), BATCH, F.cross_entropy)
    assert levels(found) == [{"m"}, {"weights"}]
    assert {loop.rule for loop in loops(found).values()} == {"unknown"}


def test_sizes_are_those_of_the_true_updates():
    model, other = (m := mlp()), copy.deepcopy(m)
    found = xray(model, torch.optim.SGD(model.parameters(), 0.1), BATCH, F.cross_entropy)
    step, sizes, norms = training(other, torch.optim.SGD(other.parameters(), 0.1)), [], []
    for _ in range(found.steps):
        before = nn.utils.parameters_to_vector(other.parameters()).detach().double()
        step()
        after = nn.utils.parameters_to_vector(other.parameters()).detach().double()
        sizes.append(float((after - before).norm()))
        norms.append(float(after.norm()))
    assert [row["update_norm"] for row in found.records] == pytest.approx(sizes, rel=1e-12)
    assert [row["weight_norm"] for row in found.records] == pytest.approx(norms, rel=1e-12)
    assert [row["writes"] for row in found.records] == [1] * found.steps == [1] * 4


def everything(model, optimizer):
    return {
        "numbers": {k: v.clone() for k, v in model.state_dict().items()},
        "grads": [None if p.grad is None else (id(p.grad), p.grad.clone()) for p in model.parameters()],
        "identities": [id(p) for p in model.parameters()] + [id(b) for b in model.buffers()],
        "optimizer": copy.deepcopy(optimizer.state_dict()),
        "groups": [id(group) for group in optimizer.param_groups],
        "hooks": [(len(m._forward_hooks), len(m._forward_pre_hooks), len(m._forward_hooks_with_kwargs)) for m in model.modules()]
        + [len(optimizer._optimizer_step_post_hooks)],
        "training": [m.training for m in model.modules()],
        "own": [getattr(model, "seen", None), getattr(optimizer, "calls", None)],
        "random": (torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()),
        "dtype": torch.get_default_dtype(),
    }


def same(a, b):
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return (a == b).all()
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


@pytest.mark.parametrize("ends", [None, RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize(("kind", "trained"), [(torch.optim.AdamW, False), (torch.optim.AdamW, True), (EveryThird, True)])
def test_all_is_left_as_it_was_found(kind, ends, trained):
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout(), nn.Linear(4, 2))
    model.seen = 7
    model[1].eval()
    model[0].weight.register_hook(lambda grad: grad)
    model.register_forward_hook(lambda *_: None)
    optimizer = kind(model.parameters(), lr=0.1)
    ordinary = training(model, optimizer)
    if trained:
        ordinary()
    before, calls = everything(model, optimizer), []

    def step():
        model.train()
        model.seen += 1
        model[1].running_mean = model[1].running_mean + 1  # replaced, not written
        np.random.rand(), random.random(), torch.rand(3)
        torch.set_default_dtype(torch.float64)
        ordinary()
        torch.set_default_dtype(torch.float32)
        calls.append(1)
        if ends and len(calls) == 2:
            torch.set_default_dtype(torch.float64)
            raise ends("enough")

    if ends is KeyboardInterrupt:
        with pytest.raises(KeyboardInterrupt):
            xray(step, model, optimizer)
    else:
        found = xray(step, model, optimizer)
        assert found.stopped == ("" if ends is None else "Step 2 failed: RuntimeError: enough")
    after = everything(model, optimizer)
    assert [key for key in before if not same(before[key], after[key])] == []


def test_training_goes_on_bitwise_as_without_an_xray():
    model = mlp()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    training(model, optimizer)()
    other, _ = copied = copy.deepcopy((model, optimizer))
    xray(model, optimizer, BATCH, F.cross_entropy)
    for pair in ((model, optimizer), copied):
        training(*pair)()
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters()))


def test_an_optimizer_that_steps_every_third_call():
    model = mlp()
    row = loops(xray(model, EveryThird(model.parameters(), lr=0.1, momentum=0.9), BATCH, F.cross_entropy))["weights"]
    assert (row.frequency, row.period, row.rule) == (Fraction(1, 3), "every 3 steps", "unknown")


def test_steps_go_on_until_the_slowest_was_seen_twice_and_no_further_than_asked():
    model = mlp()
    optimizer = EveryThird(model.parameters(), lr=0.1)
    assert xray(model, optimizer, BATCH, F.cross_entropy).steps == 6
    short = xray(model, optimizer, BATCH, F.cross_entropy, most=2)
    assert (short.steps, loops(short)["weights"].period) == (2, "not seen to change in 2 steps")
    assert loops(xray(model, optimizer, BATCH, F.cross_entropy, most=4))["weights"].period == "1 time in 4 steps"


def test_an_irregular_rhythm_is_told_and_not_called_a_period():
    model, steps = mlp(), iter([True, True, False, True, False, False, False, True, True])
    optimizer = torch.optim.SGD(model.parameters(), 0.1)
    ordinary = training(model, optimizer)
    row = loops(xray(lambda: ordinary() if next(steps) else None, model, optimizer, most=9))["weights"]
    assert row.frequency == Fraction(3, 4) and row.period == "3 times in 4 steps"


def test_running_means_change_with_each_forward_pass_and_nobody_reads_them_in_training():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    optimizer = torch.optim.AdamW(model.parameters())
    step = training(model, optimizer)

    def twice():
        model(BATCH[0])
        step()

    rows = loops(found := xray(twice, model, optimizer))
    assert rows["running_mean"].period == "2 times a step" and rows["weights"].period == "every step"
    assert kinds(found)["weights", "running_var"] == "generation"
    assert not any("running" in t.source for t in found.system.transfers)
    assert levels(found)[0] == {"running_mean", "running_var"}
    model.eval()
    rows = loops(found := xray(step, model, optimizer))
    assert rows["fixed buffers"].frequency == 0 and kinds(found)["fixed buffers", "weights"] == "parametric"


def test_a_bias_before_batch_norm_is_seen_to_learn_nothing():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    rows = loops(xray(model, torch.optim.SGD(model.parameters(), 1e-3), BATCH, F.cross_entropy, most=5))
    assert rows["weights, not seen to change in 5 steps"].state == "0.bias"


def test_frozen_parameters_are_the_slowest_level_and_are_read_as_they_are():
    model = mlp()
    model[0].requires_grad_(False)
    found = xray(model, torch.optim.AdamW(model[2].parameters()), BATCH, F.cross_entropy)
    assert levels(found) == [{"exp_avg", "exp_avg_sq"}, {"weights"}, {"weights without optimizer"}]
    row = loops(found)["weights without optimizer"]
    assert (row.frequency, row.rule, row.bytes) == (0, "none: nothing updates it", 64)
    assert kinds(found)["weights without optimizer", "weights"] == "parametric"


def test_two_rates_in_one_flow_of_gradient_hand_on_by_backpropagation():
    model = mlp()
    optimizers = {"fast": torch.optim.AdamW(model[0].parameters()), "slow": EveryThird(model[2].parameters(), lr=0.1)}

    def step():
        F.cross_entropy(model(BATCH[0]), BATCH[1]).backward()
        for optimizer in optimizers.values():
            optimizer.step()
        optimizers["fast"].zero_grad()

    found = xray(step, model, optimizers)
    assert levels(found)[-2:] == [{"weights of fast"}, {"weights of slow"}]
    assert kinds(found)["weights of slow", "weights of fast"] == kinds(found)["weights of fast", "weights of slow"] == "backpropagation"


def test_a_running_copy_of_the_weights_needs_them_at_the_same_instant():
    model = mlp()
    optimizer, mean = torch.optim.SGD(model.parameters(), 0.1), torch.optim.swa_utils.AveragedModel(
        model, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.9), use_buffers=False)
    ordinary = training(model, optimizer)

    def step():
        ordinary()
        mean.update_parameters(model)

    found = xray(step, {"model": model, "mean": mean}, optimizer)
    assert levels(found) == [{"weights"}, {"weights without optimizer"}]
    assert kinds(found) == {("weights", "weights without optimizer"): "generation"}


def test_a_failing_forward_pass_is_told_with_its_place_beside_what_was_reached():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Sequential(nn.Linear(5, 2)))
    found = xray(model, torch.optim.SGD(model.parameters(), 0.1), BATCH, F.cross_entropy)
    assert found.stopped.startswith("Step 1 failed in the forward pass of 2.0: RuntimeError: mat1 and mat2")
    rows = {loop.name: loop for loop in found.loops}
    assert rows["running_mean"].period == "every step" and rows["weights"].period == "not seen to change in 1 step"
    assert found.stopped in found.text()


def test_on_meta_frequency_is_declared_and_says_so():
    with torch.device("meta"):
        model = mlp()
        batch = torch.empty(8, 3), torch.empty(8, dtype=torch.int64)
    found = xray(model, torch.optim.AdamW(model.parameters()), batch, F.cross_entropy)
    assert found.steps == 1 and {loop.period for loop in loops(found).values()} == {"every step (declared)"}
    assert loops(found)["weights"].bytes == 4 * sum(p.numel() for p in model.parameters())


def test_the_table_has_a_row_a_loop_and_is_the_same_in_a_notebook():
    model = mlp()
    found = xray(model, torch.optim.AdamW(model.parameters()), BATCH, F.cross_entropy)
    lines = found.text().splitlines()
    assert len({len(line) for line in lines[:5]}) == 1
    assert [cell.strip() for cell in lines[0].strip("|").split("|")] == [
        "level", "loop", "state", "objective", "rule", "period", "bytes", "context", "hands its knowledge to"]
    assert lines[2].startswith("| 2     | exp_avg") and "weights (generation)" in lines[2]
    assert found._repr_markdown_() == str(found) == found.text()


def test_records_are_those_of_a_level_score():
    score = pytest.importorskip("nlcore.viz.score")
    model = mlp()
    roll = score.level_score(xray(model, EveryThird(model.parameters(), lr=0.1), BATCH, F.cross_entropy).records)
    assert roll.levels == ("weights",) and roll.writes.tolist() == [[0, 0, 1, 0, 0, 1]]
    assert roll.periods == {"weights": (3, "steps")} and (roll.size[0, [2, 5]] > 0).all() and math.isnan(roll.size[0, 0])


@pytest.mark.parametrize(("given", "said"), [
    ((1, 2), r"xray got 2 arguments: give \(step, modules, optimizers\)"),
    ((3, mlp(), []), "step is 3: give a function without arguments"),
    ((print, [], []), "there are no modules"),
    ((print, mlp(), "Adam"), "optimizers is 'Adam': give a torch Optimizer"),
    ((print, [1], []), r"modules is \[1\]: give a torch Module"),
    ((print, nn.LazyLinear(3), []), "LazyLinear has parameters without a size: call it once"),
])
def test_bad_input_is_one_sentence(given, said):
    with pytest.raises(ValueError, match=f"^{said}"):
        xray(*given)


def test_a_bad_bound_is_one_sentence():
    with pytest.raises(ValueError, match="most is 0: give a whole number"):
        xray(print, mlp(), [], most=0)
