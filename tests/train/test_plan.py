"""A plan's arithmetic beside numbers worked out apart from it, what it takes from a run, and its sentences."""

import json
import math

import pytest

from nlcore.train import TrainError, new
from nlcore.train.__main__ import main
from nlcore.train.plan import plan
from tests.train.small import small

LARGE = dict(size="1.3b", model="transformer", tokens=100e9, gpus=64)
WEIGHTS = 24 * 12 * 2048**2 + 32_768 * 2048
"""Of Transformer++ at 1.3b: its blocks and embeddings; norms, and rounded widths, are a thousandth."""


def test_a_large_run_by_hand():
    found = plan(**LARGE, mtbf_hours=50_000, price=2.5, mfu=0.4, checkpoint_seconds=30)
    assert found.parameters == pytest.approx(WEIGHTS, rel=1e-3)
    assert found.steps == 95_368  # of 2^20 tokens
    assert found.tokens_per_parameter == pytest.approx(78.3, abs=0.1)
    assert found.flops_per_token == pytest.approx(6 * WEIGHTS + 12 * 24 * 4096 * 2048, rel=1e-3)
    # 64 x 989.4e12 x 0.4 flop/s over 10.08e9 a token: 2.51e6 tokens/s, so 1e11 take 39,800 s.
    assert found.tokens_per_second == pytest.approx(2.512e6, rel=2e-3) and found.speed_source == "predicted"
    assert found.compute_seconds == pytest.approx(39_800, rel=2e-3)
    # The job fails once in 781.25 hours; sqrt(2 x 30 x 2,812,500) = 12,990 s.
    assert found.checkpoint_every == pytest.approx(12_990, rel=1e-3)
    assert found.failures == pytest.approx(39_800 / 2_812_500, rel=2e-3)
    assert found.lost_seconds == pytest.approx(0.01415 * (6_495 + 600), rel=3e-3)
    assert found.writing_seconds == pytest.approx(39_800 / 12_990 * 30, rel=3e-3)
    assert found.wall_seconds == pytest.approx(39_800 + 100.4 + 91.9, rel=2e-3)
    assert found.gpu_hours == pytest.approx(64 * 39_992 / 3600, rel=2e-3)
    assert found.node_hours == pytest.approx(found.gpu_hours / 8) and found.cost == pytest.approx(2.5 * found.gpu_hours)


def test_memory_by_hand():
    """Four floats a weight; under ddp one more on its way; under fsdp a 64th and what is whole for a moment."""
    found = plan(**LARGE)
    ddp, fsdp = found.memory["ddp"], found.memory["fsdp"]
    assert [ddp[name] / (4 * WEIGHTS) for name in ("weights", "gradients", "optimizer", "gradients on their way")] == pytest.approx(
        [1, 1, 2, 1], rel=1e-3)
    shares = [fsdp[name] / (4 * WEIGHTS) for name in ("weights", "gradients", "optimizer")]
    assert shares == pytest.approx([1 / 64, 1 / 64, 2 / 64], rel=1e-3)
    # Three blocks of 12 x 2048^2 weights, and the 32,768 embeddings twice.
    assert fsdp["whole for a moment"] == pytest.approx(4 * (3 * 12 * 2048**2 + 2 * 32_768 * 2048), rel=2e-3)
    assert 0 < found.at_once <= 4 and sum(ddp.values()) < 80e9
    alone = plan(**LARGE | dict(gpus=1)).memory
    assert "gradients on their way" not in alone["ddp"] and sum(alone["ddp"].values()) == sum(alone["fsdp"].values())
    tight = plan(**LARGE | dict(context=32_768))
    assert tight.at_once == 0 and "not even one sequence" in tight.table()
    # Weights and both moments; no level of it gathers gradients over steps.
    assert found.checkpoint_bytes == pytest.approx(12 * WEIGHTS, rel=1e-3)


def test_hope_checkpoints_what_its_slow_levels_gather_and_what_is_carried():
    hope = plan("tiny")
    assert hope.checkpoint_bytes > 12 * hope.parameters + 4 * 0.3 * hope.parameters
    assert hope.memory["ddp"]["carried states"] > 0 and "carried states" not in plan("tiny", model="transformer").memory["ddp"]


