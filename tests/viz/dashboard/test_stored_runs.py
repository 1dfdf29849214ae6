"""The stored runs of chapter 11: each shows what the chapter says of it, and the sound one shows none of it."""

import pytest

from nlcore.train.folder import RunFolder
from nlcore.train.records import read_json, records
from nlcore.viz.dashboard.played import STORED


def stored(name):
    folder = RunFolder(STORED / name)
    return records(folder.metrics), records(folder.levels), read_json(folder.status)["result"]


def alphas(levels):
    return [row["alpha"] for row in levels if row["memory"] == "memory"]


def shares_waited(metrics):
    """Of the time since the report before, by step."""
    return {line["step"]: line["data_seconds"] / (line["elapsed"] - before["elapsed"]) for before, line in zip(metrics, metrics[1:])}


def fired(levels, level):
    return [row["step"] for row in levels if row["level"] == level and row["fired"]]


def test_the_sound_run_is_sound():
    _, levels, result = stored("tiny-hope")
    assert result["bits_per_byte"] < result["bits_per_byte_eta_0"] - 0.01 and result["bits_per_byte"] < result["order1_entropy"]
    assert min(alphas(levels)) > 0.95 and len(fired(levels, "cms-1")) > 20


def test_the_clocks_of_a_large_model():
    _, levels, result = stored("large-clocks")
    steps = range(4, 257, 4)
    assert fired(levels, "cms-1") == [64, 128, 192, 256] and fired(levels, "cms-2") == list(range(16, 257, 16))
    assert fired(levels, "cms-3") == fired(levels, "cms-4") == list(steps)
    writes = {level: {row["writes"] for row in levels if row["level"] == level} for level in ("memory", "projections")}
    assert writes == {"memory": {8}, "projections": {2}} and result["bits_per_byte"] < 4


def test_a_step_as_long_as_the_way_from_zero():
    _, levels, result = stored("eta-too-high")
    moves = [row["update_norm"] / row["weight_norm"] for row in levels if row["level"] == "cms-3 in context"]
    slow = [row["update_norm"] / row["weight_norm"] for row in levels if row["level"] == "cms-3"]
    assert max(moves) > 0.3 and max(slow) < 0.1 and result["bits_per_byte"] > result["order1_entropy"]


def test_a_level_that_never_fires():
    _, levels, result = stored("dead-level")
    assert fired(levels, "cms-1") == [result["steps"]] and len(fired(levels, "cms-2")) == result["steps"] // 4


def test_a_gate_that_forgets_within_a_chunk():
    _, levels, result = stored("collapsed-gate")
    assert alphas(levels)[0] > 0.95 and max(alphas(levels)[-10:]) < 0.6
    assert result["bits_per_byte"] == pytest.approx(result["bits_per_byte_eta_0"], abs=0.01)


def test_a_stall():
    metrics, levels, result = stored("data-stall")
    waited = shares_waited(metrics)
    assert min(share for step, share in waited.items() if 44 <= step <= 60) > 0.3
    assert max(share for step, share in waited.items() if not 40 <= step <= 74) < 0.1
    assert len(fired(levels, "cms-3")) == result["steps"] // 2  # the score shows nothing of it
