"""What `--data` may say, and the corpus it means."""

import os
from pathlib import Path

from nlcore.tasks import corpus, shards, text
from nlcore.tasks.corpus import DataError


def load(spec: str) -> corpus.Corpus | shards.Shards:
    """`builtin`, `builtin:python,english`, a folder of shards, or a path to a file or folder of text (`./builtin` if it is
    named so).

    Raises:
        DataError: one sentence that says what is wrong with the input.
    """
    if not spec.strip():
        raise DataError("No text was named: name a file or a folder of text ('.' for this one), or 'builtin'.")
    kind, colon, names = spec.partition(":")
    if kind != "builtin":
        if shards.is_shards(Path(os.path.expanduser(spec))):
            return shards.load(spec)
        return text.from_path(spec)
    return corpus.builtin([name.strip() for name in names.split(",") if name.strip()]) if colon else corpus.builtin()
