"""Making shards: every document once, the same bits after any interruption, nothing held out that training shows."""

import json
import os
import shutil
from pathlib import Path

import pytest
from filelock import FileLock

from nlcore.tasks import shard_files, sharding, tokenizers
from nlcore.tasks.__main__ import main
from nlcore.tasks.corpus import DataError
from nlcore.tasks.entropy import order1
from nlcore.tasks.sharding import Plan, prepare
from nlcore.tasks.shards import FORMAT
from tests.tasks.small_shards import PLAN, held, shards, texts, written


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".lock"}


@pytest.mark.parametrize("choices", [{}, dict(tokenizer="bpe", vocabulary=400)])
def test_every_document_is_in_once_and_the_manifest_counts_them(tmp_path, choices):
    documents = texts(120)
    made = shards(tmp_path, [*documents, "", None, " \n", "zero \0", "half \ud800"], **choices)
    train, validation = held(made, "train"), held(made, "validation")
    assert sorted(train + validation) == sorted(documents) and 10 < len(validation) < 40
    assert made.manifest["left_out"] == {"empty": 3, "with a zero character": 1, "with half a character": 1}
    for split, found in (("train", train), ("validation", validation)):
        facts = made.manifest[split]
        assert facts["documents"] == len(found) == sum(shard["documents"] for shard in facts["shards"])
        assert facts["bytes"] == len("\0".join(found).encode()) + 1
        assert facts["tokens"] == len(made.stream(split)) and all(shard["tokens"] >= 4000 for shard in facts["shards"][:-1])
    assert made.manifest["validation"]["order1_entropy"] == pytest.approx(order1([("\0".join(validation) + "\0").encode()]))
    assert made.bytes_per_token == 1 if not choices else 1.5 < made.bytes_per_token < 8
    assert len(made.manifest["train"]["shards"]) > 1 and not list((tmp_path / "shards").glob("held-*"))


def test_interrupted_anywhere_it_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    """At every writing of a file, which is then there under its half name only."""
    names = [written(tmp_path / f"{i}.jsonl", texts(15, seed=i)) for i in range(3)]
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    plan = Plan(tuple(names), **PLAN)
    monkeypatch.setattr(sharding, "GROUP", 1500)
    prepare(plan, tmp_path / "whole", lambda line: None)
    whole, replace, number = content(tmp_path / "whole"), os.replace, 0
    while True:
        calls, number = iter(range(10**6)), number + 1

        def replace_until(half, final, last=number, calls=calls):
            if str(half).endswith(".part") and next(calls) == last:
                raise KeyboardInterrupt
            replace(half, final)

        with monkeypatch.context() as patch:
            patch.setattr(shard_files.os, "replace", replace_until)
            shutil.rmtree(tmp_path / "cut", ignore_errors=True)
            try:
                prepare(plan, tmp_path / "cut", lambda line: None)
                break
            except KeyboardInterrupt:
                assert any(name.endswith(".part") for name in content(tmp_path / "cut"))
        prepare(plan, tmp_path / "cut", lambda line: None)
        assert content(tmp_path / "cut") == {name: data.replace(b"whole", b"cut") for name, data in whole.items()}
    assert number > 15


def test_copies_are_on_one_side_and_near_copies_of_training_text_are_not_held_out(tmp_path):
    documents = texts(150, longest=200)
    again = [text.upper().replace(" ", "\n") for text in documents]
    near = [text.replace(" ", " new ", 1) for text in documents if len(text) > 400]
    made = shards(tmp_path, [*documents, *again, *near, *documents])
    train, validation = held(made, "train"), held(made, "validation")
    plain = [{" ".join(text.lower().split()) for text in side} for side in (train, validation)]
    assert not plain[0] & plain[1] and len(validation) == len(set(validation))
    assert not {text.replace(" new ", " ", 1) for text in train} & {text for text in validation if len(text) > 400}
    left_out = made.manifest["left_out"]
    assert left_out["validation repeats"] > 10 and left_out["validation near-duplicates of training text"] > 10
    assert sum(left_out.values()) + len(train) + len(validation) == 450 + len(near)


def test_done_is_done_and_another_plan_needs_another_folder(tmp_path, monkeypatch):
    made = shards(tmp_path, texts(60))
    monkeypatch.setattr(shard_files.os, "replace", None)
    assert shards(tmp_path, texts(60)).hash == made.hash
    for choices, what in ((dict(shard_tokens=5), "shard tokens"), (dict(column="body"), "column"), (dict(tokenizer="bpe"), "tokenizer")):
        with pytest.raises(DataError, match=f"was begun with another {what} .*: give what it was begun with, or name another"):
            shards(tmp_path, texts(60), **choices)
    with pytest.raises(DataError, match="another sources"):
        shards(tmp_path, texts(61))


