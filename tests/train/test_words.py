"""Foreign text is visible, a path survives a shell, and the system's refusals are sentences."""

import errno
import shlex

import pytest

from nlcore.train.words import quoted, refusal, visible


def test_what_steers_a_terminal_is_shown_as_an_escape():
    assert visible("\x1b[2J\a\r\x9b1m\u202eevil\u2066\x00\u2028\udc80") == (
        r"\x1b[2J\x07\r\x9b1m\u202eevil\u2066\x00\u2028\udc80"
    )


def test_letters_of_every_language_stay():
    text = "και — café\tשלום مرحبا 日本 👩‍🔬\nline"
    assert visible(text) == text


@pytest.mark.parametrize("path", ["my run", "a'b", "$(reboot)", "-x", "--steps", "plain", "*"])
def test_a_path_is_one_word_and_no_option(path):
    (word,) = shlex.split(quoted(path))
    assert word in (path, f"./{path}") and not word.startswith("-")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "no space left"),
        (errno.EACCES, "permission was denied"),
        (errno.EISDIR, "it is a folder"),
        (errno.ENOTDIR, "a file stands where a folder"),
        (errno.ELOOP, "links lead in a circle"),
        (errno.EIO, "some words"),
    ],
)
def test_a_refusal_says_what_happened_and_to_which_file(number, said):
    named = refusal(OSError(number, "some words", "notes.txt"))
    assert named.startswith("notes.txt: ") and said in named
    unnamed = refusal(OSError(number, "some words"))
    assert "file:" not in unnamed and said in unnamed.lower() and unnamed[0].isupper()
    assert ("space" in named) == (number == errno.ENOSPC)
