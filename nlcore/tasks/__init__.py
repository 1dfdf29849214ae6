"""Text to learn from: corpora, tokenizers, batches, and the marks that counting alone sets."""

from nlcore.tasks.batches import Batches, sequential
from nlcore.tasks.corpus import Corpus, DataError, Document, builtin, join
from nlcore.tasks.shards import Shards
from nlcore.tasks.source import load
from nlcore.tasks.text import from_path
from nlcore.tasks.tokens import Tokens, prepare

__all__ = [
    "Batches",
    "Corpus",
    "DataError",
    "Document",
    "Shards",
    "Tokens",
    "builtin",
    "from_path",
    "join",
    "load",
    "prepare",
    "sequential",
]
