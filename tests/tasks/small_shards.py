"""Small folders of shards: documents of made-up words, each of its own."""

import json
import random
from collections.abc import Iterable
from pathlib import Path
from unittest.mock import patch

from nlcore.tasks import Shards, sharding
from nlcore.tasks.sharding import Plan, prepare

PLAN = dict(validation=0.2, shard_tokens=4000)


def texts(count: int, seed: int = 0, longest: int = 120) -> list[str]:
    """Documents of 5 to `longest` words; no two are alike."""
    draw = random.Random(seed)
    words = ["".join(draw.choices("abcdefghijklmnop", k=draw.randint(2, 9))) for _ in range(2000)]
    return [" ".join(draw.choices(words, k=draw.randint(5, longest))) + "\n\u00e4" for _ in range(count)]


def written(path: Path, documents: Iterable[str | None]) -> str:
    """The name of a file of JSON lines with these documents."""
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in documents))
    return str(path)


def shards(folder: Path, documents: Iterable[str | None], **choices: object) -> Shards:
    """Shards of these documents in `folder`/shards: some, since few documents are tokenised together."""
    plan = Plan((written(folder / "texts.jsonl", documents),), **PLAN | choices)
    with patch.object(sharding, "GROUP", 1500):
        return prepare(plan, folder / "shards", lambda line: None)


def held(made: Shards, split: str) -> list[str]:
    """The documents of a split, without their ends."""
    found = [made.tokenizer.decode(document) for document in made.stream(split).documents()]
    assert all(text.endswith("\0") for text in found)
    return [text[:-1] for text in found]
