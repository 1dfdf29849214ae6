"""Text to tokens and back, exactly."""

import os
import random
import subprocess
import sys

import numpy as np
import pytest
import torch

from nlcore.tasks import cache, tokenizers
from nlcore.tasks.corpus import Corpus, DataError, Document
from nlcore.tasks.tokenizers import BPETokenizer, ByteTokenizer, load, make, save, train_bpe
from nlcore.tasks.tokens import prepare

FUNCTION = "def function_{0}(argument):\n    return argument + {0}  # naïve, but enough\n\n\n"
TEXT = "".join(FUNCTION.format(i) for i in range(1000))
CORPUS = Corpus("toy", (Document("d", "a", TEXT.encode()),), (Document("d", "b", TEXT[5000:9000].encode()),), {})

CASES = {
    "empty": "",
    "one": "a",
    "spaces": "  leading,   inner and trailing  \n\n\n\t\t\r\n \r ",
    "unicode": "naïve Ünï 漢字 \N{GRINNING FACE}\N{ZERO WIDTH JOINER}\N{HOT BEVERAGE} e\u0301 \u202e\ufeff\u2028",
    "control": "".join(map(chr, range(256))),
    "special": "<|endoftext|> <unk> [MASK] </s>",
    "long line": "x" * 200_000 + " " * 70_000,
    "many lines": "line of some length\n" * 20_000,
    "random": "".join(map(chr, random.Random(0).sample([*range(0xD800), *range(0xE000, 0x110000)], 3000))),
}


@pytest.fixture(scope="module", params=["bytes", "bpe"])
def tokenizer(request):
    return ByteTokenizer() if request.param == "bytes" else train_bpe(CORPUS, 400)


@pytest.mark.parametrize("case", CASES)
def test_decoding_gives_the_text_back(tokenizer, case):
    tokens = tokenizer.encode(CASES[case])
    assert tokenizer.decode(tokens) == CASES[case]
    assert len(tokens) == 0 or tokens.max() < tokenizer.vocabulary


def test_tokens_are_small_numbers_and_decode_from_lists_arrays_and_tensors(tokenizer):
    tokens = tokenizer.encode("def function")
    assert tokens.dtype == (np.uint8 if tokenizer.vocabulary == 256 else np.uint16)
    assert tokenizer.decode(tokens.tolist()) == tokenizer.decode(torch.tensor(tokens.tolist())) == "def function"


def test_bytes_that_are_no_text_decode_to_a_mark(tokenizer):
    half = tokenizer.encode("漢")[:1]
    assert tokenizer.decode(half) == "\ufffd"


@pytest.mark.parametrize("token", [-1, 65_535, "first"])
def test_a_token_outside_the_vocabulary_is_refused(tokenizer, token):
    token = tokenizer.vocabulary if token == "first" else token
    with pytest.raises(DataError, match=f"Token {token} is not in the vocabulary of {tokenizer.vocabulary}: "):
        tokenizer.decode([65, token])


def test_saved_and_loaded_it_is_the_same(tokenizer, tmp_path):
    save(tokenizer, tmp_path / "tokenizer.json")
    again = load(tmp_path / "tokenizer.json")
    assert type(again) is type(tokenizer) and again.vocabulary == tokenizer.vocabulary
    assert np.array_equal(again.encode(TEXT), tokenizer.encode(TEXT))


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"kind": "bpe", "model": "nonsense"}'])
def test_another_file_is_no_tokenizer(content, tmp_path):
    if content is not None:
        (tmp_path / "x.json").write_text(content)
    with pytest.raises(DataError, match="x.json is not a tokenizer that nlcore saved: "):
        load(tmp_path / "x.json")


def test_bpe_shortens_the_text_and_has_the_size_asked_for():
    bpe = train_bpe(CORPUS, 400)
    assert bpe.vocabulary == 400
    assert len(bpe.encode(TEXT)) < len(TEXT.encode()) / 2


