"""The validation shards and the manifest: what was held out, without what the training text holds too."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nlcore.tasks import near
from nlcore.tasks.corpus import DataError
from nlcore.tasks.entropy import order1
from nlcore.tasks.shard_files import filled
from nlcore.tasks.shards import FORMAT, TOKENIZER, Stream, digest, total
from nlcore.tasks.tokenizers import ByteTokenizer, Tokenizer, text_of

PIECE = 1 << 20
"""Tokens that are decoded at once, about."""


def manifest(
    out: Path, asked: dict[str, Any], train: list[dict[str, Any]], held: list[dict[str, Any]], tokenizer: Tokenizer
) -> dict[str, Any]:
    """Writes the validation shards from those `held` out; the manifest of all, its hash with it.

    Raises DataError if nothing is left to train on or to validate on.
    """
    dtype = tokenizer.encode("").dtype
    counts = [sum(shard["documents"] for shard in shards) for shards in (train, held)]
    if not all(counts):
        raise DataError(
            f"Of {sum(counts):,} documents, {counts[1]:,} were held out at a share of {asked['validation']:g}, and both sides "
            "need some: give more documents, or another --validation in a new folder."
        )
    text, left_out = Stream(out, held, dtype), Counter()
    alone = list(_alone(text, Stream(out, train, dtype), left_out))
    documents = ((document, len(text_of(document, tokenizer))) for document, keep in zip(text.documents(), alone) if keep)
    made = [
        shard.put(out, f"validation-{number:05d}") for number, shard in enumerate(filled(documents, asked["shard_tokens"]))
    ]
    if not made:
        raise DataError("All that was held out is nearly the same as training text: give documents that differ more.")
    file = out / TOKENIZER
    found = {
        "format": FORMAT,
        "name": out.resolve().name,
        "asked": asked,
        "dtype": dtype.name,
        "tokenizer": {
            "kind": "bytes" if isinstance(tokenizer, ByteTokenizer) else "bpe",
            "vocabulary": tokenizer.vocabulary,
            "file": [file.stat().st_size, digest(file)],
        },
        "train": _totals(train),
        "validation": _totals(made) | {"order1_entropy": order1(_pieces(Stream(out, made, dtype), tokenizer))},
        "left_out": dict(left_out),
    }
    return found | {"hash": total(found)}


def _alone(held: Stream, train: Stream, left_out: Counter) -> Iterator[bool]:
    """Of each document that was held out, whether it stays: the first of its kind, and not nearly in the training text."""
    pieces = (piece for number in range(len(train.shards)) for piece in near.pieces(train.part(number)))
    seen = set()
    for document, share in zip(held.documents(), near.shares(held.documents(), pieces)):
        key = hashlib.blake2b(document.tobytes(), digest_size=16).digest()
        why = "validation repeats" if key in seen else "validation near-duplicates of training text" if share >= near.MOST else ""
        seen.add(key)
        left_out.update([why] if why else [])
        yield not why


def _totals(shards: list[dict[str, Any]]) -> dict[str, Any]:
    return {name: sum(shard[name] for shard in shards) for name in ("tokens", "documents", "bytes")} | {"shards": shards}


def _pieces(text: Stream, tokenizer: Tokenizer) -> Iterator[bytes]:
    """All of a text in bytes, some documents at a time."""
    some: list[np.ndarray] = []
    for document in text.documents():
        some.append(document)
        if sum(map(len, some)) >= PIECE or len(some) >= 1024:
            yield text_of(np.concatenate(some), tokenizer)
            some = []
    if some:
        yield text_of(np.concatenate(some), tokenizer)
