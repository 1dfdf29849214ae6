"""Makes a folder of shards from documents, and goes on where it was stopped.

The documents are read once, in order. After each full shard the journal says which documents are in: what is written
later does not count until the next entry, so a kill costs the work on one shard and neither repeats nor loses a document.
Which documents are held out follows from their own text, so that two copies are always on the same side; what is held
out then loses its repeats and whatever is nearly the same as something in the training text.
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout

from nlcore.tasks import formats, held_out, shards, tokenizers
from nlcore.tasks.corpus import DataError
from nlcore.tasks.formats import Source
from nlcore.tasks.meter import Meter
from nlcore.tasks.shard_files import HALF, Growing, put
from nlcore.tasks.shards import END, FORMAT, JOURNAL, MANIFEST, TOKENIZER, Shards
from nlcore.tasks.text import readable
from nlcore.tasks.tokenizers import KINDS, Tokenizer

GROUP = 1 << 20
"""Characters that are tokenised side by side."""
LEARN, SAMPLE = 64_000_000, 4_000_000
"""Characters that BPE is learned from, and by which the room on the disk is judged: as many of each source."""
RESERVE = 64 << 20
"""Bytes of the disk that are left alone."""
LOCK = ".lock"


@dataclass(frozen=True)
class Plan:
    """What is asked for: all of it decides the shards, bit for bit.

    Raises DataError for values that make no sense.
    """

    sources: tuple[str, ...]
    tokenizer: str = "bytes"
    """`bytes`, `bpe`, or the file of a tokenizer that `tokenizers.save` wrote."""
    vocabulary: int = 32_000
    """Of `bpe`."""
    column: str = "text"
    validation: float = 0.005
    """Share of the documents that is held out."""
    shard_tokens: int = 100_000_000

    def __post_init__(self) -> None:
        if not 0 < self.validation < 1:
            raise DataError(f"A validation share of {self.validation:g} is not possible: give one above 0 and below 1.")
        if self.shard_tokens < 1:
            raise DataError(f"Shards of {self.shard_tokens} tokens are not possible: give 1 or more, as 100e6.")
        if self.tokenizer == "bpe" and not 256 < self.vocabulary <= tokenizers.LARGEST:
            raise DataError(f"A BPE vocabulary of {self.vocabulary} is not possible: choose 257 to {tokenizers.LARGEST}.")


def prepare(plan: Plan, out: str | Path, say: Callable[[str], None] = print) -> Shards:
    """The shards of a plan, in the folder `out`, which it makes, or in which it goes on.

    Raises:
        DataError: one sentence for what cannot be done: a source that is not there or not of its format, a folder with
            other files or of another plan, a disk without room. What was done before stays, and the same call goes on.
    """
    out = Path(out).expanduser()
    found, others = formats.sources(plan.sources)
    try:
        out.mkdir(parents=True, exist_ok=True)
        with FileLock(out / LOCK, blocking=False):
            return _Work(plan, out, found, others, say).run()
    except Timeout as error:
        raise DataError(f"{readable(out)} is being prepared by another process: wait for it, or name another folder.") from error
    except OSError as error:
        where = readable(error.filename or out)
        raise DataError(f"{where} cannot be written ({error.strerror}): see to that, and give the command again.") from error


class _Work:
    """One call of `prepare`. Its journal holds what was asked, the facts of all units, a training shard and what was held
    out beside it each, and the place of the next document: the number of its source, and its own in there.
    """

    def __init__(
        self, plan: Plan, out: Path, sources: list[Source], others: list[str], say: Callable[[str], None]
    ) -> None:
        self.plan, self.out, self.sources, self.say = plan, out, sources, say
        asked = vars(plan) | {"sources": [[source.name, source.size] for source in sources], "other_files": others}
        if plan.tokenizer not in KINDS:
            asked["tokenizer"] = hashlib.sha256(tokenizers.load(plan.tokenizer).to_json().encode()).hexdigest()
        self.asked = json.loads(json.dumps(asked))

    def run(self) -> Shards:
        if (self.out / MANIFEST).exists():
            made = shards.load(self.out)
            self._same(made.manifest["asked"])
        else:
            self._make()
            made = shards.load(self.out)
        self._tidy({shard["name"] for split in shards.SPLITS for shard in made.manifest[split]["shards"]})
        (self.out / JOURNAL).unlink(missing_ok=True)
        return made

    def _make(self) -> None:
        self.journal = self._begun() or self._begin()
        self.tokenizer = self._tokenizer()
        self.end = self.tokenizer.encode(END)
        self.meter = Meter(self.sources, self.say)
        while not self.journal["read"]:
            self._unit()
        self.say("Comparing what was held out with the training text.")
        train, held = ([unit[side] for unit in self.journal["units"] if unit[side]["tokens"]] for side in ("train", "held"))
        manifest = held_out.manifest(self.out, self.asked, train, held, self.tokenizer)
        manifest["left_out"] = self.journal["left_out"] | manifest["left_out"]
        put(self.out / MANIFEST, _json(manifest))

    def _begun(self) -> dict[str, Any] | None:
        """The journal that is there, and only its shards beside it."""
        if not (self.out / JOURNAL).exists():
            return None
        journal = shards.read(self.out / JOURNAL)
        if journal.get("format") != FORMAT or not {"asked", "units", "next", "read", "left_out"} <= journal.keys():
            raise DataError(f"{readable(self.out / JOURNAL)} is damaged: prepare anew in another folder.")
        self._same(journal["asked"])
        self._tidy({shard["name"] for unit in journal["units"] for shard in unit.values()})
        return journal

    def _begin(self) -> dict[str, Any]:
        others = [path.name for path in self.out.iterdir() if path.name != LOCK and not path.name.endswith(HALF)]
        if others:
            raise DataError(f"{readable(self.out)} holds other files ({readable(others[0])}): name a new folder, or an empty one.")
        self._afford(self._expected(), "about ")
        journal = {"format": FORMAT, "asked": self.asked, "units": [], "next": [0, 0], "read": False, "left_out": {}}
        put(self.out / JOURNAL, _json(journal))
        return journal

    def _same(self, asked: dict[str, Any]) -> None:
        other = next((name for name, value in self.asked.items() if asked.get(name) != value), None)
        if other is not None:
            raise DataError(
                f"{readable(self.out)} was begun with another {other.replace('_', ' ')} (sources count with their sizes): "
                "give what it was begun with, or name another folder."
            )

    def _tidy(self, counted: set[str]) -> None:
        """Removes half files, and shards that do not count."""
        for path in self.out.iterdir():
            if path.name.endswith(HALF) or path.suffix in (".bin", ".idx") and path.stem not in counted:
                path.unlink()

    def _sample(self, sources: list[Source], size: int) -> Iterator[tuple[Source, str, float]]:
        """The beginnings of the sources, so many characters together, each with the share of its source that is read then."""
        for source in sources:
            left = size // len(sources) + 1
            for text, share in formats.documents(source, self.plan.column):
                yield source, text or "", share
                left -= len(text or "")
                if left <= 0:
                    break

    def _expected(self) -> float:
        """Bytes that the shards will take, judged by the beginnings of the files; a token of BPE is half a letter, or less."""
        files, text, read = [source for source in self.sources if source.size], 0, {}
        for source, content, share in self._sample(files, SAMPLE):
            text, read[source] = text + len(content.encode(errors="replace")), share * source.size
        grown = text / max(sum(read.values()), 1)
        return sum(source.size for source in files) * grown * (1 if self.plan.tokenizer == "bytes" else 0.5)

    def _afford(self, needed: float, about: str = "") -> None:
        free = shutil.disk_usage(self.out).free
        if free < needed + RESERVE:
            raise DataError(
                f"{readable(self.out)} lies on a disk with {free / 1e9:.1f} GB free, and {about}{(needed + RESERVE) / 1e9:.1f} GB "
                "are needed: make room, or name a folder on another disk."
            )

    def _tokenizer(self) -> Tokenizer:
        """Learned once; from then on it stands in the folder."""
        path, kind = self.out / TOKENIZER, self.plan.tokenizer
        if path.exists():
            return tokenizers.load(path)
        if kind == "bpe":
            self.say("Learning the tokenizer from the beginnings of the sources.")
            texts = (text for _, text, _ in self._sample(self.sources, LEARN) if not _fault(text))
            made: Tokenizer = tokenizers.learned(texts, self.plan.vocabulary)
        else:
            made = tokenizers.ByteTokenizer() if kind == "bytes" else tokenizers.load(kind)
        put(path, made.to_json().encode())
        return made

    def _unit(self) -> None:
        """Reads until a training shard is full, or all is read; then writes both shards, and the entry that counts them."""
        unit, left_out, number = {"train": Growing(), "held": Growing()}, Counter(self.journal["left_out"]), len(self.journal["units"])
        for texts in self._groups():
            faults = [_fault(text) for text in texts]
            left_out.update(fault for fault in faults if fault)
            kept = [text for text, fault in zip(texts, faults) if not fault]
            sizes = [len(text.encode()) for text in kept]
            for text, size, tokens in zip(kept, sizes, self.tokenizer.encode_all(kept)):
                side = "held" if _place(text) < self.plan.validation else "train"
                unit[side].add(np.append(tokens, self.end), size + 1)
            self.meter.show(self.journal["next"][0], len(texts), sum(sizes))
            if unit["train"].tokens >= self.plan.shard_tokens:
                break
        else:
            self.journal["read"] = True
        self._afford(self.end.itemsize * sum(shard.tokens for shard in unit.values()))
        names = {"train": f"train-{number:05d}", "held": f"held-{number:05d}"}
        self.journal["units"].append({side: shard.put(self.out, names[side]) for side, shard in unit.items()})
        self.journal["left_out"] = dict(left_out)
        put(self.out / JOURNAL, _json(self.journal))

    def _groups(self) -> Iterator[list[str | None]]:
        """Documents that are tokenised together; the journal's `next` is then the one after them."""
        first, skip = self.journal["next"]
        for index, source in enumerate(self.sources[first:], first):
            texts, size, number = [], 0, skip if index == first else 0
            for text, self.meter.share in formats.documents(source, self.plan.column, number):
                texts.append(text)
                number, size = number + 1, size + len(text or "")
                if size >= GROUP:
                    self.journal["next"] = [index, number]
                    yield texts
                    texts, size = [], 0
            self.journal["next"], self.meter.share = [index + 1, 0], 0.0
            yield texts


def _fault(text: str | None) -> str:
    """Why a document is left out; "" if it is not."""
    if not text or text.isspace():
        return "empty"
    if END in text:
        return "with a zero character"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "with half a character"
    return ""


def _place(text: str) -> float:
    """0 to 1 by the text alone, but for its case and white space: documents below the share are held out."""
    plain = " ".join(text.lower().split()).encode()
    return int.from_bytes(hashlib.blake2b(plain, digest_size=8).digest()) / 2**64


def _json(record: dict[str, Any]) -> bytes:
    return (json.dumps(record, indent=1, ensure_ascii=False) + "\n").encode(errors="backslashreplace")
