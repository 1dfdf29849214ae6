"""Optimizers on several levels: ordinary training at period 1, the clock kept at any other."""

import contextlib
import copy

import pytest
import torch
from torch import nn

from nlcore import probe
from nlcore.clock import Clock
from nlcore.optim import Combined, LevelOptimizer, MultiscaleMomentumMuon, Muon


def network():
    torch.manual_seed(0)
    return nn.ModuleDict({name: nn.Linear(6, 6) for name in ("fast", "slow")})


def optimizer(net, periods):
    levels = {name: [{"params": list(net[name].parameters()), "weight_decay": 0.1}] for name in periods}
    return LevelOptimizer(levels, Clock(periods), lr=1e-2, clip=0.5)


MATRICES = {"Muon": Muon, "M3": lambda groups, lr: MultiscaleMomentumMuon(groups, lr, period=2)}


def mixed(net, periods, kind, lr_factor=1.0):
    """As `optimizer`, with biases by AdamW, and weights by one of MATRICES."""
    def make(groups, lr):
        return Combined(torch.optim.AdamW(groups[1:], lr, betas=(0.9, 0.95)), MATRICES[kind](groups[:1], lr))

    levels = {name: [{"params": [net[name].weight], "weight_decay": 0.1, "lr_factor": lr_factor},
                     {"params": [net[name].bias], "weight_decay": 0.0}] for name in periods}  # fmt: skip
    return LevelOptimizer(levels, Clock(periods), lr=1e-2, clip=0.5, make=make)


def backward(net, step):
    x = torch.randn(8, 6, generator=torch.Generator().manual_seed(step))
    (net["slow"](torch.tanh(net["fast"](x))) - x.flip(-1)).square().sum().backward()


def same(a, b):
    return all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters()))


def test_period_one_everywhere_is_bitwise_ordinary_training():
    ours, plain = network(), network()
    leveled = optimizer(ours, {"fast": 1, "slow": 1})
    adamw = torch.optim.AdamW(plain.parameters(), lr=1e-2, betas=(0.9, 0.95), weight_decay=0.1)
    for step in range(1, 21):
        backward(ours, step)
        leveled.step(step)
        backward(plain, step)
        nn.utils.clip_grad_norm_(plain.parameters(), 0.5)
        adamw.step()
        adamw.zero_grad()
        assert same(ours, plain), f"step {step}"


def test_a_slow_level_takes_the_mean_gradient_of_its_period_and_stands_still_between():
    net = network()
    leveled = optimizer(net, {"fast": 1, "slow": 4})
    slow = copy.deepcopy(net["slow"])
    adamw = torch.optim.AdamW(slow.parameters(), lr=1e-2, betas=(0.9, 0.95), weight_decay=0.1)
    gathered = [torch.zeros_like(p) for p in slow.parameters()]
    for step in range(1, 13):
        before = [None if p.grad is None else p.grad.clone() for p in net["slow"].parameters()]
        backward(net, step)
        for total, parameter, old in zip(gathered, net["slow"].parameters(), before):
            total += parameter.grad - (0 if old is None else old)
        fast_grads = [p.grad.clone() for p in net["fast"].parameters()]
        leveled.step(step)
        if step % 4 == 0:
            for parameter, total in zip(slow.parameters(), gathered):
                parameter.grad = total / 4
                total.zero_()
            nn.utils.clip_grad_norm_(fast_grads_as_parameters(fast_grads) + list(slow.parameters()), 0.5)
            adamw.step()
        for ours, theirs in zip(net["slow"].parameters(), slow.parameters()):
            assert torch.allclose(ours, theirs, atol=1e-6), f"step {step}"
            gradient_kept = ours.grad is not None
            assert gradient_kept == (step % 4 != 0)


def fast_grads_as_parameters(grads):
    made = [nn.Parameter(torch.zeros_like(g)) for g in grads]
    for parameter, grad in zip(made, grads):
        parameter.grad = grad
    return made


@pytest.mark.parametrize("listening", [False, True])
def test_a_level_never_moves_off_its_clock(listening):
    net = network()
    leveled = optimizer(net, {"fast": 2, "slow": 5})
    moved = {"fast": [], "slow": []}
    for step in range(1, 21):
        if step == 12:
            leveled.clock.set_period("slow", 3)
        before = copy.deepcopy(net)
        backward(net, step)
        with probe.listen() if listening else contextlib.nullcontext():
            leveled.step(step)
        for name in moved:
            if not same(net[name], before[name]):
                moved[name].append(step)
    assert moved == {"fast": list(range(2, 21, 2)), "slow": [5, 10, 13, 16, 19]}


