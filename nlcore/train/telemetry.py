"""What every level did at a step: the rows of levels.jsonl, from the reports of model and optimizer."""

import math
from typing import Any

from torch import Tensor

from nlcore.levels import Level
from nlcore.optim import LevelOptimizer, LevelReport

Reports = dict[str, dict[str, Tensor]]
ROW = dict.fromkeys(
    "level memory unit period fired writes update_norm weight_norm surprise eta alpha lr gradient_norm"
    " second_moment_norm blocks".split()
)
"""Every row has these fields; those that a level does not have are None.

Of an outer level, `writes` is how often it fired since its last row, `fired` whether it did, and `update_norm` its
largest update in that time. Of an in-context memory they are of the row's own step, at which it fires many times.
"""


def rows(
    levels: tuple[Level, ...], optimizer: LevelOptimizer, reports: Reports, outer: dict[str, LevelReport]
) -> list[dict]:
    """One row for each in-context memory, then for each outer level and its momentum; fastest first.

    Args:
        levels: those of the model.
        reports: of one forward pass, by block.
        outer: of the optimizer's step.
    """
    found = []
    for level in levels:
        if level.unit == "tokens":
            found += [_in_context(level, name, reports) for name in memories(reports) if owner(name) == level.name]
        else:
            found += _outer(level, optimizer.clock.periods[level.name], outer[level.name])
    return found


def memories(reports: Reports) -> list[str]:
    """Names of the in-context memories that report, in one block or in several."""
    names = dict.fromkeys(name for report in reports.values() for name in report)
    return [name.removeprefix("update/") for name in names if name.startswith("update/")]


def owner(memory: str) -> str:
    """The level that an in-context memory belongs to."""
    return memory if memory == "memory" or memory.endswith(" in context") else "projections"


def _in_context(level: Level, name: str, reports: Reports) -> dict[str, Any]:
    """Means over the batch's writes and tokens, and over blocks; `blocks` keeps those apart that have the memory."""
    found = [report for report in reports.values() if f"update/{name}" in report]
    keys = {"update_norm": f"update/{name}", "weight_norm": f"norm/{name}", "surprise": f"surprise/{name}"}
    blocks = {
        field: [_mean(report.get(key)) for report in found]
        for field, key in (keys | {"eta": "eta", "alpha": "alpha"}).items()
    }
    writes = len(found[0][f"update/{name}"])
    what = {"level": level.name, "memory": name, "unit": "tokens", "period": level.period}
    done = {"fired": writes > 0, "writes": writes, "blocks": blocks}
    return ROW | what | done | {field: _average(values) for field, values in blocks.items()}


def _outer(level: Level, period: int, report: LevelReport) -> list[dict[str, Any]]:
    both = {"unit": "steps", "period": period, "fired": report.firings > 0, "writes": report.firings}
    weights = {
        "level": level.name,
        "update_norm": figure(report.update_norm),
        "weight_norm": figure(report.weight_norm),
        "gradient_norm": figure(report.gradient_norm),
        "lr": report.lr,
    }
    momentum = {
        "level": f"{level.name} momentum",
        "update_norm": figure(report.moment_update),
        "weight_norm": figure(report.moment_norm),
        "second_moment_norm": figure(report.second_moment_norm),
    }
    return [ROW | both | momentum, ROW | both | weights]


def _mean(values: Tensor | None) -> float | None:
    return None if values is None or not values.numel() else figure(values.mean().item())


def _average(values: list[float | None]) -> float | None:
    there = [value for value in values if value is not None]
    return figure(sum(there) / len(there)) if there else None


def figure(value: float) -> float | None:
    """Six digits; None for what JSON cannot hold."""
    return float(f"{value:.6g}") if math.isfinite(value) else None
