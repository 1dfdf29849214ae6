"""Documents of real files of every format, and one sentence for each file that is not what it should be."""

import gzip
import importlib
import json
from pathlib import Path

import pytest

from nlcore.tasks import formats
from nlcore.tasks.corpus import DataError
from nlcore.tasks.formats import documents, sources

TEXTS = ["one", None, "zwei\n\nzeilen", "drei \u00e4\U0001f409", "", "last"]
FORMATS = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet", "hub")


def lines(texts: list) -> bytes:
    return "\n\n".join(json.dumps({"id": i, "text": text}) for i, text in enumerate(texts)).encode()  # a blank line between


def made(folder: Path, ending: str, texts: list = TEXTS) -> formats.Source:
    """A source of this format with these texts; skips where its package is missing."""
    path = folder / f"part{ending}"
    if ending == "hub":
        pytest.importorskip("datasets")
        (folder / "set").mkdir()
        (folder / "set" / "train.jsonl").write_bytes(lines(texts).replace(b"\n\n", b"\n"))
        return sources([f"hf:{folder / 'set'}"])[0][0]
    if ending == ".parquet":
        table = pytest.importorskip("pyarrow").table({"id": range(len(texts)), "text": texts})
        importlib.import_module("pyarrow.parquet").write_table(table, path, row_group_size=2)
    elif ending == ".jsonl.zst":
        compressor, data = pytest.importorskip("zstandard").ZstdCompressor(), lines(texts)
        path.write_bytes(compressor.compress(data[:20]) + compressor.compress(data[20:]))  # two frames
    else:
        path.write_bytes(gzip.compress(lines(texts)) if ending == ".jsonl.gz" else lines(texts))
    return sources([str(path)])[0][0]


def read(source: formats.Source, column: str = "text", skip: int = 0) -> list:
    return [text for text, _ in documents(source, column, skip)]


@pytest.mark.parametrize("ending", FORMATS)
def test_every_document_comes_in_order_and_from_any_one_on(tmp_path, ending):
    source = made(tmp_path, ending)
    for skip in range(len(TEXTS) + 1):
        assert read(source, skip=skip) == TEXTS[skip:]
    shares = [share for _, share in documents(source, "text")]
    assert shares == sorted(shares) and shares[-1] == (0.0 if ending == "hub" else 1.0)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_missing_column_names_the_file_and_what_it_has(tmp_path, ending):
    source = made(tmp_path, ending)
    with pytest.raises(DataError, match=r"no column 'content' \(it has id, text\): name .* with --column") as caught:
        read(source, "content")
    assert Path(source.name.removeprefix("hf:")).name in str(caught.value)


@pytest.mark.parametrize("ending", FORMATS)
def test_a_column_of_numbers_is_no_text(tmp_path, ending):
    with pytest.raises(DataError, match="(int where 'id' is to be text|is int64, not text).*--column"):
        read(made(tmp_path, ending), "id")


@pytest.mark.parametrize("ending", FORMATS[:-1])
def test_what_is_not_of_its_format_is_named(tmp_path, ending):
    source = made(tmp_path, ending)
    Path(source.name).write_bytes(b"\x00\x01no such format")
    with pytest.raises(DataError, match="is (no JSON|cut or damaged|no whole Parquet file)") as caught:
        read(source)
    assert source.name in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("ending", FORMATS[1:-1])
def test_a_file_that_is_cut_is_named_after_its_whole_documents(tmp_path, ending):
    source = made(tmp_path, ending, [f"{i} " * 50 for i in range(3000)])
    whole = Path(source.name).read_bytes()
    Path(source.name).write_bytes(whole[: len(whole) - 9])
    with pytest.raises(DataError, match="cut or damaged after line|no whole Parquet file") as caught:
        read(source)
    assert source.name in str(caught.value)


def test_a_file_of_text_is_one_document(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfone\n\ntwo")
    source = sources([str(tmp_path / "a.txt")])[0][0]
    assert list(documents(source, "text")) == [("one\n\ntwo", 1.0)] and read(source, skip=1) == []
    (tmp_path / "a.txt").write_bytes(b"caf\xe9")
    with pytest.raises(DataError, match=r"a.txt is not UTF-8 \(byte 0xe9 at offset 3\)"):
        read(source)


def test_a_folder_gives_its_files_in_order_and_names_the_others(tmp_path):
    for name in ("b.txt", "a.jsonl", "c.pdf", ".hidden.txt", "sub/d.txt", ".git/e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    found, others = sources([str(tmp_path), "hf:some/name:config"])
    assert [Path(source.name).name for source in found] == ["a.jsonl", "b.txt", "d.txt", "name:config"]
    assert [source.size for source in found] == [2, 2, 2, None] and others == [str(tmp_path / "c.pdf")]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [("nowhere", "does not exist"), ("a.pdf", "is of no format that is read"), ("empty", "no format"), ("b.txt", "named twice")],
)
def test_sources_that_are_none_get_a_sentence(tmp_path, name, sentence):
    (tmp_path / "a.pdf").write_text("x")
    (tmp_path / "b.txt").write_text("x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=sentence):
        sources([str(tmp_path / "b.txt"), str(tmp_path / name)])


@pytest.mark.parametrize(("line", "sentence"), [("[1]", "no object of JSON"), ("{", "no JSON"), ('"text"', "no object")])
def test_a_bad_line_is_named_by_its_number(tmp_path, line, sentence):
    (tmp_path / "a.jsonl").write_text('{"text": "good"}\n' + line)
    found = documents(sources([str(tmp_path / "a.jsonl")])[0][0], "text")
    assert next(found)[0] == "good"
    with pytest.raises(DataError, match=f"Line 2 of .*a.jsonl is {sentence}"):
        next(found)


def test_what_the_hub_says_becomes_a_sentence():
    pytest.importorskip("datasets")
    with pytest.raises(DataError, match="^hf:no-one/nothing:x could not be read .*: check the name") as caught:
        read(formats.Source("hf:no-one/nothing:x", None))
    assert "\n" not in str(caught.value)


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.parquet").write_bytes(b"x")
    monkeypatch.setattr(importlib, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    with pytest.raises(DataError, match="needs the package pyarrow: pip install -r requirements-extras.txt"):
        read(sources([str(tmp_path / "a.parquet")])[0][0])