def test_a_tokenizer_may_be_given(tmp_path):
    (tmp_path / "one").mkdir()
    made = shards(tmp_path / "one", texts(60), tokenizer="bpe", vocabulary=300)
    again = shards(tmp_path, texts(60), tokenizer=str(made.path / "tokenizer.json"))
    assert again.tokenizer.to_json() == made.tokenizer.to_json() and again.hash == made.hash
    assert sorted(held(again, "train")) == sorted(held(made, "train"))


def test_texts_are_encoded_together_as_each_alone():
    learnt = tokenizers.learned(texts(50), 400)
    some = ["", *texts(90, seed=3), "long " * 40_000, "\0"]
    for made in (learnt, tokenizers.ByteTokenizer()):
        together = made.encode_all(some)
        assert all((one == made.encode(text)).all() and made.decode(one) == text for text, one in zip(some, together, strict=True))
        assert len(together[-1]) == 1


@pytest.mark.parametrize(
    ("choices", "sentence"),
    [
        (dict(validation=0), "share of 0 is not possible"),
        (dict(validation=1.0), "share of 1 is not possible"),
        (dict(shard_tokens=0), "Shards of 0 tokens"),
        (dict(tokenizer="bpe", vocabulary=256), "vocabulary of 256 is not possible: choose 257 to 65536"),
        (dict(tokenizer="words"), "words is not a tokenizer that nlcore saved"),
        (dict(column="body"), "Line 1 of .*texts.jsonl has no column 'body'"),
        (dict(validation=1e-9), "Of 30 documents, 0 were held out at a share of 1e-09"),
    ],
)
def test_a_plan_that_will_not_do_gets_one_sentence(tmp_path, choices, sentence):
    with pytest.raises(DataError, match=sentence):
        shards(tmp_path, texts(30), **choices)
    assert not (tmp_path / "shards" / "manifest.json").exists()


def test_text_that_is_all_the_same_cannot_be_held_out(tmp_path):
    base = texts(1, longest=2000)[0]
    with pytest.raises(DataError, match="All that was held out is nearly the same as training text"):
        shards(tmp_path, [f"{base} {number}" for number in range(60)])


def test_a_folder_with_other_files_is_left_alone(tmp_path):
    (tmp_path / "shards").mkdir()
    (tmp_path / "shards" / "mine.bin").write_text("mine")
    with pytest.raises(DataError, match=r"holds other files \(mine.bin\): name a new folder"):
        shards(tmp_path, texts(30))
    assert content(tmp_path / "shards") == {"mine.bin": b"mine"}


def test_a_disk_without_room_is_said_before_anything_is_written(tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=sharding.RESERVE + 30_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(DataError, match="0.1 GB free, and about 0.1 GB are needed: make room"):
        shards(tmp_path, texts(300))
    assert content(tmp_path / "shards") == {}
    assert shards(tmp_path, texts(30)).manifest["train"]["documents"] > 10


def test_one_process_at_a_time(tmp_path):
    (tmp_path / "shards").mkdir()
    with FileLock(tmp_path / "shards" / ".lock"), pytest.raises(DataError, match="is being prepared by another process"):
        shards(tmp_path, texts(30))


def test_a_damaged_journal_is_said(tmp_path):
    (tmp_path / "shards").mkdir()
    for text in ("{", "[]", json.dumps({"format": "another"}), json.dumps({"format": FORMAT})):
        (tmp_path / "shards" / "progress.json").write_text(text)
        with pytest.raises(DataError, match="progress.json is damaged: prepare anew in another folder"):
            shards(tmp_path, texts(30))


def test_progress_says_how_much_how_fast_and_how_long(tmp_path, monkeypatch):
    monkeypatch.setattr("nlcore.tasks.meter.EVERY", 0.0)
    monkeypatch.setattr(sharding, "GROUP", 5000)
    said = []
    prepare(Plan((written(tmp_path / "a.jsonl", texts(200)),), **PLAN), tmp_path / "shards", said.append)
    assert any("documents, 0 MB of text, " in line and "MB/s, about 0.0 minutes left" in line for line in said)
    assert said[-2].startswith("200 documents")


def test_the_command_makes_shards_and_shows_them(tmp_path, capsys):
    name = written(tmp_path / "a.jsonl", [*texts(60), ""])
    shown = main(["prepare", name, "--out", str(tmp_path / "out"), "--validation", "0.2", "--shard-tokens", "1e4"])
    assert shown == main([str(tmp_path / "out")])
    assert "train" in shown and "bytes, 256 tokens, 1.000 bytes a token" in shown and "1 empty" in shown and name in shown
    with pytest.raises(SystemExit):
        main(["prepare", name, "--out", "x", "--shard-tokens", "1.5"])
    assert capsys.readouterr().err.count("\n") == 1
