"""Reading shards: as one text, with every damage named, in an order that needs no memory, and ahead of their use."""

import json
import os
import shutil
import time

import numpy as np
import pytest
import torch

from nlcore import tasks
from nlcore.tasks import shards as module
from nlcore.tasks.ahead import Ahead
from nlcore.tasks.batches import Batches
from nlcore.tasks.corpus import DataError
from nlcore.tasks.feistel import Shuffled
from nlcore.tasks.shard_batches import ShardBatches, cut
from nlcore.tasks.tokenizers import ByteTokenizer
from tests.tasks.small_shards import shards, texts


CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return shards(tmp_path_factory.mktemp("made"), texts(120))


@pytest.fixture(scope="module")
def stream(made):
    found = made.stream("train")
    assert len(found.shards) > 4
    return found


@pytest.fixture
def copied(made, tmp_path):
    return shutil.copytree(made.path, tmp_path / "copy")


def whole(stream) -> np.ndarray:
    files = [stream.folder / f"{shard['name']}.bin" for shard in stream.shards]
    return np.frombuffer(b"".join(file.read_bytes() for file in files), np.uint8)


def test_a_slice_is_that_of_all_shards_as_one(stream):
    text, draw = whole(stream), np.random.default_rng(0)
    assert len(stream) == len(text)
    for start, stop in [(0, len(text)), (5, 5), (len(text) - 1, len(text) + 9), *draw.integers(0, len(text), (200, 2))]:
        assert np.array_equal(stream[start:stop], text[start:stop]) and stream[start:stop].dtype == np.uint8
    ends = np.flatnonzero(text == 0)
    assert np.array_equal(np.concatenate(list(stream.begins())), [0, *(ends[:-1] + 1)])
    assert b"".join(document.tobytes() for document in stream.documents()) == text.tobytes()


def test_only_so_many_files_are_open(made, monkeypatch):
    monkeypatch.setattr(module, "MAPPED", 2)
    stream = made.stream("train")
    assert np.array_equal(stream[0 : len(stream)], whole(stream)) and stream.part.cache_info().currsize == 2


def changed(change):
    def change_first(folder):
        path = folder / "train-00001.bin"
        data, facts = path.read_bytes(), path.stat()
        path.write_bytes(change(data))
        os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns + 1))

    return change_first


def in_manifest(change):
    def edit(folder):
        manifest = json.loads((folder / "manifest.json").read_text())
        change(manifest)
        (folder / "manifest.json").write_text(json.dumps(manifest))

    return edit


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda folder: (folder / "train-00001.bin").unlink(), "train-00001.bin is missing"),
        (lambda folder: (folder / "validation-00000.idx").unlink(), "validation-00000.idx is missing"),
        (changed(lambda data: data[:-1]), "train-00001.bin has .* bytes and was written with"),
        (changed(lambda data: data[:-1] + b"x"), r"train-00001.bin is not what was written \(its checksum differs\)"),
        (lambda folder: (folder / "tokenizer.json").write_text('{"kind":  "bytes"}'), "tokenizer.json .* was written with"),
        (in_manifest(lambda manifest: manifest.pop("hash")), "manifest.json is damaged"),
        (in_manifest(lambda manifest: manifest["train"].update(tokens="many")), "manifest.json is damaged"),
        (in_manifest(lambda manifest: manifest["train"]["shards"].pop()), "manifest.json is damaged"),
        (in_manifest(lambda manifest: manifest.update(train=3)), "manifest.json is damaged"),
        (lambda folder: (folder / "manifest.json").rename(folder / "progress.json"), "is not finished: give the command"),
    ],
)  # fmt: skip
def test_every_damage_gets_a_sentence_with_the_file(copied, damage, sentence):
    assert tasks.load(str(copied)).name == "shards"
    damage(copied)
    with pytest.raises(DataError, match=sentence) as caught:
        tasks.load(str(copied))
    assert str(caught.value).count(str(copied)) == 1


