"""Text to numbers and back: bytes as they are, or byte pairs merged by how often they meet (BPE)."""

import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from torch import Tensor

from nlcore.tasks import cache
from nlcore.tasks.corpus import Corpus, DataError

KINDS = ("bytes", "bpe")
LARGEST = 65_536  # tokens are kept in 16 bits
PIECE = 65_536  # characters encoded as one
LEARNED = 1024  # characters learned from as one: text without breaks then costs as much a character as any
TOGETHER = 64  # pieces encoded side by side: enough for all cores, and it bounds memory


class Tokenizer(Protocol):
    """`vocabulary` counts its tokens. `decode(encode(text))` is the text again, whatever the text."""

    vocabulary: int

    def encode(self, text: str) -> np.ndarray:
        """Tokens (N,): uint8 for at most 256 of them, else uint16."""
        ...

    def encode_all(self, texts: Sequence[str]) -> list[np.ndarray]:
        """The tokens of each text, as `encode` gives them, computed side by side."""
        ...

    def decode(self, tokens: Sequence[int] | np.ndarray | Tensor) -> str:
        """Text of tokens (N,); bytes that are no UTF-8, as a model may write, become U+FFFD.

        Raises:
            DataError: for a token outside the vocabulary.
        """
        ...

    def to_json(self) -> str:
        """All of it in the JSON of the `tokenizers` library; `save` writes that to a file, and `load` reads it."""
        ...


class ByteTokenizer:
    """A token is a byte of UTF-8."""

    vocabulary = 256

    def encode(self, text: str) -> np.ndarray:
        return np.frombuffer(text.encode(), np.uint8)

    def encode_all(self, texts: Sequence[str]) -> list[np.ndarray]:
        return [self.encode(text) for text in texts]

    def decode(self, tokens: Sequence[int] | np.ndarray | Tensor) -> str:
        return bytes(_checked(tokens, self.vocabulary)).decode(errors="replace")

    def to_json(self) -> str:
        """Byte-level BPE without a merge: so the library reads bytes as it reads any other vocabulary."""
        level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
        model = {"type": "BPE", "vocab": {letter: byte for byte, letter in enumerate(_letters())}, "merges": []}
        whole = {"version": "1.0", "added_tokens": [], "pre_tokenizer": level, "decoder": level, "model": model}
        return json.dumps(whole, ensure_ascii=False)


class BPETokenizer:
    """Byte-level BPE (Sennrich et al. 2016, on bytes as GPT-2): no unknown and no special tokens."""

    def __init__(self, model: str) -> None:
        """`model` is the JSON of the `tokenizers` library. Raises DataError without that library."""
        self._model = model
        self._tokenizer = _library().Tokenizer.from_str(model)
        self._tokenizer.encode_special_tokens = True  # tokens that others have added are for their padding, not for text
        self.vocabulary: int = self._tokenizer.get_vocab_size(with_added_tokens=False)

    def encode(self, text: str) -> np.ndarray:
        return self.encode_all([text])[0]

    def encode_all(self, texts: Sequence[str]) -> list[np.ndarray]:
        pieces = [(index, piece) for index, text in enumerate(texts) for piece in _pieces(text, PIECE)]
        parts: list[list[np.ndarray]] = [[np.empty(0, np.uint16)] for _ in texts]
        for at in range(0, len(pieces), TOGETHER):
            some = pieces[at : at + TOGETHER]
            encodings = self._tokenizer.encode_batch_fast([piece for _, piece in some])
            for (index, _), encoding in zip(some, encodings):
                parts[index].append(np.array(encoding.ids, np.uint16))
        return [np.concatenate(part) for part in parts]

    def decode(self, tokens: Sequence[int] | np.ndarray | Tensor) -> str:
        return self._tokenizer.decode(_checked(tokens, self.vocabulary))

    def to_json(self) -> str:
        return self._model


def train_bpe(corpus: Corpus, vocabulary: int) -> BPETokenizer:
    """A BPE tokenizer of so many tokens, learned from the corpus' training text, as `learned` makes it."""
    return learned((document.content.decode() for document in corpus.train), vocabulary)