@pytest.mark.parametrize("periods", [(1, 1), (1, 4), (2, 8)])
def test_a_step_updates_of_each_level_its_size_over_its_period_on_average(periods):
    """The cost of 7.1, counted: numbers that are others after a step."""
    net, updated = network(), 0
    leveled = optimizer(net, dict(zip(("fast", "slow"), periods)))
    for step in range(1, 17):
        before = [p.detach().clone() for p in net.parameters()]
        backward(net, step)
        leveled.step(step)
        updated += sum((p != old).sum().item() for p, old in zip(net.parameters(), before))
    assert updated / 16 == sum(42 / period for period in periods)


@pytest.mark.parametrize("kind", MATRICES)
def test_a_level_of_two_optimizers_steps_both_with_its_mean_gradient_and_its_rate(kind):
    net, twin = network(), network()
    leveled = mixed(net, {"fast": 1, "slow": 4}, kind, lr_factor=0.5)
    matrix, bias = MATRICES[kind]([{"params": [twin["slow"].weight], "weight_decay": 0.1}], 5e-3), torch.optim.AdamW(
        [twin["slow"].bias], lr=1e-2, betas=(0.9, 0.95), weight_decay=0.0)  # fmt: skip
    for step in range(1, 25):
        backward(net, step)
        if step % 4 == 0:
            used = [p for name in ("fast", "slow") for p in (net[name].bias, net[name].weight)]
            grads = [p.grad / (4 if p in set(net["slow"].parameters()) else 1) for p in used]
            parameters = fast_grads_as_parameters(grads)
            nn.utils.clip_grad_norm_(parameters, 0.5)
            twin["slow"].bias.grad, twin["slow"].weight.grad = (p.grad for p in parameters[2:])
            matrix.step()
            bias.step()
        leveled.step(step)
        for ours, theirs in zip(net["slow"].parameters(), twin["slow"].parameters()):
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", MATRICES)
def test_reports_know_the_memories_of_both_optimizers(kind):
    net = network()
    leveled = mixed(net, {"fast": 1, "slow": 2}, kind)
    for step in (1, 2):
        backward(net, step)
        with probe.listen():
            report = leveled.step(step)[1]["slow"]
    states = leveled.optimizers["slow"].state
    of_bias, of_matrix = states[net["slow"].bias], states[net["slow"].weight]
    first = [of_bias["exp_avg"], *(of_matrix[name] for name in ("momentum", "fast", "slow") if name in of_matrix)]
    second = [of_bias["exp_avg_sq"], *(of_matrix[name] for name in ("second_moment",) if name in of_matrix)]
    norms = [nn.utils.get_total_norm(some).item() for some in (first, second)]
    assert [report.moment_norm, report.second_moment_norm] == pytest.approx(norms)
    assert report.moment_update == pytest.approx(norms[0]) and report.lr == 1e-2  # its first firing


@pytest.mark.parametrize("kind", [None, *MATRICES])
def test_state_round_trip_in_the_middle_of_a_period_is_bitwise(tmp_path, kind):
    make = optimizer if kind is None else lambda net, periods: mixed(net, periods, kind)
    net = network()
    leveled = make(net, {"fast": 1, "slow": 4})
    for step in range(1, 7):
        backward(net, step)
        leveled.step(step)
    torch.save(leveled.state_dict(), tmp_path / "state")
    state, weights = torch.load(tmp_path / "state", weights_only=True), copy.deepcopy(net.state_dict())
    for step in range(7, 14):
        backward(net, step)
        leveled.step(step)
    for _ in range(2):  # a state may be loaded twice: training on must not write into it
        other = network()
        other.load_state_dict(weights)
        resumed = make(other, {"fast": 1, "slow": 4})
        resumed.load_state_dict(state)
        for step in range(7, 14):
            backward(other, step)
            resumed.step(step)
        assert same(net, other)


def test_a_copy_of_two_optimizers_as_one_goes_on_alone():
    net = network()
    leveled = mixed(net, {"fast": 1, "slow": 1}, "Muon")
    backward(net, 1)
    leveled.step(1)
    held, twin = copy.deepcopy((net, leveled))
    for model, one in ((net, leveled), (held, twin)):
        backward(model, 2)
        one.step(2)
    assert same(net, held) and not any(p is q for p, q in zip(net.parameters(), held.parameters()))