def test_files_are_compared_with_their_checksums_once(copied, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tasks.load(str(copied))
    monkeypatch.setattr(module, "digest", None)
    assert tasks.load(str(copied)).manifest["train"]["documents"] > 50


def test_a_shard_that_goes_while_it_is_used_is_named(copied):
    stream = tasks.load(str(copied)).stream("train")
    (copied / "train-00000.bin").unlink()
    with pytest.raises(DataError, match="train-00000.bin cannot be read any more"):
        stream[0:10]
    (copied / "train-00001.bin").write_bytes(b"short")
    with pytest.raises(DataError, match="train-00001.bin has changed since it was checked"):
        stream[int(stream.ends[0]) : int(stream.ends[0]) + 10]


def test_another_manifest_is_that_of_another_program(tmp_path):
    (tmp_path / "manifest.json").write_text('{"format": "other"}')
    assert isinstance(tasks.load(str(tmp_path)), tasks.Corpus)


def test_the_tokenizer_has_to_be_the_shards_own(made, tmp_path):
    other = shards(tmp_path, texts(60), tokenizer="bpe", vocabulary=300)
    with pytest.raises(DataError, match="was made by another tokenizer than the run's"):
        tasks.prepare(other, ByteTokenizer())
    tokens = tasks.prepare(made, ByteTokenizer())
    assert tokens.bytes_per_token == 1 and len(tokens.validation) == made.manifest["validation"]["tokens"]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 16, 17, 63, 64, 65, 1000])
def test_a_shuffled_order_has_each_item_once(count):
    order = Shuffled(range(100, 100 + count), (7, 0))
    assert sorted(order[place] for place in range(count)) == list(range(100, 100 + count)) and len(order) == count
    with pytest.raises(IndexError):
        order[count]


def test_orders_differ_by_key_and_look_like_chance():
    count, orders = 4096, []
    for key in ((0, 0), (0, 1), (1, 0), (2**64 - 1, 5)):
        order = Shuffled(range(count), key)
        orders.append(np.array([order[place] for place in range(count)]))
    for order in orders:
        assert abs(np.corrcoef(order, np.arange(count))[0, 1]) < 0.06  # four times the spread of chance
        assert abs(np.corrcoef(order[1:], order[:-1])[0, 1]) < 0.06
        cells = np.histogram2d(order, np.arange(count), 16)[0]  # 16 in each of 256 cells; the sum below is 255 +- 23
        assert 150 < ((cells - 16) ** 2 / 16).sum() < 360
    for one, other in zip(orders, orders[1:]):
        assert (one == other).sum() < 8


def starts(batches, count):
    return [start for _ in range(count) for start in batches.draw().tolist()]


def test_an_order_of_a_hundred_billion_tokens_takes_no_memory():
    class Endless(module.Stream):
        def __init__(self):
            self.ends = np.array([10**11])

    batches = ShardBatches(Endless(), 512, 2048, seed=3)
    assert len(batches.starts) == pytest.approx(48.8e6, rel=0.01)
    drawn = starts(batches, 4)
    assert len(set(drawn)) == 2048 and 0.45e11 < np.mean(drawn) < 0.55e11 and max(drawn) < 10**11 - 2048
    assert all((start - drawn[0]) % 2048 == 0 for start in drawn)


@pytest.mark.parametrize("spans", ["anywhere", "documents"])
@pytest.mark.parametrize("carry", [0, 2])
def test_each_span_of_an_epoch_comes_once_and_a_resume_is_exact(stream, spans, carry):
    batches = ShardBatches(stream, 4, 16, seed=7, carry=carry, spans=spans)
    epoch = sorted(batches._start() for _ in range(len(batches.starts)))
    assert len(set(epoch)) == len(epoch) > len(stream) / 50 and (spans == "documents" or set(np.diff(epoch)) == {batches.span})
    assert batches.epoch == 0 and batches._start() is not None and batches.epoch == 1
    for done in (0, 1, 5, len(epoch)):
        batches = ShardBatches(stream, 4, 16, seed=7, carry=carry, spans=spans)
        starts(batches, done)
        resumed = ShardBatches(stream, 4, 16, seed=0, carry=carry, spans=spans)
        resumed.load_state_dict(batches.state_dict())
        assert all(torch.equal(*pair) for _ in range(9) for pair in zip(resumed.next(), batches.next()))


