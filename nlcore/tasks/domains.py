"""Where the built-in text comes from: four domains that a machine with the requirements has anyway.

Only the interpreter's own files and packages named here are read, at the versions that
requirements.txt fixes, so two machines with the same Python and packages have the same text.
"""

import ast
import importlib.metadata
import importlib.util
import json
import os
import re
import sysconfig
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from nlcore.tasks import filters

# Tests and tables, and parts of the library that some distributions split off.
WITHOUT = frozenset(
    "__pycache__ dist-packages distutils ensurepip idlelib lib2to3 lib-dynload pydoc_data site-packages"
    " test tests tkinter turtledemo".split()
)
# What the build or the distribution of a Python wrote speaks of one machine.
LOCAL = ("_sysconfigdata", "sitecustomize", "usercustomize")
# The headers that are torch's own.
CPP_FOLDERS = ("ATen", "c10", "torch")
READMES = tuple(
    "torch numpy safetensors tokenizers jupyterlab ipykernel ipywidgets anywidget plotly matplotlib jupytext"
    " nbclient sphinx myst-nb sphinx-book-theme setuptools pytest pytest-xdist playwright".split()
)
# Where the long documentation strings are.
DOCUMENTED = (("torch", "*.py"), ("torch", "nn/**/*.py"), ("torch", "optim/*.py"), ("numpy", "**/*.py"))
# What the build of torch wraps around each of its headers.
HEADER_GUARD = re.compile(
    r"\A#if !defined\(TORCH_STABLE_ONLY\)[^\n]*\n"
    r"|^#else\n#error \"This file should not be included[^\n]*\n#endif[^\n]*\s*\Z",
    re.M,
)
LONG_STRING = 400  # characters; shorter ones are seldom prose


@dataclass(frozen=True)
class Source:
    """One file to read: its name in the domain, a stamp that changes when it does, and its text."""

    name: str
    stamp: str
    read: Callable[[], str]


Texts = Iterator[tuple[str, str]]


@dataclass(frozen=True)
class Domain:
    """A kind of text: what it is, the packages it needs, where it lies, and what is kept of it.

    `sources()` opens no file; `texts(sources)` yields (name, text), with "" for a text not to be kept.
    """

    what: str
    packages: tuple[str, ...]
    sources: Callable[[], Iterator[Source]]
    texts: Callable[[Iterable[Source]], Texts]

    def missing(self) -> list[str]:
        """The packages it needs that this machine does not have."""
        return [name for name in self.packages if _distribution(name) is None]