def test_levels_that_do_not_match_get_one_sentence():
    net = network()
    groups = [{"params": list(net.parameters())}]
    with pytest.raises(ValueError, match="the clock keeps the levels fast, but the optimizer has weights"):
        LevelOptimizer({"weights": groups}, Clock({"fast": 1}), lr=1e-2)
    other = LevelOptimizer({"weights": groups}, Clock({"weights": 1}), lr=1e-2)
    with pytest.raises(ValueError, match="the checkpoint keeps the levels fast, slow"):
        other.load_state_dict(optimizer(net, {"fast": 1, "slow": 4}).state_dict())


def test_a_level_with_scale_zero_does_not_move():
    net = network()
    leveled = optimizer(net, {"fast": 1, "slow": 1})
    leveled.scales["slow"] = 0.0
    before = copy.deepcopy(net)
    backward(net, 1)
    leveled.step(1)
    assert same(net["slow"], before["slow"]) and not same(net["fast"], before["fast"])


def test_reports_only_while_somebody_listens_and_measures_the_true_change():
    net = network()
    leveled = optimizer(net, {"fast": 1, "slow": 2})
    backward(net, 1)
    assert leveled.step(1, lr=0.0)[1] == {}  # "fast" fires, and stands still
    before = copy.deepcopy(net)
    backward(net, 2)
    with probe.listen():
        norm, reports = leveled.step(2)
    assert norm > 0 and (reports["fast"].firings, reports["slow"].firings) == (2, 1)
    for name, report in reports.items():
        change = sum((p - q).square().sum() for p, q in zip(net[name].parameters(), before[name].parameters())) ** 0.5
        assert report.update_norm == pytest.approx(change.item(), rel=1e-5)
        assert report.moment_norm > 0 and report.moment_update > 0
    assert (reports["fast"].lr, reports["slow"].lr) == (1e-2, 5e-3)
    backward(net, 3)
    with probe.listen():
        quiet = leveled.step(3)[1]["slow"]
    assert not quiet.firings and quiet.update_norm == 0 and quiet.gradient_norm > 0


@pytest.mark.parametrize("every", [1, 2, 7, 10, 380])
def test_no_firing_is_lost_however_rarely_somebody_listens(every):
    net, largest, counted = network(), [], 0
    leveled = optimizer(net, {"fast": 1, "slow": 16})
    for step in range(1, 381):
        backward(net, step)
        before = copy.deepcopy(net["slow"])
        with probe.listen() if step % every == 0 or step == 380 else contextlib.nullcontext():
            reports = leveled.step(step)[1]
        changes = [(p - q).detach() for p, q in zip(net["slow"].parameters(), before.parameters())]
        largest.append(nn.utils.get_total_norm(changes).item())
        if reports:
            counted += reports["slow"].firings
            assert reports["slow"].update_norm == pytest.approx(max(largest), rel=1e-5)
            assert (reports["slow"].moment_update > 0) == (reports["slow"].firings > 0)
            largest = []
    assert counted == 23


def test_a_period_changed_at_an_odd_step_still_shows_in_reports_at_even_ones():
    net, counted = network(), {}
    leveled = optimizer(net, {"fast": 1, "slow": 16})
    for step in range(1, 125):
        if step == 45:
            leveled.clock.set_period("slow", 8)
        backward(net, step)
        with probe.listen() if step % 2 == 0 else contextlib.nullcontext():
            reports = leveled.step(step)[1]
        if reports:
            counted[step] = reports["slow"].firings
    assert [step for step, count in counted.items() if count] == [16, 32, *range(46, 125, 8)]
    assert set(counted.values()) == {0, 1}


def test_what_was_counted_is_kept_through_a_state():
    nets = [network() for _ in range(2)]
    one, other = (optimizer(net, {"fast": 1, "slow": 4}) for net in nets)
    for step in range(1, 7):
        backward(nets[0], step)
        one.step(step, lr=step * 1e-3)
    nets[1].load_state_dict(nets[0].state_dict())
    other.load_state_dict(one.state_dict())
    reports = []
    for net, leveled in zip(nets, (one, other)):
        for step in (7, 8):
            backward(net, step)
            with probe.listen() if step == 8 else contextlib.nullcontext():
                found = leveled.step(step, lr=step * 1e-3)[1]
        reports.append(found)
    assert reports[0] == reports[1] and same(*nets)
    assert (reports[0]["fast"].firings, reports[0]["slow"].firings) == (8, 2)
    assert reports[0]["slow"].lr == pytest.approx((5 + 6 + 7 + 8) / 4 * 1e-3)


def rates_of_firings(leveled, net, rates):
    """The rate at which "slow" fires, by step."""
    found = {}
    for step, lr in enumerate(rates, 1):
        backward(net, step)
        leveled.step(step, lr)
        if leveled.clock.fired["slow"] == step:
            found[step] = leveled.optimizers["slow"].param_groups[0]["lr"]
    return found


