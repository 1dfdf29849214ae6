"""levels.jsonl: a row for every level, with figures that are the reports' own."""

import json

import pytest
import torch

from nlcore import probe
from nlcore.layers import FAMILY
from nlcore.models import MODELS
from nlcore.train import device, parts, telemetry
from nlcore.train.folder import RunFolder
from tests.train.small import small

MEMORIES = {("projections", "k"), ("projections", "v"), ("projections", "eta"), ("projections", "alpha"), ("memory", "memory")}
OUTER = ("weights", "cms-3", "cms-2", "cms-1")


def one_step(tmp_path, model, step=1):
    made = parts.make(small(model=model, depth=2), RunFolder(tmp_path), device.choose("cpu", "auto"))
    inputs, targets = made.batches.next()
    with probe.listen():
        output = made.model(inputs)
        torch.nn.functional.cross_entropy(output.logits.mT, targets).backward()
        outer = made.optimizer.step(step, 1e-3)[1]
    return telemetry.rows(made.model.levels(), made.optimizer, output.reports, outer), output.reports, outer


@pytest.mark.parametrize("model", MODELS)
def test_a_row_for_every_level(tmp_path, model):
    found, _, _ = one_step(tmp_path, model)
    outer = OUTER if model.startswith("hope") else OUTER[:1]
    expected = {(level, None) for level in outer} | {(f"{level} momentum", None) for level in outer}
    expected |= MEMORIES if model == "hope" else {("memory", "memory")} if model in FAMILY else set()
    assert {(row["level"], row["memory"]) for row in found} == expected and len(found) == len(expected)
    assert all(row.keys() == telemetry.ROW.keys() for row in found)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_in_context_rows_say_what_the_memories_did(tmp_path):
    found, reports, _ = one_step(tmp_path, "hope")
    rows = {row["memory"]: row for row in found if row["memory"]}
    assert (rows["memory"]["writes"], rows["k"]["writes"]) == (8, 4)  # 32 tokens in chunks of 4 and of 8
    mean = torch.stack([report["update/k"].mean() for report in reports.values()]).mean().item()
    assert rows["k"]["update_norm"] == pytest.approx(mean, rel=1e-4) and len(rows["k"]["blocks"]["update_norm"]) == 2
    felt = torch.stack([report["surprise/v"].mean() for report in reports.values()]).mean().item()
    assert rows["v"]["surprise"] == pytest.approx(felt, rel=1e-4)
    for row in rows.values():
        assert row["surprise"] > 0
        assert row["fired"] and row["update_norm"] > 0 and row["weight_norm"] > 0
        assert 0 < row["eta"] <= 0.5 and 0.9 < row["alpha"] < 1


def test_fast_weights_write_at_every_token(tmp_path):
    found, _, _ = one_step(tmp_path, "gated-deltanet")
    row = next(row for row in found if row["memory"])
    assert (row["period"], row["writes"]) == (1, 32) and row["update_norm"] > 0 and row["surprise"] > 0
    assert 0 < row["eta"] < 1 and 0.9 < row["alpha"] < 1


def test_outer_rows_tell_who_fired(tmp_path):
    found, _, outer = one_step(tmp_path, "hope", step=2)
    rows = {row["level"]: row for row in found}
    assert [rows[level]["fired"] for level in OUTER] == [True, True, True, False]
    assert rows["cms-1"]["update_norm"] == rows["cms-1 momentum"]["update_norm"] == 0 < rows["cms-1"]["gradient_norm"]
    assert rows["weights"]["update_norm"] == pytest.approx(outer["weights"].update_norm, rel=1e-4)
    assert rows["cms-2 momentum"]["update_norm"] > 0 and rows["cms-2 momentum"]["second_moment_norm"] > 0
    assert rows["cms-2"]["period"] == rows["cms-2 momentum"]["period"] == 2


def test_numbers_that_json_cannot_hold_are_none():
    assert telemetry.figure(float("nan")) is None and telemetry.figure(float("inf")) is None
    assert telemetry.figure(1 / 3) == 0.333333
