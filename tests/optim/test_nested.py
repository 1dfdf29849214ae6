"""Nested levels: a child restarts from its start exactly when its parent fires, and the parent learns the start."""

import copy

import pytest
import torch
from torch import nn

from nlcore import probe
from nlcore.clock import Clock
from nlcore.optim import LevelOptimizer, NestedLevelOptimizer

NAMES = ("fast", "middle", "slow")
PARENTS = {"fast": "middle", "middle": "slow"}


def network():
    torch.manual_seed(0)
    return nn.ModuleDict({name: nn.Linear(6, 6, dtype=torch.double) for name in NAMES})


def groups_of(net):
    return {
        name: [{"params": [net[name].weight], "weight_decay": 0.1}, {"params": [net[name].bias], "weight_decay": 0.0}]
        for name in NAMES
    }


def nested(net, periods, clip=0.5, parents=PARENTS):
    return NestedLevelOptimizer(groups_of(net), Clock(dict(zip(NAMES, periods))), 1e-2, clip=clip, parents=parents)


def backward(net, step):
    x = torch.randn(8, 6, generator=torch.Generator().manual_seed(step), dtype=torch.double)
    y = net["slow"](torch.tanh(net["middle"](torch.tanh(net["fast"](x)))))
    (y - x.flip(-1)).square().sum().backward()


def flat(tensors):
    return torch.cat([x.detach().flatten() for x in tensors])


class Plain:
    """Eq. 71 and 72 as a plain loop: sums of gradients, an AdamW for each level and one for each start."""

    def __init__(self, net, periods, clip):
        self.net, self.periods, self.clip = net, dict(zip(NAMES, periods)), clip
        self.start = {name: copy.deepcopy(net[name]) for name in PARENTS}
        self.adam = {name: self.adamw(net[name]) for name in NAMES}
        self.start_adam = {name: self.adamw(start) for name, start in self.start.items()}
        modules = [*net.values(), *self.start.values()]
        self.sums = {p: torch.zeros_like(p) for module in modules for p in module.parameters()}

    @staticmethod
    def adamw(module):
        return torch.optim.AdamW(
            [{"params": [module.weight], "weight_decay": 0.1}, {"params": [module.bias], "weight_decay": 0.0}],
            lr=1e-2, betas=(0.9, 0.95),
        )  # fmt: skip

    def step(self, step):
        for name in NAMES:
            for i, p in enumerate(self.net[name].parameters()):
                self.sums[p] += p.grad
                if name in self.start:
                    self.sums[list(self.start[name].parameters())[i]] += p.grad
                p.grad = None
        due = [name for name in NAMES if step % self.periods[name] == 0]
        used = []
        for name in due:
            modules = [self.net[name], *(self.start[c] for c, parent in PARENTS.items() if parent == name)]
            for p in (p for module in modules for p in module.parameters()):
                p.grad = self.sums[p] / self.periods[name]
                self.sums[p].zero_()
                used.append(p)
        nn.utils.clip_grad_norm_(used, self.clip)
        for name in due:
            self.adam[name].step()
            for child in (c for c, parent in PARENTS.items() if parent == name):
                self.start_adam[child].step()
        for child in (c for c, parent in PARENTS.items() if parent in due):
            self.net[child].load_state_dict(self.start[child].state_dict())
            self.adam[child] = self.adamw(self.net[child])
        for p in used:
            p.grad = None


@pytest.mark.parametrize("clip", [0.5, 1e9])
@pytest.mark.parametrize("periods", [(1, 4, 12), (2, 4, 4), (1, 1, 3)])
def test_it_is_the_plain_loop(periods, clip):
    ours, theirs = network(), network()
    optimizer, plain = nested(ours, periods, clip), Plain(theirs, periods, clip)
    for step in range(1, 31):
        backward(ours, step)
        optimizer.step(step)
        backward(theirs, step)
        plain.step(step)
        for name in NAMES:
            one, other = (flat(net[name].parameters()) for net in (ours, theirs))
            torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_a_level_restarts_exactly_at_its_parents_period_and_its_start_moves_there_alone():
    net = network()
    optimizer = nested(net, (1, 4, 12))
    for step in range(1, 37):
        before = {name: flat(starts) for name, starts in optimizer.starts.items()}
        backward(net, step)
        optimizer.step(step)
        for child, period, parents in (("fast", 1, 4), ("middle", 4, 12)):
            start, restarted = flat(optimizer.starts[child]), step % parents < period  # and has not moved since
            assert torch.equal(flat(optimizer.own[child]), start) == restarted, (child, step)
            assert torch.equal(start, before[child]) == (step % parents != 0), (child, step)


def test_period_one_everywhere_is_ordinary_training():
    ours, theirs = network(), network()
    optimizer = nested(ours, (1, 1, 1), clip=1e9)
    plain = LevelOptimizer(groups_of(theirs), Clock(dict.fromkeys(NAMES, 1)), 1e-2, clip=1e9)
    for step in range(1, 21):
        for net, one in ((ours, optimizer), (theirs, plain)):
            backward(net, step)
            one.step(step)
    assert all(torch.equal(p, q) for p, q in zip(ours.parameters(), theirs.parameters()))