def test_a_firing_takes_the_mean_of_the_rates_of_its_steps_so_that_every_level_warms_up():
    net = network()
    leveled = optimizer(net, {"fast": 1, "slow": 4})
    leveled.scales["slow"] = 2.0
    found = rates_of_firings(leveled, net, [1e-3, 2e-3, 3e-3, 4e-3, 5e-3, 5e-3, 5e-3, 5e-3])
    assert found == {4: pytest.approx(2 * 2.5e-3), 8: pytest.approx(2 * 5e-3)}


@pytest.mark.parametrize("power", [-0.5, 0.5])
def test_the_rate_of_a_level_depends_on_its_period_to_a_power(power):
    net = network()
    leveled = optimizer(net, {"fast": 1, "slow": 4})
    leveled.power = power
    assert rates_of_firings(leveled, net, [1e-3] * 4) == {4: pytest.approx(1e-3 * 4**power)}
    assert leveled.optimizers["fast"].param_groups[0]["lr"] == 1e-3


def test_a_period_made_shorter_fires_once_with_the_mean_of_all_that_waited():
    net = network()
    leveled = optimizer(net, {"fast": 1, "slow": 16})
    rates_of_firings(leveled, net, [1e-3] * 10)
    leveled.clock.set_period("slow", 2)
    backward(net, 11)
    leveled.step(11, 1e-3)
    assert leveled.optimizers["slow"].param_groups[0]["lr"] == pytest.approx(1e-3)


def test_a_flush_uses_what_is_left_with_the_part_of_the_period_that_it_waited():
    net = network()
    leveled = optimizer(net, {"fast": 1, "slow": 4})
    rates_of_firings(leveled, net, [1e-3] * 7)
    before, gathered = copy.deepcopy(net), [p.grad.clone() for p in net["slow"].parameters()]
    twin = copy.deepcopy(net["slow"])
    adamw = torch.optim.AdamW(twin.parameters(), lr=1e-3 * 3 / 4, betas=(0.9, 0.95), weight_decay=0.1)
    adamw.load_state_dict(copy.deepcopy(leveled.optimizers["slow"].state_dict()))
    adamw.param_groups[0]["lr"] = 1e-3 * 3 / 4
    for parameter, total in zip(twin.parameters(), gathered):
        parameter.grad = total / 3
    nn.utils.clip_grad_norm_(twin.parameters(), 0.5)
    adamw.step()
    leveled.flush(7)
    assert same(net["fast"], before["fast"]) and not same(net["slow"], before["slow"])
    assert all(torch.allclose(p, q, atol=1e-7) for p, q in zip(net["slow"].parameters(), twin.parameters()))
    after = copy.deepcopy(net)
    leveled.flush(7)
    assert same(net, after), "nothing is left to flush"
    assert leveled.clock.due(10) == ("fast",) and leveled.clock.due(11) == ("fast", "slow")


@pytest.mark.parametrize("steps", [(0, 1, 2), (1, 5, 6), (1, 2, 3)])
def test_the_mean_is_over_backward_passes_not_over_step_numbers(steps):
    weight = nn.Parameter(torch.zeros(1))
    leveled = LevelOptimizer({"level": [{"params": [weight]}]}, Clock({"level": 1}), lr=0.1, clip=100.0)
    norms = []
    for step in steps:
        (3 * weight).sum().backward()
        norms.append(leveled.step(step)[0].item())
    assert [norm for norm in norms if norm] == pytest.approx([3.0] * sum(step > 0 for step in steps))


def test_a_groups_own_rate_is_refused_rather_than_thrown_away():
    group = {"params": [nn.Parameter(torch.zeros(1))], "lr": 0.5}
    with pytest.raises(ValueError, match="level slow has a learning rate of its own"):
        LevelOptimizer({"slow": [group]}, Clock({"slow": 1}), lr=0.1)


def test_the_last_step_is_a_step_and_a_flush_and_its_reports_know_of_both():
    ends = []
    for last in (True, False):
        net = network()
        leveled = optimizer(net, {"fast": 1, "slow": 4})
        rates_of_firings(leveled, net, [1e-2] * 6)
        backward(net, 7)
        with probe.listen():
            _, reports = leveled.step(7, last=last)
        if last:
            assert reports["slow"].firings == 2 and reports["slow"].gradient_norm > 0  # at step 4 and now
        else:
            leveled.flush(7)
        assert leveled.clock.fired == {"fast": 7, "slow": 7} and leveled.calls == {"fast": 0, "slow": 0}
        ends.append(net)
    assert same(*ends)
