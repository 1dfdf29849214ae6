"""What the experiment on slow levels compares: the arms differ in what they name, and in nothing else."""

import pytest
import torch
from torch import nn

from nlcore.clock import Clock
from nlcore.optim import LevelOptimizer
from nlcore.train import parts

from experiments.rules import LargeBatch, NeverFires, RateOfTheFiring
from experiments.slow_levels import EXPERIMENT, configuration, run
from tests.train.small import SIZES, TEXT

SMALL = {name: size for name, size in SIZES.items() if name != "lr"} | dict(steps=10, data=str(TEXT), final_windows=4)


def trained(rule, periods, steps=12):
    """Two weights after some steps of gradients drawn beforehand."""
    weights = {name: nn.Parameter(torch.zeros(4)) for name in periods}
    leveled = rule({name: [{"params": [weight]}] for name, weight in weights.items()}, Clock(periods), lr=1e-2)
    generator = torch.Generator().manual_seed(0)
    for step in range(1, steps + 1):
        for weight in weights.values():
            gradient = torch.randn(4, generator=generator)
            weight.grad = gradient if weight.grad is None else weight.grad + gradient
        leveled.step(step, lr=step * 1e-3)
    return leveled, {name: weight.detach() for name, weight in weights.items()}


@pytest.mark.parametrize("rule", [RateOfTheFiring, LargeBatch, NeverFires])
def test_at_period_one_every_rule_is_ordinary_training_bitwise(rule):
    _, one = trained(rule, {"a": 1, "b": 1})
    _, other = trained(LevelOptimizer, {"a": 1, "b": 1})
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_the_rate_of_the_firing_is_that_of_its_step_and_the_rest_is_left():
    leveled, _ = trained(RateOfTheFiring, {"a": 1, "b": 5})
    assert leveled.optimizers["b"].param_groups[0]["lr"] == pytest.approx(10e-3)
    leveled.flush(12)
    assert leveled.calls["b"] == 2


def test_a_large_batch_has_a_larger_rate_and_shorter_moments():
    leveled, _ = trained(LargeBatch, {"a": 1, "b": 4})
    group = leveled.optimizers["b"].param_groups[0]
    assert group["lr"] == pytest.approx(2 * (9 + 10 + 11 + 12) / 4 * 1e-3)
    assert group["betas"] == pytest.approx((0.9**4, 0.95**4))
    assert leveled.optimizers["a"].param_groups[0]["betas"] == (0.9, 0.95)


def test_slow_levels_that_never_learn_stay_where_they_are():
    _, weights = trained(NeverFires, {"a": 1, "b": 4})
    assert (weights["a"] != 0).all() and (weights["b"] == 0).all()


@pytest.mark.parametrize("arm", EXPERIMENT.arms, ids=lambda arm: arm.name)
def test_every_arm_trains(tmp_path, arm):
    own = {name: arm.settings[name] for name in ("periods", "links", "rule", "model") if name in arm.settings}
    figures = run(SMALL | own, 1e-2, 0, tmp_path / "run")
    assert figures["steps"] == 10 and figures["bits_per_byte"] > 0
    assert parts.LevelOptimizer is LevelOptimizer
    keys = [configuration(other.settings, 1e-3, 0) for other in EXPERIMENT.arms]
    assert sum(key == configuration(arm.settings, 1e-3, 0) for key in keys) == 1
