"""A corpus as tokens: what training reads."""

import io
from dataclasses import dataclass

import numpy as np

from nlcore.tasks import cache
from nlcore.tasks.corpus import Corpus, DataError, join
from nlcore.tasks.shards import Shards, Stream
from nlcore.tasks.text import readable
from nlcore.tasks.tokenizers import ByteTokenizer, Tokenizer


@dataclass(frozen=True)
class Tokens:
    """Train and validation tokens, each (N,) uint8 or uint16; of shards each a `Stream`, which reads what it is asked for.

    `bytes_per_token` is that of the validation text: loss in nats a token / ln 2 / it = bits per byte.
    """

    train: np.ndarray | Stream
    validation: np.ndarray | Stream
    bytes_per_token: float


def prepare(corpus: Corpus | Shards, tokenizer: Tokenizer) -> Tokens:
    """The documents of both splits, joined and tokenised; what takes long (BPE) comes from the cache next time.

    Raises DataError for shards that another tokenizer made.
    """
    if isinstance(corpus, Shards):
        if tokenizer.to_json() != corpus.tokenizer.to_json():
            raise DataError(f"{readable(corpus.path)} was made by another tokenizer than the run's: name shards that its own made.")
        return Tokens(corpus.stream("train"), corpus.stream("validation"), corpus.bytes_per_token)
    train, validation = join(corpus.train), join(corpus.validation)
    if isinstance(tokenizer, ByteTokenizer):
        return Tokens(np.frombuffer(train, np.uint8), np.frombuffer(validation, np.uint8), 1.0)
    saved_as = f"tokens-{cache.key(corpus.hash, tokenizer.to_json())}.npz"
    saved = cache.load(saved_as)
    if saved is None:
        arrays = {"train": tokenizer.encode(train.decode()), "validation": tokenizer.encode(validation.decode())}
        np.savez(file := io.BytesIO(), **arrays)
        cache.save(saved_as, file.getvalue())
    else:
        arrays = np.load(io.BytesIO(saved))
    held_out = arrays["validation"]
    return Tokens(arrays["train"], held_out, len(validation) / max(len(held_out), 1))