def test_spans_begin_where_documents_do_and_every_token_but_the_last_few_is_in_one(stream):
    """Against a loop over all tokens."""
    text, span = whole(stream), 200
    begins, at, expected = {0, *(np.flatnonzero(text == 0) + 1).tolist()}, 0, []
    while at < len(text) - span:
        expected.append(at)
        within = [place for place in range(at + 1, at + span + 1) if place in begins]
        at = within[-1] if within else at + span
    found = cut(stream, span).tolist()
    ends = set(stream.ends.tolist())  # there a new count begins
    assert set(found) - begins - {place + span for place in found} == set()
    assert len(set(expected) ^ set(found)) <= 2 * len(ends)
    seen = np.zeros(len(text), int)
    for place in found:
        seen[place : place + span] += 1
    assert seen[: -2 * span].min() == 1 and seen.mean() < 2


class Counted(module.Stream):
    """A stream that notes what it reads, and takes its time."""

    def __init__(self, stream, seconds=0.0):
        super().__init__(stream.folder, stream.shards, stream.dtype)
        self.read, self.seconds = [], seconds

    def __getitem__(self, wanted):
        self.read.append(wanted.start)
        time.sleep(self.seconds)
        return super().__getitem__(wanted)


def test_batches_come_ahead_in_parts_and_the_state_is_that_of_the_last_one_taken(stream):
    parts = [np.array([0, 1]), np.array([3])]
    batches, plain = (ShardBatches(stream, 4, 16, seed=5, carry=1) for _ in range(2))
    ahead = Ahead(batches, parts, CPU)
    assert batches.state_dict() == plain.state_dict()
    for _ in range(20):
        inputs, targets = plain.next()
        for rows, (x, y) in zip(parts, ahead.next(), strict=True):
            assert torch.equal(x, inputs[rows]) and torch.equal(y, targets[rows])
        assert batches.state_dict() == plain.state_dict()


def test_a_process_reads_its_own_rows_alone(stream):
    counted = [Counted(stream) for _ in range(2)]
    for rank, own in enumerate(counted):
        ahead = Ahead(ShardBatches(own, 4, 16, seed=5), [np.arange(2 * rank, 2 * rank + 2)], CPU)
        [ahead.next() for _ in range(6)]
        ahead.reader.shutdown()
    drawn = np.array(starts(ShardBatches(stream, 4, 16, seed=5), 9)).reshape(9, 4)
    assert counted[0].read == drawn[:, :2].flatten().tolist() and counted[1].read == drawn[:, 2:].flatten().tolist()


def test_a_slow_disk_is_waited_for_only_as_long_as_it_is_slower(stream):
    ahead = Ahead(ShardBatches(Counted(stream, 0.01), 2, 16), [np.arange(2)], CPU)
    ahead.next()
    time.sleep(0.3)
    started = time.perf_counter()
    ahead.next()
    ready = time.perf_counter() - started
    assert ready < 0.02 < sum(_timed(ahead.next) for _ in range(8))


def _timed(call):
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def test_what_the_reading_raises_comes_when_its_batch_is_due(stream):
    class Failing(Counted):
        def __getitem__(self, wanted):
            if len(self.read) == 6:
                raise DataError("the disk is gone")
            return super().__getitem__(wanted)

    ahead = Ahead(ShardBatches(Failing(stream), 2, 16), [np.arange(2)], CPU)
    assert all(len(ahead.next()) == 1 for _ in range(3))
    with pytest.raises(DataError, match="the disk is gone"):
        ahead.next()


def test_text_in_memory_comes_ahead_too():
    tokens = np.arange(1000, dtype=np.uint16)
    ahead, plain = Ahead(Batches(tokens, 3, 8, seed=2), [np.arange(3)], CPU), Batches(tokens, 3, 8, seed=2)
    assert all(torch.equal(ahead.next()[0][0], plain.next()[0]) for _ in range(100))  # over the end of an epoch
