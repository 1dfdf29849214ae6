"""A corpus: documents of one or more domains, split by file, with a manifest and a hash.

The built-in one is made from what `domains` lists, and needs no download.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from nlcore.tasks import cache, domains, filters, overlap
from nlcore.tasks.domains import DOMAINS
from nlcore.tasks.entropy import order1

LIMIT = 4_000_000  # bytes of one built-in domain, so that none drowns the others
VALIDATION = 0.1  # share of the bytes of a domain held out, at most; half of it at least
SEPARATOR = b"\n\n"


class DataError(ValueError):
    """Bad input. Its message is one sentence for the reader: what is wrong, and what to do."""


@dataclass(frozen=True)
class Document:
    """One file: its domain, its name there, and its text in UTF-8."""

    domain: str
    name: str
    content: bytes = field(repr=False)


def drawn(documents: Iterable[Document], purpose: str) -> tuple[Document, ...]:
    """The documents in an order that depends on the purpose and their names alone, as if shuffled.

    Each purpose has its own order, so that what was drawn for one stands evenly in the others.
    """

    def place(document: Document) -> bytes:
        return hashlib.sha256(f"{purpose}/{document.domain}/{document.name}".encode()).digest()

    return tuple(sorted(documents, key=place))


@dataclass(frozen=True)
class Corpus:
    """Documents to train on and others to validate on.

    `notes` says of each domain what the documents do not: what it is, what was left out, what is absent.
    """

    name: str
    train: tuple[Document, ...] = field(repr=False)
    validation: tuple[Document, ...] = field(repr=False)
    notes: dict[str, dict]

    @cached_property
    def hash(self) -> str:
        """SHA-256 over the split, name and content of every document: runs on different ones do not compare."""
        digest = hashlib.sha256()
        for split, document in self._documents():
            digest.update(f"{split}/{document.domain}/{document.name}/{len(document.content)}/".encode())
            digest.update(document.content)
        return digest.hexdigest()

    @cached_property
    def manifest(self) -> dict:
        """Name, hash, totals of each domain, and split, size in bytes and SHA-256 of each file; ready for JSON."""
        files = [
            {
                "domain": document.domain,
                "name": document.name,
                "split": split,
                "bytes": len(document.content),
                "sha256": hashlib.sha256(document.content).hexdigest(),
            }
            for split, document in self._documents()
        ]
        return {
            "name": self.name,
            "hash": self.hash,
            "domains": {domain: note | _totals(domain, files) for domain, note in self.notes.items()},
            "files": files,
        }

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of the documents of both splits."""
        totals = self.manifest["domains"].values()
        return {name: sum(domain[name] for domain in totals) for name in ("train_bytes", "validation_bytes")}

    @cached_property
    def held_out(self) -> tuple[int, float]:
        """Bytes of the joined validation text, and its order-1 entropy."""
        joined = join(self.validation)
        return len(joined), order1([joined])

    def _documents(self) -> list[tuple[str, Document]]:
        return [("train", document) for document in self.train] + [("validation", d) for d in self.validation]


def _totals(domain: str, files: list[dict]) -> dict[str, int]:
    own = [file for file in files if file["domain"] == domain]
    train, validation = (sum(f["bytes"] for f in own if f["split"] == split) for split in ("train", "validation"))
    names = {file["name"] for file in own}  # one that is cut has two parts
    return {"files": len(names), "bytes": train + validation, "train_bytes": train, "validation_bytes": validation}


def join(documents: Iterable[Document]) -> bytes:
    """The documents' texts in order, a blank line between them: what a model reads."""
    return SEPARATOR.join(document.content for document in documents)


def builtin(names: Sequence[str] = tuple(DOMAINS)) -> Corpus:
    """The built-in corpus: real text that is on this machine already.

    A domain that the machine lacks is absent, and the manifest says which packages it needs.
    Building takes a few seconds, once; then it comes from the cache.

    Raises:
        DataError: for a name that is no domain, or if no domain asked for is on this machine.
    """
    unknown = [name for name in names if name not in DOMAINS]
    if unknown or not names:
        wrong = f"There is no domain {unknown[0]!r}" if unknown else "No domain was named"
        raise DataError(f"{wrong}: choose among {', '.join(DOMAINS)}.")
    train, validation, notes = [], [], {}
    for name in (name for name in DOMAINS if name in names):
        documents, notes[name] = _domain(name)
        if documents:
            kept, held_out = split(documents)
            train += kept
            validation += held_out
    if not train:
        raise DataError(f"The built-in text for {', '.join(notes)} is not on this machine: {_advice(notes)}.")
    validation = _apart(train, validation, notes)
    title = "builtin" if len(notes) == len(DOMAINS) else "builtin:" + ",".join(notes)
    return Corpus(title, drawn(train, "mix"), drawn(validation, "mix"), notes)


