"""What levels that fire rarely cost a small model, and how they are best trained."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

from nlcore.train import parts

from experiments import language
from experiments.experiment import Arm, Experiment, main
from experiments.rules import RULES

SIZE = dict(
    dim=128, depth=2, heads=4, context=256, batch=4, steps=380, rate_power=0.0,
    hidden=32, chunks=(16, 64), reads="boundary", narrow_rates=False, projections_share=1.0, carry=0,
)  # fmt: skip
"""What all arms share, whatever `tiny` is when this is read. The second line is of Hope alone, and yet stored."""
LINKS = SIZE | dict(model="hope-attention", links="gated")
SLOW = LINKS | dict(periods=(1, 4, 16))
PLAIN = SIZE | dict(model="hope-attention", links="plain")
LONG = dict(steps=1520)
"""A level with period 16 then fires 95 times, not 23."""


def run(settings: dict[str, Any], rate: float, seed: int, folder: Path) -> dict[str, Any]:
    """As `language_model`; a setting `rule` names another way to train the levels."""
    rule = RULES.get(settings.get("rule"), parts.LevelOptimizer)
    with patch.object(parts, "LevelOptimizer", rule):
        return language.language_model(_choices(settings), rate, seed, folder)


def configuration(settings: dict[str, Any], rate: float, seed: int) -> dict[str, Any]:
    """As a language model's, and the rule."""
    return language.configuration(_choices(settings), rate, seed) | {"rule": settings.get("rule")}


def _choices(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != "rule"}


EXPERIMENT = Experiment(
    name="slow_levels",
    question="What do levels that fire rarely cost a small model, and how are they best trained?",
    arms=(
        Arm("Transformer++ (one link, period 1)", SIZE | dict(model="transformer"), minutes=0.4),
        Arm("three links, periods 1 4 16", SLOW, minutes=0.4),
        Arm("three links, periods 1 1 1", LINKS | dict(periods=(1, 1, 1)), minutes=0.4),
        Arm("three plain links, periods 1 4 16", PLAIN | dict(periods=(1, 4, 16)), minutes=0.4),
        Arm("one plain link, period 1", PLAIN | dict(periods=(1,)), minutes=0.4),
        Arm("periods 1 4 16, rate of the firing's step", SLOW | dict(rule="rate of the firing"), minutes=0.4),
        Arm("periods 1 4 16, scaled as large batches", SLOW | dict(rule="large batch"), minutes=0.4),
        Arm("periods 1 4 16, rate over sqrt(period)", SLOW | dict(rate_power=-0.5), minutes=0.4),
        Arm("periods 1 4 16, the slow ones never learn", SLOW | dict(rule="never"), minutes=0.4),
        Arm("Transformer++, four times as long", SIZE | LONG | dict(model="transformer"), minutes=1.3),
        Arm("rate over sqrt(period), four times as long", SLOW | LONG | dict(rate_power=-0.5), minutes=1.3),
        Arm("the slow ones never learn, four times as long", SLOW | LONG | dict(rule="never"), minutes=1.3),
    ),
    rates=(1e-3, 2e-3, 4e-3),
    seeds=(0, 1, 2),
    run=run,
    configuration=configuration,
)

if __name__ == "__main__":
    main(EXPERIMENT)
