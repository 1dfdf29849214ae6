"""Training on shards: resumed bitwise, one sentence for what will not do, and the wait for data written down."""

import numpy as np
import pytest
import torch

from nlcore.tasks.entropy import order1
from nlcore.train import TrainError, device, new, parts, train
from nlcore.train.config_file import read_config
from nlcore.train.folder import RunFolder
from nlcore.train.loop import Trainer
from nlcore.train.records import read_json, records
from tests.tasks.small_shards import held, shards, texts
from tests.train.small import equal_runs, last, small

CPU = device.choose("cpu", "auto")
CARRIED = dict(carry=1, batch=4, context=24, micro_batch=2)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return shards(tmp_path_factory.mktemp("made"), texts(120))


def stop_at(monkeypatch, step, then=lambda: None):
    advance = Trainer.advance

    def advance_and_stop(trainer):
        advance(trainer)
        if trainer.step == step:
            then()
            trainer.leave = True

    monkeypatch.setattr(Trainer, "advance", advance_and_stop)


@pytest.mark.parametrize("choices", [{}, CARRIED | dict(spans="documents")])
def test_stopped_and_resumed_equals_not_stopped(made, tmp_path, monkeypatch, choices):
    """And the result is measured on the validation shards."""
    one, two = (new(small(data=str(made.path), **choices), tmp_path / name) for name in ("one", "two"))
    result = train(one)["result"]
    stop_at(monkeypatch, 7)
    assert train(two)["state"] == "stopped" and last(two).state["batches"]["taken"] == 7
    monkeypatch.undo()
    assert train(two)["state"] == "done" and equal_runs(one, two)
    assert all(type(value) is int for name, value in last(one).state["batches"].items() if name != "rows")
    text = ("\0".join(held(made, "validation")) + "\0").encode()
    assert result["validation_bytes"] == len(text) == read_config(one)[1]["corpus"]["validation_bytes"]
    assert result["order1_entropy_all"] == pytest.approx(order1([text]))
    waits = [line["data_seconds"] for line in records(one.metrics)]
    assert len(waits) == 6 and all(0 < wait <= line["elapsed"] for wait, line in zip(waits, records(one.metrics)))


def test_a_document_is_read_alike_whatever_stands_before_it(tmp_path):
    """Losses of the first spans that reach behind the one document that differs, the state carried within each."""
    documents, found = [f"{number} " + "x" * 100 * (number % 4) for number in range(15)], {}
    for first in ("y" * 301, "z" * 301):
        (tmp_path / first[0]).mkdir()
        data = shards(tmp_path / first[0], [first, *documents], validation=0.1)
        assert bytes(data.stream("train")[0:1]) == first[:1].encode()
        for spans in ("anywhere", "documents"):
            config = small(data=str(data.path), spans=spans, **CARRIED | dict(batch=1, micro_batch=None))
            run = parts.make(config, RunFolder(tmp_path / first[0]), CPU)
            found[first[0], spans] = losses(run, spans, behind=302)
    assert len(found["y", "documents"]) == 10 and found["y", "documents"] == found["z", "documents"]
    assert found["y", "anywhere"][:2] != found["z", "anywhere"][:2], "a span that begins before the border feels it"


@torch.no_grad()
def losses(run, spans, behind):
    """Of the first five spans, in the order of the text, that begin at `behind` or later; with "anywhere" of those that
    hold it or begin later: the losses of both windows' tokens from there on.
    """
    batches, found = run.batches, []
    places = sorted(batches.starts[place] for place in range(len(batches.starts)))
    reach = batches.span - 1 if spans == "anywhere" else 0
    for start in [place for place in places if place >= behind - reach][:5]:
        state = None
        for begin in (start, start + batches.context):
            inputs, targets = batches.read(np.array([begin]))
            logits, state, _ = run.model(inputs, state)
            nats = torch.nn.functional.cross_entropy(logits[0], targets[0], reduction="none")
            found.append(nats[torch.arange(len(nats)) + begin >= behind].tolist())
    return found


def test_what_will_not_do_is_said_before_anything_is_written(made, tmp_path):
    (tmp_path / "bpe").mkdir()
    pairs = shards(tmp_path / "bpe", texts(60), tokenizer="bpe", vocabulary=300)
    for choices, sentence in (
        (dict(data=str(pairs.path)), "holds tokens of bpe, .* asks for bytes: add --tokenizer bpe --vocabulary 300"),
        (dict(spans="documents"), "--spans documents is for a folder of shards"),
        (dict(data=str(made.path), context=10**6), "training text has .* tokens, and one window needs 1000001"),
        (dict(data=str(made.path), context=20_000), "validation text has .* tokens, and one window needs 20001"),
    ):
        with pytest.raises(ValueError, match=sentence):
            new(small(**choices), tmp_path / "run")
        assert not (tmp_path / "run").exists()
    assert train(new(small(data=str(pairs.path), tokenizer="bpe", steps=2), tmp_path / "run"))["result"]["steps"] == 2


def test_other_shards_are_another_text(made, tmp_path):
    (tmp_path / "other").mkdir()
    other, folder = shards(tmp_path / "other", texts(60, seed=1)), new(small(data=str(made.path), steps=2), tmp_path / "run")
    train(folder)
    with pytest.raises(TrainError, match="The text is not the one .* began with"):
        train(folder, data=str(other.path), steps=4)
    assert train(folder, accept_data=True, data=str(other.path), steps=4)["state"] == "done"
    assert last(folder).state["batches"]["taken"] == 2


def test_a_shard_that_is_gone_ends_the_run_with_its_name(tmp_path, monkeypatch):
    data = shards(tmp_path, texts(120))
    folder, advance = new(small(data=str(data.path), steps=60), tmp_path / "run"), Trainer.advance

    def advance_without_shards(trainer):
        advance(trainer)
        trainer.parts.batches.tokens.part.cache_clear()
        for path in data.path.glob("train-*.bin"):
            path.unlink(missing_ok=True)

    monkeypatch.setattr(Trainer, "advance", advance_without_shards)
    with pytest.raises(ValueError, match="train-0000.*.bin cannot be read any more"):
        train(folder)
    assert read_json(folder.status)["state"] == "failed" and ".bin cannot be read any more" in read_json(folder.status)["sentence"]
