"""The level score, computed: which level changed when, and by how much."""

from dataclasses import dataclass

import numpy as np

from nlcore.train.records import Record


@dataclass(frozen=True)
class Score:
    """A piano roll of updates. Rows are levels, fastest first; columns are reported steps."""

    levels: tuple[str, ...]
    steps: np.ndarray
    """(S,) steps of the outer optimizer."""
    size: np.ndarray
    """(L, S) norm of the largest update since the report before, over norm of the weights; NaN if there was none."""
    writes: np.ndarray
    """(L, S) how often a level changed since the report before."""
    periods: dict[str, tuple[int, str]]
    """Each level's latest period and its unit."""


def level_score(rows: list[Record], first: int = 1, last: int | None = None) -> Score:
    """The score of steps `first` to `last` (all, if none is given) from rows of levels.jsonl.

    A level with several memories shows their mean. Raises ValueError if no row is in that range.
    """
    kept = [row for row in rows if first <= row["step"] and (last is None or row["step"] <= last)]
    kept = [row for row in kept if not row["level"].endswith(" momentum")]
    if not kept:
        raise ValueError(f"There are no level reports from step {first} on: let the run go on, or begin earlier.")
    levels = tuple(dict.fromkeys(row["level"] for row in kept))
    steps = sorted({row["step"] for row in kept})
    found: dict[tuple[str, int], list[float]] = {}
    for row in kept:
        if row["fired"] and row["weight_norm"] and row["update_norm"] is not None:
            found.setdefault((row["level"], row["step"]), []).append(row["update_norm"] / row["weight_norm"])
    means = [[np.mean(found.get((level, step), np.nan)) for step in steps] for level in levels]
    writes: dict[tuple[str, int], int] = {}
    for row in kept:
        place = (row["level"], row["step"])
        writes[place] = max(writes.get(place, 0), row["writes"])
    fired = [[writes[level, step] if (level, step) in found else 0 for step in steps] for level in levels]
    periods = {row["level"]: (row["period"], row["unit"]) for row in kept}
    return Score(levels, np.array(steps), np.array(means, dtype=float), np.array(fired), periods)


def over_steps(rows: list[Record], field: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """For each level that has `field`: the reports (n,) before which it fired, and the field's mean there (n,)."""
    found: dict[str, dict[int, list[float]]] = {}
    for row in rows:
        if row["fired"] and row[field] is not None:
            found.setdefault(row["level"], {}).setdefault(row["step"], []).append(row[field])
    return {
        level: (np.array(sorted(values)), np.array([np.mean(values[step]) for step in sorted(values)]))
        for level, values in found.items()
    }
