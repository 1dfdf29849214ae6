"""The built-in corpus: real, balanced, the same each time, and indifferent to its cache."""

import hashlib
import json
import os
import subprocess
import sys

import pytest

from nlcore.tasks import cache, corpus
from nlcore.tasks.corpus import Corpus, DataError, Document, builtin, drawn, join, split, take
from nlcore.tasks.domains import DOMAINS, Domain, Source

LINE = "This line {} of document {} is long enough to be a line.\n"


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield builtin()


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """Two domains of files in `tmp_path/toy`, a third with none, and a cache of their own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for number in range(20):
        place = tmp_path / "toy" / ("ab"[number % 2]) / f"{number}.txt"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("".join(LINE.format(i, number) for i in range(20 + number)))

    def domain(name: str) -> Domain:
        def sources():
            for path in (tmp_path / "toy" / name).glob("*"):
                facts = path.stat()  # not all of it: reading changes the time of access
                yield Source(path.name, f"{facts.st_size} {facts.st_mtime_ns}", path.read_text)

        return Domain(f"toy {name}", () if name == "a" else ("no-such-package",), sources,
                      lambda sources: ((source.name, source.read()) for source in sources))

    monkeypatch.setattr(corpus, "DOMAINS", {name: domain(name) for name in "abc"})
    return tmp_path


def test_all_four_domains_are_there_and_none_drowns_the_others(real):
    assert list(real.manifest["domains"]) == ["python", "cpp", "javascript", "english"]
    for facts in real.manifest["domains"].values():
        assert 1_500_000 < facts["bytes"] <= corpus.LIMIT
        assert 0.05 < facts["validation_bytes"] / facts["bytes"] <= 0.1


def test_training_documents_mix_the_domains(real):
    assert {document.domain for document in real.train[:40]} == set(DOMAINS)
    assert {document.domain for document in real.validation[:40]} == set(DOMAINS)


def test_no_document_is_twice_in_it(real):
    documents = real.train + real.validation
    assert len({document.content for document in documents}) == len(documents)
    assert len({(document.domain, document.name) for document in documents}) == len(documents)


def test_no_long_run_of_training_text_stands_in_the_validation_text(real):
    train, text, width = join(real.train), join(real.validation), 256
    known = {train[at : at + width] for at in range(0, len(train), 64)}  # a run of 319 bytes holds one of them
    assert not any(text[at : at + width] in known for at in range(len(text) - width + 1))
    assert all(0 < facts["shared_bytes_left_out"] < 20_000 for facts in real.manifest["domains"].values())


def test_no_licence_opens_a_document(real):
    code = [document for document in real.train if document.domain != "english"]
    assert not [d.name for d in code if b"copyright (c)" in d.content[:300].lower()]


def test_the_manifest_is_json_and_adds_up(real):
    manifest = json.loads(json.dumps(real.manifest))
    assert manifest["hash"] == real.hash and len(real.hash) == 64
    for name, facts in manifest["domains"].items():
        own = [file for file in manifest["files"] if file["domain"] == name]
        assert facts["files"] == len(own)
        assert facts["bytes"] == sum(file["bytes"] for file in own)
        assert facts["bytes"] == facts["train_bytes"] + facts["validation_bytes"]
    first, document = manifest["files"][0], real.train[0]
    assert first["name"] == document.name and first["split"] == "train"
    assert first["sha256"] == hashlib.sha256(document.content).hexdigest()


def test_the_real_text_is_the_same_from_a_new_build_and_from_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "one"))
    new, cached = builtin(("javascript",)), builtin(("javascript",))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "two"))
    assert new.hash == cached.hash == builtin(("javascript",)).hash
    assert new.manifest == cached.manifest


def test_second_use_reads_the_cache_only(toy, monkeypatch):
    first = builtin(("a", "b"))
    monkeypatch.setattr(corpus, "_build", lambda *_: pytest.fail("built again"))
    assert builtin(("a", "b")).manifest == first.manifest


def test_a_damaged_cache_is_not_believed(toy):
    first = builtin(("a",))
    (kept,) = cache.folder().iterdir()
    for damage in (lambda data: data[:-9], lambda data: data[:-9] + b"otherwise", lambda data: b""):
        whole = kept.read_bytes()
        kept.write_bytes(damage(whole))
        assert builtin(("a",)).hash == first.hash
        assert kept.read_bytes() == whole  # and it is mended


def test_an_unwritable_cache_costs_nothing_but_time(toy, monkeypatch):
    first = builtin(("a",))
    (toy / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(toy / "file"))
    assert builtin(("a",)).hash == first.hash


def test_a_changed_source_changes_the_corpus(toy):
    first = builtin(("a",))
    (toy / "toy" / "a" / "0.txt").write_text(LINE.format("new", "text") * 9)
    assert builtin(("a",)).hash != first.hash


def test_an_absent_domain_is_in_the_manifest_and_stops_nothing(toy):
    made = builtin(("a", "c"))
    assert made.manifest["domains"]["c"]["absent"] is True
    assert made.manifest["domains"]["c"]["missing"] == ["no-such-package"]
    assert "absent" not in made.manifest["domains"]["a"]
    assert made.hash == builtin(("a",)).hash


def test_only_absent_domains_are_refused_with_what_to_install(toy):
    with pytest.raises(DataError, match="for c is not on this machine: install no-such-package"):
        builtin(("c",))


@pytest.mark.parametrize(
    ("names", "sentence"), [(("rust",), "no domain 'rust': choose among python, cpp"), ((), "No domain was named")]
)
def test_unknown_domains_are_refused_with_the_choice(names, sentence):
    with pytest.raises(DataError, match=sentence):
        builtin(names)


def test_a_domain_stops_at_the_limit_and_says_what_it_left_out(toy, monkeypatch):
    whole = builtin(("a",)).manifest["domains"]["a"]
    monkeypatch.setattr(corpus, "LIMIT", 10_000)
    monkeypatch.setenv("XDG_CACHE_HOME", str(toy / "other"))
    facts = builtin(("a",)).manifest["domains"]["a"]
    assert 5_000 < facts["bytes"] <= facts["limit_bytes"] == 10_000
    assert facts["left_out_bytes"] == whole["bytes"] - facts["bytes"]


def test_names_do_not_depend_on_the_order_asked_for(toy):
    assert builtin(("b", "a")).hash == builtin(("a", "b")).hash
    assert builtin(("b", "a")).name == "builtin:a,b"
    assert builtin(("a", "b", "c")).name == "builtin"


def documents(*sizes: int) -> list[Document]:
    return [Document("d", str(i), b"x" * size) for i, size in enumerate(sizes)]


def test_take_skips_what_does_not_fit():
    fitting, others = take(documents(6, 9, 4, 1), 10)
    assert [len(d.content) for d in fitting] == [6, 4] and [len(d.content) for d in others] == [9, 1]


def test_split_is_by_file_and_at_most_a_tenth():
    train, validation = split(documents(*[100] * 30))
    assert (len(train), len(validation)) == (27, 3)
    assert not set(train) & set(validation)


@pytest.mark.parametrize("sizes", [(500, 300, 400), (7000, 17), (7000, 17, 300), (20, 20), (100,) * 9])
def test_where_whole_files_give_too_little_the_largest_is_cut(sizes):
    train, validation = split(documents(*sizes))
    held_out = sum(len(d.content) for d in validation)
    assert 0.05 <= held_out / sum(sizes) <= 0.101 and all(d.content for d in train + validation)
    assert sum(len(d.content) for d in train) + held_out == sum(sizes)
    assert sizes[int(validation[-1].name)] == max(sizes) and len(train) + len(validation) == len(sizes) + 1


@pytest.mark.parametrize("seed", ["0", "7"])
def test_the_order_is_the_same_under_another_hash_seed(seed):
    """Names alone decide: the order that this fixes is part of the corpus hash."""
    script = "from nlcore.tasks.corpus import Document, drawn; print(*(d.name for d in drawn([Document('d', str(i), b'') for i in range(9)], 'mix')))"
    there = subprocess.run([sys.executable, "-c", script], env=os.environ | {"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True)
    assert there.stdout.split() == [d.name for d in drawn([Document("d", str(i), b"") for i in range(9)], "mix")]


def test_one_file_is_cut_at_a_line_near_nine_tenths():
    content = b"".join(b"line %d\n" % i for i in range(500))
    (train,), (validation,) = split([Document("d", "one", content)])
    assert train.content + validation.content == content
    assert train.content.endswith(b"\n") and 0.09 < len(validation.content) / len(content) < 0.12


def test_one_line_is_cut_between_characters():
    for length in range(2000, 2010):
        content = ("\N{GRINNING FACE}" * length).encode()
        (train,), (validation,) = split([Document("d", "one", content)])
        assert len(train.content.decode()) + len(validation.content.decode()) == length


def test_the_hash_sees_split_names_and_content():
    one, two, other = documents(5, 6, 7)
    hashes = {
        Corpus("n", (one, two), (other,), {}).hash,
        Corpus("n", (one,), (two, other), {}).hash,
        Corpus("n", (two, one), (other,), {}).hash,
        Corpus("n", (one, Document("d", "renamed", two.content)), (other,), {}).hash,
    }
    assert len(hashes) == 4
    assert Corpus("another name", (one, two), (other,), {}).hash in hashes
