"""The reader's own text, and one sentence for each thing that can be wrong with it."""

import os
from pathlib import Path

import pytest

from nlcore.tasks.__main__ import table
from nlcore.tasks.batches import Batches, sequential
from nlcore.tasks.corpus import DataError, builtin, join
from nlcore.tasks.source import load
from nlcore.tasks.text import from_path
from nlcore.tasks.tokenizers import ByteTokenizer
from nlcore.tasks.tokens import prepare


def missing(folder: Path) -> None:
    load(str(folder / "nowhere"))


def misspelt(folder: Path) -> None:
    load("bulitin")


def empty_file(folder: Path) -> None:
    (folder / "a.txt").write_text(" \n\n")
    load(str(folder / "a.txt"))


def empty_folder(folder: Path) -> None:
    (folder / "a.txt").write_text("")
    load(str(folder))


def binary_file(folder: Path) -> None:
    (folder / "a.png").write_bytes(b"\x89PNG\0\0\1")
    load(str(folder / "a.png"))


def only_binary_files(folder: Path) -> None:
    (folder / "a.png").write_bytes(b"\x89PNG\0\0\1")
    load(str(folder))


def latin1(folder: Path) -> None:
    (folder / "a.txt").write_bytes("voilà".encode("latin1"))
    load(str(folder / "a.txt"))


def latin1_in_a_folder(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "a.txt").write_bytes("ça va".encode("latin1"))
    load(str(folder))


def utf16(folder: Path) -> None:
    (folder / "a.txt").write_text("text", encoding="utf-16")
    load(str(folder / "a.txt"))


def neither(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    load(str(folder / "pipe"))


def unknown_domain(folder: Path) -> None:
    load("builtin:python,rust")


def no_domain(folder: Path) -> None:
    load("builtin:")


def short_for_training(folder: Path) -> None:
    (folder / "a.txt").write_text("just a few words\n")
    Batches(prepare(load(str(folder / "a.txt")), ByteTokenizer()).train, batch=1, context=64)


def short_for_validation(folder: Path) -> None:
    (folder / "a.txt").write_text("just a few words\n" * 20)
    next(sequential(prepare(load(str(folder / "a.txt")), ByteTokenizer()).validation, batch=1, context=64))


def nothing_named(folder: Path) -> None:
    load(" ")


def nobodys_home(folder: Path) -> None:
    load("~nobody-of-this-name/text")


def link_to_itself(folder: Path) -> None:
    (folder / "circle").symlink_to(folder / "circle")
    load(str(folder / "circle"))


def larger_than_is_read(folder: Path) -> None:
    with open(folder / "a.txt", "wb") as file:
        file.truncate(1 << 40)  # takes no room on the disk
    load(str(folder / "a.txt"))


def larger_than_is_read_in_a_folder(folder: Path) -> None:
    for name in "ab":
        with open(folder / name, "wb") as file:
            file.truncate((1 << 29) + 1)
    load(str(folder))


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (missing, "nowhere does not exist: name a file or a folder of text, or 'builtin'"),
        (misspelt, "bulitin does not exist: .* or 'builtin'"),
        (empty_file, "a.txt is empty: "),
        (empty_folder, "holds no text: put UTF-8 text files into it"),
        (binary_file, "a.png is a binary file, not text: "),
        (only_binary_files, r"holds no text \(left out: a.png\): "),
        (latin1, r"a.txt is not UTF-8 \(byte 0xe0 at offset 4\): save it as UTF-8"),
        (latin1_in_a_folder, r"sub/a.txt is not UTF-8 \(byte 0xe7 at offset 0\)"),
        (utf16, r"a.txt is not UTF-8 \(byte 0xf[ef] at offset 0\)"),
        (neither, "pipe is neither a file nor a folder"),
        (nothing_named, "No text was named: name a file or a folder"),
        (nobodys_home, "~nobody-of-this-name/text leads nowhere .*: name a file"),
        (link_to_itself, "circle (leads nowhere|cannot be read|does not exist)"),
        (larger_than_is_read, "a.txt holds 1,099,511,627,776 bytes, and 1,073,741,824 is the most"),
        (larger_than_is_read_in_a_folder, "holds 1,073,741,826 bytes"),
        (unknown_domain, "There is no domain 'rust': choose among python, cpp, javascript, english"),
        (no_domain, "No domain was named: choose among"),
        (short_for_training, "The training text has 15 tokens, and one window needs 65: give more text, or a context of at most 14"),
        (short_for_validation, "The validation text has 34 tokens, and one window needs 65: "),
    ],
)
def test_bad_input_gets_one_sentence_that_says_what_to_do(bad, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=sentence) as caught:
        bad(tmp_path)
    assert str(caught.value).endswith(".") and "\n" not in str(caught.value)