def test_bpe_encodes_many_pieces_as_it_encodes_each(monkeypatch):
    bpe = train_bpe(CORPUS, 400)
    monkeypatch.setattr(tokenizers, "PIECE", 200)
    monkeypatch.setattr(tokenizers, "TOGETHER", 3)
    functions = [FUNCTION.format(i) for i in range(30)]
    assert bpe.decode(tokens := bpe.encode("".join(functions))) == "".join(functions)
    pieces = list(tokenizers._pieces("".join(functions), 200))
    assert len(pieces) > 3 and np.array_equal(tokens, np.concatenate([bpe.encode(piece) for piece in pieces]))


def test_text_without_breaks_is_learned_from_in_pieces():
    """What the library learns from one piece without breaks costs more than its length."""
    text = "ab" * tokenizers.LEARNED
    bpe = train_bpe(Corpus("dna", (Document("d", "a", text.encode()),), (), {}), 400)
    longest = max(len(bpe.decode([token])) for token in range(bpe.vocabulary))
    assert longest == tokenizers.LEARNED  # one piece, and not the whole text


def test_bpe_of_a_small_text_has_fewer_tokens():
    small = Corpus("small", (Document("d", "a", b"abab abab"),), (), {})
    assert 256 < train_bpe(small, 1000).vocabulary < 270


def test_bpe_is_the_same_in_another_process():
    script = "import test_tokenizers as t; print(t.train_bpe(t.CORPUS, 400).to_json(), end='')"
    there = subprocess.run(
        [sys.executable, "-c", script],
        cwd=__file__.rsplit("/", 1)[0],
        env=os.environ | {"PYTHONHASHSEED": "7", "TOKENIZERS_PARALLELISM": "false"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout == train_bpe(CORPUS, 400).to_json()


@pytest.mark.parametrize("size", [-1, 0, 256, 65_537])
def test_an_impossible_vocabulary_is_refused(size):
    with pytest.raises(DataError, match=f"A BPE vocabulary of {size} is not possible: choose 257 to 65536"):
        train_bpe(CORPUS, size)


def test_without_its_library_bpe_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    for attempt in (lambda: train_bpe(CORPUS, 400), lambda: BPETokenizer("{}")):
        with pytest.raises(DataError, match="pip install tokenizers, or choose the tokenizer 'bytes'"):
            attempt()
    assert make("bytes", CORPUS).decode([65]) == "A"


def test_an_unknown_kind_is_refused():
    with pytest.raises(DataError, match="There is no tokenizer 'words': choose bytes or bpe"):
        make("words", CORPUS)


def test_a_made_tokenizer_is_learned_once(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = make("bpe", CORPUS, 300)
    monkeypatch.setattr(tokenizers, "train_bpe", lambda *_: pytest.fail("learned again"))
    assert make("bpe", CORPUS, 300).to_json() == first.to_json()


def test_a_prepared_corpus_is_its_text_in_tokens(tokenizer, monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first, cached = prepare(CORPUS, tokenizer), prepare(CORPUS, tokenizer)
    for tokens in (first, cached):
        assert tokenizer.decode(tokens.train) == TEXT
        assert tokenizer.decode(tokens.validation) == TEXT[5000:9000]
        assert tokens.bytes_per_token == len(TEXT[5000:9000].encode()) / len(tokens.validation)


def test_prepared_tokens_come_from_the_cache_and_survive_its_damage(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    bpe = train_bpe(CORPUS, 300)
    first = prepare(CORPUS, bpe)
    (kept,) = cache.folder().iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(bpe, "encode", lambda _: pytest.fail("encoded again"))
        prepare(CORPUS, bpe)
    kept.write_bytes(kept.read_bytes()[:-1])
    assert np.array_equal(prepare(CORPUS, bpe).train, first.train)
    assert not np.array_equal(prepare(CORPUS, train_bpe(CORPUS, 301)).train, first.train)