def learned(texts: Iterable[str], vocabulary: int) -> BPETokenizer:
    """A BPE tokenizer of so many tokens, learned from these texts; the same each time.

    A small text has fewer pairs that repeat, and gives fewer tokens.

    Raises:
        DataError: if the vocabulary is not within 257 and 65536, or the `tokenizers` library is missing.
    """
    if not 256 < vocabulary <= LARGEST:
        raise DataError(f"A BPE vocabulary of {vocabulary} is not possible: choose 257 to {LARGEST}.")
    library = _library()
    tokenizer = library.Tokenizer(library.models.BPE())
    tokenizer.pre_tokenizer = library.pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = library.decoders.ByteLevel()
    trainer = library.trainers.BpeTrainer(
        vocab_size=vocabulary,
        min_frequency=2,
        show_progress=False,
        initial_alphabet=sorted(library.pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator((piece for text in texts for piece in _pieces(text, LEARNED)), trainer)
    return BPETokenizer(tokenizer.to_str())


def make(kind: str, corpus: Corpus, vocabulary: int = 256) -> Tokenizer:
    """The tokenizer for a corpus: "bytes" (which needs no vocabulary), or "bpe", learned once and then cached.

    Raises:
        DataError: for another kind, or as `learned` does.
    """
    if kind not in KINDS:
        raise DataError(f"There is no tokenizer {kind!r}: choose {' or '.join(KINDS)}.")
    if kind == "bytes":
        return ByteTokenizer()
    saved_as = f"bpe-{cache.key(Path(__file__).read_bytes(), corpus.hash, str(vocabulary))}.json"
    saved = cache.load(saved_as)
    if saved is not None:
        return BPETokenizer(saved.decode())
    tokenizer = train_bpe(corpus, vocabulary)
    cache.save(saved_as, tokenizer.to_json().encode())
    return tokenizer


def save(tokenizer: Tokenizer, path: str | Path) -> None:
    """Writes a tokenizer to a JSON file."""
    Path(path).write_text(tokenizer.to_json(), encoding="utf-8")


def load(path: str | Path) -> Tokenizer:
    """Reads what `save` wrote, or an earlier version's, which named a kind. Raises DataError for another file."""
    try:
        text = Path(path).read_text(encoding="utf-8")
        stored = json.loads(text)
        if "kind" in stored:
            return ByteTokenizer() if stored["kind"] == "bytes" else BPETokenizer(stored["model"])
        return ByteTokenizer() if _is_bytes(stored["model"]) else BPETokenizer(text)
    except DataError:  # the library is missing
        raise
    except Exception as error:  # of the library too, which raises nothing narrower
        raise DataError(f"{path} is not a tokenizer that nlcore saved: name one, or train anew.") from error


def text_of(tokens: np.ndarray, tokenizer: Tokenizer) -> bytes:
    """The bytes of some tokens (N,). A BPE token may be part of a character: then it counts as U+FFFD."""
    if isinstance(tokenizer, ByteTokenizer):
        return tokens.astype(np.uint8).tobytes()
    return tokenizer.decode(tokens).encode()


def _letters() -> str:
    """A letter for each byte, that byte itself where it is a visible letter of Latin-1: the library's byte level."""
    visible = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    spare = itertools.count(0x100)
    return "".join(chr(byte if byte in visible else next(spare)) for byte in range(256))


def _is_bytes(model: dict[str, Any]) -> bool:
    return not model["merges"] and model["vocab"] == {letter: byte for byte, letter in enumerate(_letters())}


def _library():
    try:
        import tokenizers
    except ImportError as error:
        raise DataError(
            "BPE needs the tokenizers library: pip install tokenizers, or choose the tokenizer 'bytes'."
        ) from error
    return tokenizers


def _checked(tokens: Sequence[int] | np.ndarray | Tensor, vocabulary: int) -> list[int]:
    numbers = np.asarray(tokens).astype(np.int64).tolist()
    wrong = next((number for number in numbers if not 0 <= number < vocabulary), None)
    if wrong is not None:
        raise DataError(f"Token {wrong} is not in the vocabulary of {vocabulary}: decode with the run's own tokenizer.")
    return numbers


def _pieces(text: str, size: int) -> Iterator[str]:
    """The text in pieces that end with a line, or where there is none, after `size` characters."""
    at = 0
    while at < len(text):
        end = text.rfind("\n", at, at + size) + 1
        end = end if end and at + size < len(text) else at + size
        yield text[at:end]
        at = end
