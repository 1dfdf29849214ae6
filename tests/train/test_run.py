"""A run in this process: it learns, fills its folder, and says in one sentence why it cannot go on."""

import itertools
import math

import pytest

from nlcore.tasks import DataError
from nlcore.train import TrainError, new, train
from nlcore.train.folder import RunFolder, locked
from nlcore.train.records import read_json, records
from tests.train.small import losses, small


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of 12 steps that nothing disturbed."""
    folder = new(small(), tmp_path_factory.mktemp("whole") / "run")
    train(folder)
    return folder


def test_the_folder_of_a_run(whole):
    names = {path.name for path in whole.path.iterdir()}
    assert names == {
        "config.json", "metrics.jsonl", "levels.jsonl", "surprise.jsonl", "samples.jsonl",
        "status.json", "log.txt", "tokenizer.json", "checkpoints", "lock",
    }
    status = read_json(whole.status)
    assert (status["state"], status["step"], status["attempt"], status["done"]) == ("done", 12, 1, 1.0)
    facts = read_json(whole.config)["facts"]
    assert len(facts["corpus"]["hash"]) == 64 and facts["threads"] == 1 and facts["parameters"] > 0
    metrics = records(whole.metrics)
    assert [line["step"] for line in metrics] == [2, 4, 6, 8, 10, 12]
    assert metrics[-1]["tokens"] == 12 * 2 * 32 and metrics[-1]["tokens_per_second"] > 0 and metrics[-1]["memory"] > 2**20
    assert [line["step"] for line in metrics if line["validation_bits_per_byte"] is not None] == [8]
    assert metrics[0]["attempt"] == 1
    assert len(records(whole.levels)) == 6 * 13 and len(records(whole.surprise)) == 6
    assert [line["step"] for line in records(whole.samples)] == [8, 12]


def test_the_result_of_a_run(whole):
    result = read_json(whole.status)["result"]
    assert result["scored_bytes"] == 4 * 32 and result["steps"] == 12
    assert result["bits_per_byte"] != result["bits_per_byte_eta_0"]
    assert 0 < result["order1_entropy"] < result["order1_entropy_all"] < 8
    assert read_json(whole.config)["facts"]["order1_entropy"] == result["order1_entropy"]
    printed = whole.log.read_text()
    for text in ("bits per byte", "with memory eta 0", "order-1 entropy", "tokens/s", "sample", str(whole.path)):
        assert text in printed


def test_the_loss_falls(tmp_path):
    folder = new(small(steps=80, report_every=10, validate_every=80, checkpoint_every=80), tmp_path)
    train(folder)
    course = [loss for _, loss in losses(folder)]
    assert course[-1] < course[0] - 0.8 and course[-1] < 3.5


def test_a_batch_in_parts_has_the_gradient_of_the_whole(tmp_path, whole):
    folder = new(small(micro_batch=1), tmp_path)
    train(folder)
    for (step, loss), (_, other) in zip(losses(folder), losses(whole)):
        assert loss == pytest.approx(other, rel=1e-3), step


def test_seconds_are_spent_and_the_rate_follows_them(tmp_path, monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr("nlcore.train.loop.time.perf_counter", lambda: next(ticks) / 24)  # a step looks at it four times
    status = train(new(small(steps=None, seconds=2.0, report_every=1), tmp_path))
    assert (status["result"]["steps"], status["result"]["seconds"], status["steps"]) == (16, 2.0, None)
    rates = [line["lr"] for line in records(tmp_path / "metrics.jsonl")]
    assert rates[0] == 0 and rates[1] == max(rates) and rates[1:] == sorted(rates[1:], reverse=True)


def test_the_folder_of_another_trainer_is_left_as_it_is(tmp_path):
    folder = new(small(), tmp_path)
    with locked(folder), pytest.raises(TrainError, match="is being trained by process"):
        train(folder)
    assert not folder.status.exists()


def test_text_that_will_not_do_gets_one_sentence_and_no_folder(tmp_path):
    (tmp_path / "short").write_text("too short")
    for data, said in (("none", "does not exist"), ("short", "one window needs 33")):
        with pytest.raises(DataError, match=said):
            new(small(data=str(tmp_path / data)), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_folder_of_a_run_that_never_began_is_free(tmp_path):
    text = tmp_path / "text"
    text.write_text("some words of text\n" * 200)
    folder = new(small(data=str(text)), tmp_path / "run")
    text.unlink()
    with pytest.raises(DataError, match="does not exist"):
        train(folder)
    assert "does not exist" in read_json(folder.status)["sentence"] and "does not exist" in folder.log.read_text()
    assert train(new(small(steps=2), folder.path))["state"] == "done"


def test_a_run_on_bpe_tokens_is_measured_in_bytes(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = new(small(steps=2, tokenizer="bpe", vocabulary=300), tmp_path / "run")
    result = train(folder)["result"]
    assert read_json(folder.config)["facts"]["vocabulary"] == 300
    assert 4 * 32 < result["scored_bytes"] < 4 * 32 * 3
    nats = math.log(300)  # a token, where nothing is known; a token is some bytes
    assert 1 < result["bits_per_byte"] < nats / math.log(2)
    assert "".join(records(folder.surprise)[0]["tokens"]).isascii()


def test_no_run_and_a_run_already(tmp_path, whole):
    with pytest.raises(TrainError, match="holds no run"):
        train(RunFolder(tmp_path))
    with pytest.raises(TrainError, match="holds a run already"):
        new(small(), whole.path)