def _distribution(name: str) -> importlib.metadata.Distribution | None:
    try:
        return importlib.metadata.distribution(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _package(name: str) -> Path | None:
    """The folder of an installed package, found without importing it."""
    spec = importlib.util.find_spec(name)
    return Path(spec.submodule_search_locations[0]) if spec and spec.submodule_search_locations else None


def _file(name: str, path: Path) -> Source:
    facts = path.stat()
    return Source(name, f"{facts.st_size} {facts.st_mtime_ns}", lambda: path.read_text(encoding="utf-8"))


def _files(root: Path, prefix: str, *endings: str, without: frozenset[str] = WITHOUT) -> Iterator[Source]:
    """The files below a folder with these endings, named by their place below it, after the prefix."""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(set(folders) - without)
        for path in (Path(folder, name) for name in sorted(names) if name.endswith(endings)):
            if path.is_file():
                yield _file(prefix + path.relative_to(root).as_posix(), path)


def _read(source: Source) -> str:
    """Its text; "" if it is not readable, as if it were not there."""
    try:
        return source.read()
    except (OSError, UnicodeError):
        return ""


def _python() -> Iterator[Source]:
    for source in _files(Path(sysconfig.get_path("stdlib")), "", ".py"):
        if not source.name.startswith(LOCAL):
            yield source


def _python_texts(sources: Iterable[Source]) -> Texts:
    for source in sources:
        yield source.name, filters.code(_read(source), "#")


def _cpp() -> Iterator[Source]:
    torch = _package("torch")
    for folder in CPP_FOLDERS if torch else ():
        # ATen/ops holds thousands of headers of one pattern, and a tool wrote them.
        without = WITHOUT | {"ops"} if folder == "ATen" else WITHOUT
        for source in _files(torch / "include" / folder, f"{folder}/", ".h", ".hpp", ".cuh", without=without):
            if "generated" not in source.name.lower():
                yield source


def _cpp_texts(sources: Iterable[Source]) -> Texts:
    for source in sources:
        yield source.name, filters.code(HEADER_GUARD.sub("", _read(source)), "//")


def _javascript() -> Iterator[Source]:
    """JupyterLab ships its own code minified. Readable are the assets of its test helper, and the
    sources of its widgets (Lumino, Backbone and the controls) inside their source map."""
    jupyterlab, widgets = _package("jupyterlab"), _package("widgetsnbextension")
    if jupyterlab:
        yield from _files(jupyterlab / "galata", "jupyterlab/", ".js")
    if widgets and (source_map := widgets / "static" / "extension.js.map").is_file():
        yield _file("widgets", source_map)


def _javascript_texts(sources: Iterable[Source]) -> Texts:
    for source in sources:
        if source.name != "widgets":
            yield source.name, filters.code(_read(source), "//")
            continue
        inside = json.loads(_read(source) or "{}")
        for name, text in zip(inside.get("sources", ()), inside.get("sourcesContent", ())):
            if text and name.endswith((".js", ".cjs")) and "generated" not in name:
                place = name.partition("notebook-manager/")[2].lstrip("./")
                yield f"widgets/{place}", filters.code(text, "//")


def _english() -> Iterator[Source]:
    topics = importlib.util.find_spec("pydoc_data.topics")
    if topics and topics.origin:
        yield _file("topics", Path(topics.origin))
    for package in filter(None, map(_distribution, READMES)):
        yield Source(f"readme/{package.name}", package.version, lambda package=package: _readme(package))
    for name, pattern in DOCUMENTED:
        root = _package(name)
        for path in sorted(root.glob(pattern)) if root else ():
            place = path.relative_to(root)
            if WITHOUT.isdisjoint(place.parts):
                yield _file(f"{name}/{place.as_posix()}", path)


def _readme(package: importlib.metadata.Distribution) -> str:
    return package.metadata.get("Description") or package.metadata.get_payload() or ""


def _english_texts(sources: Iterable[Source]) -> Texts:
    seen: set[str] = set()  # documentation strings repeat each other's paragraphs
    for source in sources:
        for name, texts in _english_pieces(source):
            prose = dict.fromkeys(paragraph for text in texts for paragraph in filters.paragraphs(text))
            new = [paragraph for paragraph in prose if paragraph not in seen]
            seen.update(new)
            yield name, "\n\n".join(new) + "\n" if new else ""


def _english_pieces(source: Source) -> Iterator[tuple[str, list[str]]]:
    if source.name == "topics":
        table = ast.literal_eval(_read(source).partition("topics =")[2].strip() or "{}")
        yield from ((f"topics/{name}", [text]) for name, text in table.items())
    elif source.name.startswith("readme/"):
        yield source.name, [_read(source)]
    else:
        yield source.name, _strings(_read(source))


def _strings(module: str) -> list[str]:
    """The long strings of a Python module: its documentation, wherever a package keeps it."""
    with warnings.catch_warnings(action="ignore"):  # of escapes that a newer Python frowns at
        try:
            tree = ast.parse(module)
        except SyntaxError:
            return []
    strings = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return [string for string in strings if isinstance(string, str) and len(string) >= LONG_STRING]


DOMAINS = {
    "python": Domain("standard library of this Python", (), _python, _python_texts),
    "cpp": Domain("headers shipped with torch", ("torch",), _cpp, _cpp_texts),
    "javascript": Domain(
        "readable code of JupyterLab and its widgets",
        ("jupyterlab", "widgetsnbextension"),
        _javascript,
        _javascript_texts,
    ),
    "english": Domain(
        "Python's help topics, READMEs and documentation strings of fixed packages",
        READMES,
        _english,
        _english_texts,
    ),
}