@pytest.mark.parametrize("place", ["file", "folder"])
def test_text_that_may_not_be_read_gets_one_sentence(place, tmp_path, monkeypatch):
    def refuse(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    (tmp_path / "a.txt").write_text("text")
    if place == "file":  # permissions do not stop an administrator, who may run this
        monkeypatch.setattr(Path, "read_bytes", refuse)
    else:
        monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(DataError, match="cannot be read: Permission denied; check its permissions"):
        from_path(tmp_path / "a.txt" if place == "file" else tmp_path)


def test_a_file_is_kept_as_it_is_and_its_last_tenth_held_out(tmp_path):
    content = "".join(f"Zeile {i}: Übung\r\n" for i in range(1000))
    (tmp_path / "buch.txt").write_bytes(content.encode())
    made = from_path(tmp_path / "buch.txt")
    assert join(made.train) + join(made.validation) == content.encode()
    assert 0.09 < len(join(made.validation)) / len(content.encode()) < 0.11
    assert made.name == "buch.txt"


def test_a_folder_is_read_recursively_and_split_by_file(tmp_path):
    for number in range(30):
        (tmp_path / f"part{number % 3}").mkdir(exist_ok=True)
        (tmp_path / f"part{number % 3}" / f"{number}.md").write_text(f"text number {number:02}\n" * 50)
    made = from_path(tmp_path)
    assert (len(made.train), len(made.validation)) == (27, 3)
    assert made.train[0].name == "part0/0.md"
    assert [d.name for d in made.train] == sorted(d.name for d in made.train)
    assert made.hash == from_path(str(tmp_path)).hash


def test_hidden_empty_and_binary_files_are_left_out_and_the_binary_named(tmp_path):
    (tmp_path / ".git").mkdir()
    for name, content in [
        (".git/config", b"[core]"),
        (".hidden", b"x"),
        ("empty.txt", b""),
        ("picture.png", b"\x89PNG\0"),
        ("a.txt", b"some text\n"),
        ("b.txt", b"other text\n"),
    ]:
        (tmp_path / name).write_bytes(content)
    made = from_path(tmp_path)
    assert {document.name for document in made.train + made.validation} == {"a.txt", "b.txt"}
    assert made.manifest["domains"]["text"]["left_out"] == ["picture.png"]
    assert made.manifest["domains"]["text"]["files"] == 2


def test_a_byte_order_mark_is_no_text(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbf" + b"words\n" * 20)
    assert join(from_path(tmp_path / "a.txt").train).startswith(b"words")


def test_linked_files_and_folders_are_read_each_folder_once(tmp_path):
    (tmp_path / "text").mkdir()
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "big.txt").write_text("some words of text\n" * 90)
    (tmp_path / "text" / "more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "back").symlink_to(tmp_path / "text")
    (tmp_path / "text" / "broken").symlink_to(tmp_path / "nowhere")
    made = from_path(tmp_path / "text")
    assert {document.name for document in made.train + made.validation} == {"more/big.txt"}
    assert made.manifest["domains"]["text"]["left_out"] == ["broken"]


def test_folders_of_runs_are_left_out_and_named(tmp_path):
    (tmp_path / "a.txt").write_text("some words of text\n" * 90)
    before = from_path(tmp_path).hash
    run = tmp_path / "runs" / "tiny-hope-1"
    (run / "checkpoints").mkdir(parents=True)
    for name in ("config.json", "lock", "metrics.jsonl", "checkpoints/digests.json"):
        (run / name).write_text("{}\n")
    made = from_path(tmp_path)
    assert made.hash == before and made.notes["text"]["left_out"] == ["runs/tiny-hope-1"]
    assert from_path(tmp_path / "a.txt").notes["text"]["left_out"] == []


def test_names_of_any_bytes_are_read_and_can_be_written_everywhere(tmp_path):
    for name in (b"caf\xe9.txt", b"tab\t\x1b.txt", "Größe.txt".encode(), b"pict\xff.png"):
        content = b"\0" if name.endswith(b"png") else b"some words of text\n" * 90
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(content)
    made = from_path(tmp_path)
    names = {document.name for document in made.train + made.validation}
    assert names == {"caf\\udce9.txt", "tab\\t\\x1b.txt", "Größe.txt"}
    table(made.manifest).encode("utf-8")
    assert made.hash == from_path(tmp_path).hash and made.notes["text"]["left_out"] == ["pict\\udcff.png"]
    bad = Path(os.fsdecode(os.fsencode(tmp_path) + b"/bad\xe9"))
    bad.write_bytes(b"\xe9")
    with pytest.raises(DataError, match=r"bad\\udce9 is not UTF-8"):
        from_path(bad)


def test_the_folder_one_stands_in_has_a_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.txt").write_text("some words of text\n" * 90)
    assert load(".").name == tmp_path.name


def test_data_names_a_corpus(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr("nlcore.tasks.corpus.builtin", lambda *names: asked.append(names))
    load("builtin")
    load("builtin:python, english")
    assert asked == [(), (["python", "english"],)]
    monkeypatch.chdir(tmp_path)
    Path("builtin").write_text("my own\n" * 20)
    assert load("./builtin").name == "builtin"


def test_builtin_is_what_load_gives(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert load("builtin:javascript").hash == builtin(("javascript",)).hash