def _apart(train: Iterable[Document], validation: Iterable[Document], notes: dict[str, dict]) -> list[Document]:
    """The validation documents without the lines that the training text shares; the notes get how many bytes that is."""
    known = overlap.blocks(document.content for document in train)
    rest = []
    for document in validation:
        kept = overlap.without(document.content, known)
        note = notes[document.domain]
        note["shared_bytes_left_out"] = note.get("shared_bytes_left_out", 0) + len(document.content) - len(kept)
        if kept.strip():
            rest.append(replace(document, content=kept))
    return rest


def _advice(notes: dict[str, dict]) -> str:
    packages = sorted({package for note in notes.values() for package in note["missing"]})
    return f"install {', '.join(packages)}" if packages else f"choose another of {', '.join(DOMAINS)}"


def _domain(name: str) -> tuple[tuple[Document, ...], dict]:
    """The documents of a built-in domain, up to the limit, and the note about it."""
    domain = DOMAINS[name]
    sources = list(domain.sources())
    note = {"what": domain.what, "missing": domain.missing(), "limit_bytes": LIMIT}
    # The code that filters is part of the key, so a change to it never meets text it did not filter.
    made_by = [Path(module.__file__).read_bytes() for module in (domains, filters)]
    stamps = "\n".join(f"{source.name} {source.stamp}" for source in sources)
    saved_as = f"{name}-{cache.key(*made_by, Path(__file__).read_bytes(), stamps)}.corpus"
    saved = cache.load(saved_as)
    if saved is None:
        documents, left_out = _build(name, domain.texts(sources))
        cache.save(saved_as, _pack(documents, left_out))
    else:
        documents, left_out = _unpack(name, saved)
    return documents, note | left_out | ({} if documents else {"absent": True})


def _build(domain: str, texts: Iterable[tuple[str, str]]) -> tuple[tuple[Document, ...], dict]:
    unique: dict[bytes, Document] = {}
    for name, text in sorted(texts):
        if text:
            unique.setdefault(text.encode(), Document(domain, name, text.encode()))
    documents, rest = take(drawn(unique.values(), "limit"), LIMIT)
    return documents, {"left_out_bytes": sum(len(document.content) for document in rest)}


def take(documents: Sequence[Document], size: float) -> tuple[tuple[Document, ...], tuple[Document, ...]]:
    """The documents that fit into so many bytes, tried in order, and the others."""
    fitting, others, free = [], [], size
    for document in documents:
        fits = len(document.content) <= free
        (fitting if fits else others).append(document)
        free -= len(document.content) if fits else 0
    return tuple(fitting), tuple(others)


def split(documents: Sequence[Document]) -> tuple[tuple[Document, ...], tuple[Document, ...]]:
    """Train and validation documents: whole files to a tenth of the bytes.

    Where those that fit are less than half of that (a book beside a note), the end of the largest
    file is held out too.
    """
    tenth = VALIDATION * sum(len(document.content) for document in documents)
    validation, train = take(drawn(documents, "validation"), tenth)
    missing = tenth - sum(len(document.content) for document in validation)
    if missing <= tenth / 2:
        return train, validation
    largest = max(train, key=lambda document: len(document.content))  # more than is missing, or it would have fitted
    first, last = _cut(largest, int(len(largest.content) - missing))
    return tuple(first if document is largest else document for document in train), (*validation, last)


def _cut(document: Document, near: int) -> tuple[Document, Document]:
    """Cuts at the end of a line shortly before `near`, or between two characters."""
    content = document.content
    at = content.rfind(b"\n", max(0, near - 1000), near) + 1 or near
    while at > 0 and content[at] & 0xC0 == 0x80:  # inside a character of several bytes
        at -= 1
    return replace(document, content=content[:at]), replace(document, content=content[at:])


def _pack(documents: Iterable[Document], left_out: dict) -> bytes:
    index = [(document.name, len(document.content)) for document in documents]
    return b"\n".join([json.dumps([index, left_out]).encode(), b"".join(d.content for d in documents)])


def _unpack(domain: str, data: bytes) -> tuple[tuple[Document, ...], dict]:
    header, _, contents = data.partition(b"\n")
    index, left_out = json.loads(header)
    documents, at = [], 0
    for name, size in index:
        documents.append(Document(domain, name, contents[at : at + size]))
        at += size
    return tuple(documents), left_out
