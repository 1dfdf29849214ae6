"""A display that is missing, closed, gone or poor in letters costs the display, and nothing else."""

import io

import pytest

from nlcore.train.folder import RunFolder
from nlcore.train.progress import Display, Progress


class Gone(io.StringIO):
    """A terminal that went away."""

    def write(self, text):
        raise BrokenPipeError(32, "Broken pipe")

    isatty = write


def closed():
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [closed(), Gone(), object()])
def test_what_cannot_be_shown_is_kept(tmp_path, stream):
    progress = Progress(RunFolder(tmp_path), stream)
    for _ in range(2):
        progress.show("step 1")
        progress.say("one sentence")
    assert progress.log.read_text().count("one sentence") == 2


def test_a_process_may_have_no_standard_output(tmp_path, monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    progress = Progress(RunFolder(tmp_path))
    progress.show("step 1")
    progress.say("one sentence")
    assert "one sentence" in progress.log.read_text()


def test_a_letter_without_a_code_is_shown_as_an_escape(tmp_path):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    progress = Progress(RunFolder(tmp_path), stream)
    progress.say("café και")
    assert stream.buffer.getvalue() == b"caf\xe9 \\u03ba\\u03b1\\u03b9\n"
    assert "café και" in progress.log.read_text(encoding="utf-8")


def test_foreign_text_reaches_neither_terminal_nor_log_as_it_is(tmp_path):
    stream = io.StringIO()
    progress = Progress(RunFolder(tmp_path), stream)
    progress.say("sample\n    \x1b]0;title\a\u202e\r")
    for shown in (stream.getvalue(), progress.log.read_bytes().decode()):
        assert r"\x1b]0;title\x07\u202e\r" in shown and not set("\x1b\a\u202e\r") & set(shown)


def test_a_log_that_cannot_be_written_is_no_reason_to_stop(tmp_path):
    stream = io.StringIO()
    Progress(RunFolder(tmp_path / "gone"), stream).say("one sentence")
    assert stream.getvalue() == "one sentence\n"


def test_nothing_is_written_after_a_failure():
    display = Display(Gone())
    display.write("one")
    assert display.stream is None and not display.rewrites()
