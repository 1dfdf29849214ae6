"""Where the built-in text is taken from."""

import re
from pathlib import Path

import pytest

from nlcore.tasks import domains
from nlcore.tasks.domains import DOMAINS, Source

PINNED = {
    re.split("[=<>~]", line)[0]
    for line in (Path(__file__).parents[2] / "requirements.txt").read_text().splitlines()
    if "==" in line
}


def test_every_package_that_is_read_is_pinned_or_fixed_by_one_that_is():
    named = {*domains.READMES, *(package for package, _ in domains.DOCUMENTED)}
    named |= {package for domain in DOMAINS.values() for package in domain.packages}
    assert named - PINNED == {"widgetsnbextension"}  # which the pinned ipywidgets brings


@pytest.mark.parametrize("name", DOMAINS)
def test_sources_are_named_once_and_without_this_machine(name):
    names = [source.name for source in DOMAINS[name].sources()]
    assert len(names) == len(set(names)) > 5
    assert not any(part in each for each in names for part in ("site-packages", "__pycache__", "..", "\\"))
    assert not any(each.startswith("/") for each in names)


def test_python_is_the_library_without_tests_and_what_the_build_wrote():
    names = [source.name for source in DOMAINS["python"].sources()]
    assert {"typing.py", "asyncio/tasks.py"} <= set(names)
    assert not any(name.startswith(("test/", "_sysconfigdata", "idlelib/")) for name in names)


def test_the_guard_around_a_header_of_torch_goes():
    body = "\n".join(f"int function_number_{i}(int argument);" for i in range(20))
    guarded = (
        "#if !defined(TORCH_STABLE_ONLY) && !defined(TORCH_TARGET_VERSION)\n"
        f"{body}\n\n#else\n#error \"This file should not be included when so.\"\n#endif  // !defined\n"
    )
    assert list(DOMAINS["cpp"].texts([Source("a.h", "", lambda: guarded)])) == [("a.h", body + "\n")]


def test_english_has_a_paragraph_once():
    prose = "This paragraph is in the documentation of two functions, and one of them is enough to learn from. "
    module = f'"""\n{prose * 5}\n"""\n'
    sources = [Source(name, "", lambda: module) for name in ("a.py", "b.py")]
    assert [(name, bool(text)) for name, text in DOMAINS["english"].texts(sources)] == [("a.py", True), ("b.py", False)]


def test_a_source_that_cannot_be_read_gives_nothing():
    def unreadable() -> str:
        raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no text")

    for name in DOMAINS:
        for source_name in ("a.py", "topics", "widgets"):
            texts = dict(DOMAINS[name].texts([Source(source_name, "", unreadable)]))
            assert not any(texts.values())


def test_a_package_that_is_not_installed_is_named_as_missing(monkeypatch):
    monkeypatch.setattr(domains, "READMES", ("torch", "no-such-package"))
    assert list(source.name for source in domains._english() if "readme" in source.name) == ["readme/torch"]
    missing = domains.Domain("", ("torch", "no-such-package"), domains._english, domains._english_texts).missing()
    assert missing == ["no-such-package"]