def test_a_period_that_does_not_divide_its_parents_ends_with_it():
    """Ceil(5 / 2) = 3 steps of the child in five: at 2, 4 and 5."""
    net = network()
    optimizer = nested(net, (2, 5, 10))
    fired = []
    for step in range(1, 11):
        backward(net, step)
        optimizer.step(step)
        fired += [step] * (optimizer.clock.fired["fast"] == step)
    assert fired == [2, 4, 5, 7, 9, 10]


def test_the_gradient_of_a_start_is_that_of_its_childs_losses_to_first_order():
    """With a child whose steps are made vanishingly small, that is the gradient itself."""
    net = network()
    optimizer = nested(net, (1, 3, 3), clip=1e9, parents={"fast": "middle"})
    optimizer.scales["fast"] = 0.0
    still, seen = copy.deepcopy(net), []
    for step in (1, 2):
        backward(still, step)
        seen.append(flat(p.grad for p in still["fast"].parameters()))
        still.zero_grad()
        backward(net, step)
        optimizer.step(step)
    gathered = flat(start.grad for start in optimizer.starts["fast"])
    torch.testing.assert_close(gathered, sum(seen), rtol=0, atol=1e-12)


@pytest.mark.parametrize("period, slowly, comes_back", [(16, 0.3, True), (1, 1.0, False)])
def test_what_a_level_has_forgotten_comes_back_when_it_restarts(period, slowly, comes_back):
    """7.1: home for long, a short visit where the opposite is right, and home again, where nobody learns any more."""
    net = nn.ModuleDict({name: nn.Linear(6, 6, bias=False, dtype=torch.double) for name in ("fast", "slow")})
    groups = {name: [{"params": [net[name].weight], "weight_decay": 0.0}] for name in net}
    clock = Clock({"fast": 1, "slow": period})
    optimizer = NestedLevelOptimizer(groups, clock, 0.05, parents={"fast": "slow"})
    home = 0.3 * torch.randn(6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.double).sign()
    optimizer.scales["slow"] = slowly

    def off():
        return (net["fast"].weight - home).square().mean().item()

    for step in range(1, 641):
        (net["fast"].weight - home).square().mean().backward()
        optimizer.step(step)
    knew = off()
    for step in range(641, 656):  # one step short of the slow level's period
        (net["fast"].weight + home).square().mean().backward()
        optimizer.step(step)
    forgot = off()
    (0 * net["fast"].weight).sum().backward()
    optimizer.step(656)
    assert knew < 0.05 and forgot > 0.3
    assert (off() < 0.2 * forgot) == comes_back


def test_state_round_trip_in_the_middle_of_a_context_is_bitwise(tmp_path):
    net = network()
    optimizer = nested(net, (1, 4, 12))
    for step in range(1, 7):
        backward(net, step)
        optimizer.step(step)
    torch.save(optimizer.state_dict(), tmp_path / "state")
    weights = copy.deepcopy(net.state_dict())
    for step in range(7, 26):
        backward(net, step)
        optimizer.step(step)
    other = network()
    other.load_state_dict(weights)
    resumed = nested(other, (1, 4, 12))
    resumed.load_state_dict(torch.load(tmp_path / "state", weights_only=True))
    for step in range(7, 26):
        backward(other, step)
        resumed.step(step)
    assert all(torch.equal(p, q) for p, q in zip(net.parameters(), other.parameters()))


def test_a_state_without_starts_is_one_sentence():
    plain = LevelOptimizer(groups_of(network()), Clock(dict.fromkeys(NAMES, 1)), 1e-2)
    with pytest.raises(ValueError, match="holds no starts to restart from: use that of a nested system"):
        nested(network(), (1, 1, 1)).load_state_dict(plain.state_dict())


@pytest.mark.parametrize(
    "parents, sentence",
    [
        ({"fast": "slowest"}, "there is no level 'slowest' to be nested: choose among fast, middle, slow"),
        ({"fast": "fast"}, "level fast is nested in itself"),
        ({"fast": "middle", "middle": "fast"}, "is nested in itself: let each level's parent be a slower one"),
    ],
)
def test_parents_that_cannot_be_are_one_sentence(parents, sentence):
    with pytest.raises(ValueError, match=sentence):
        nested(network(), (1, 1, 1), parents=parents)


def test_reports_count_what_fired():
    net = network()
    optimizer, fired = nested(net, (1, 2, 6)), dict.fromkeys(NAMES, 0)
    for step in range(1, 13):
        backward(net, step)
        with probe.listen():
            _, reports = optimizer.step(step)
        for name, report in reports.items():
            fired[name] += report.firings
    assert fired == {"fast": 12, "middle": 6, "slow": 2}