def test_a_speed_that_is_given_stands_as_given():
    found = plan(**LARGE, tokens_per_second=1000.0)
    assert (found.tokens_per_second, found.speed_source) == (64_000, "given")
    assert found.utilisation == pytest.approx(1000 * found.flops_per_token / 989.4e12)


def test_every_row_says_where_it_is_from_and_the_assumptions_stand_below():
    found = plan("tiny", price=3, mtbf_hours=1000)
    sources = {row.what: row.source for row in found.rows()}
    assert set(sources.values()) == {"counted", "predicted", "given"} and sources["speed"] == "predicted"
    assert "price 3 a GPU-hour; 1,000 GPU-hours between failures" in found.table().splitlines()[-1]


def reported(path, facts, lines, **choices):
    """A run's folder, as if it had trained."""
    folder = new(small(**choices), path)
    stored = json.loads(folder.config.read_text())
    corpus = {"name": "text", "hash": "0", "train_bytes": 1, "validation_bytes": 1}
    known = dict(parameters=1, threads=1, order1_entropy=1.0, device="cuda", dtype="bfloat16", levels=[], corpus=corpus)
    folder.config.write_text(json.dumps(stored | {"facts": known | facts}))
    common = {"attempt": 1, "time": 1.0, "tokens": 1, "loss": 1.0, "lr": 1.0, "elapsed": 1.0}
    folder.metrics.write_text("".join(json.dumps(common | line) + "\n" for line in lines))
    return folder


def test_speed_and_memory_of_a_run_are_measured(tmp_path):
    lines = [dict(step=n, tokens_per_second=speed, memory=n * 2**30) for n, speed in enumerate((10.0, 800.0, 900.0, 1000.0), 1)]
    folder = reported(tmp_path / "run", {"processes": 2}, lines, batch=4)
    found = plan(like=folder.path, gpus=4)
    assert (found.tokens_per_second, found.speed_source) == (4 * 450, "measured")  # the first, with its warm-up, does not count
    assert found.memory_measured == 4 * 2**30 and found.preset == small(batch=4).preset
    assert {row.what for row in found.rows() if row.source == "measured"} == {"speed", "memory, seen"}
    with pytest.raises(TrainError, match="trains hope at size tiny"):
        plan(size="1.3b", like=folder.path)
    with pytest.raises(TrainError, match="The speed is given twice"):
        plan(like=folder.path, mfu=0.5)


def test_a_run_that_has_not_reported_is_one_sentence(tmp_path):
    with pytest.raises(TrainError, match="has not reported its speed yet"):
        plan(like=new(small(), tmp_path / "run").path)
    with pytest.raises(TrainError, match="holds no run"):
        plan(like=tmp_path)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        (dict(size="huge"), "There is no size 'huge'"),
        (dict(gpu="h9000"), "There is no gpu 'h9000': choose one of a100, h100"),
        (dict(parallel="magic"), "There is no parallel 'magic': choose one of ddp, fsdp"),
        (dict(gpus=0), "gpus is 0: give a whole number, 1 or more"),
        (dict(gpus=3), "3 GPUs cannot share a batch of 4 windows equally"),
        (dict(tokens=-1.0), "tokens is -1.0: give a number above 0"),
        (dict(tokens=math.nan), "tokens is nan"),
        (dict(mfu=1.5), "mfu is 1.5: give a number above 0 and at most 1"),
        (dict(price="much"), "price is 'much'"),
        (dict(mtbf_hours=0), "mtbf_hours is 0"),
        (dict(checkpoint_seconds=0.0), "checkpoint_seconds is 0.0"),
        (dict(mfu=0.5, tokens_per_second=3.0), "The speed is given twice"),
        (dict(in_context=(("cms-3", 16, 0.3),)), "cannot be planned, since levels that learn in context"),
    ],
)
def test_each_bad_choice_gets_one_sentence(choices, said):
    with pytest.raises(TrainError) as caught:
        plan(**choices)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_the_command_prints_the_table(capsys):
    assert main(["plan", "--gpus", "2", "--model", "transformer", "--tokens", "2e6", "--context", "128"]) == 0
    printed = capsys.readouterr().out
    assert plan(gpus=2, model="transformer", tokens=2e6, context=128).table() + "\n" == printed
    with pytest.raises(SystemExit):
        main(["plan", "--gpus", "two"])
    assert "see python -m nlcore.train plan --help" in capsys.readouterr().err
