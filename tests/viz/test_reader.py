"""The reader's file: what is written stays, what is damaged is left alone, and nothing raises but one sentence."""

import json
import os
from multiprocessing import get_context

import pytest

from nlcore.train.folder import held
from nlcore.viz import reader
from nlcore.viz.reader import Answer, ReaderError


def put(text: str) -> None:
    reader.path().parent.mkdir(parents=True, exist_ok=True)
    reader.path().write_text(text)


def test_what_is_remembered_comes_back_and_the_rest_stays(at_home):
    assert reader.answers() == {}
    reader.remember("00-a", Answer("yes", True))
    reader.remember("00-b", Answer([0.5, 1], False))
    reader.remember("00-a", Answer(None, None))
    assert reader.answers() == {"00-a": Answer(None, None), "00-b": Answer([0.5, 1], False)}


def test_the_file_lies_in_the_users_own_folder_and_not_in_the_project(monkeypatch, root):
    monkeypatch.delenv(reader.FOLDER)
    assert reader.path().is_absolute() and not reader.path().is_relative_to(root)
    assert "nested-learning" in reader.path().parts


def test_an_answer_of_a_later_course_is_kept(at_home):
    put(json.dumps({"99-later": {"answer": 3, "right": True, "when": "monday"}}))
    reader.remember("00-a", Answer("yes", True))
    assert json.loads(reader.path().read_text())["99-later"] == {"answer": 3, "right": True, "when": "monday"}


@pytest.mark.parametrize("text", [
    "", "{", "[]", "3", '{"00-a": 1}', '{"00-a": {"answer": 1}}', '{"00-a": {"right": true}}', '{"00-a": {"answer": 1, "right": 1}}',
    '{"00-a": {"answer": 1, "right": "yes"}}', "\x00\xff",
])  # fmt: skip
def test_a_damaged_file_is_named_and_left_as_it_is(at_home, text):
    put(text)
    for use in (reader.answers, lambda: reader.remember("00-b", Answer("yes", True))):
        with pytest.raises(ReaderError, match="predictions.json is damaged"):
            use()
    assert reader.path().read_text() == text


def test_a_folder_in_the_files_place_is_named(at_home):
    reader.path().mkdir(parents=True)
    for use in (reader.answers, lambda: reader.remember("00-b", Answer("yes", True))):
        with pytest.raises(ReaderError, match="predictions.json"):
            use()


def test_a_folder_that_cannot_be_made_is_named(at_home, monkeypatch):
    at_home.mkdir()
    (at_home / "file").write_text("")
    monkeypatch.setenv(reader.FOLDER, str(at_home / "file"))
    with pytest.raises(ReaderError, match="file"):
        reader.remember("00-a", Answer("yes", True))


def test_a_lock_that_stays_is_one_sentence_and_nothing_is_lost(at_home):
    reader.remember("00-a", Answer("yes", True))
    with held(reader.path().with_name("lock")), pytest.raises(ReaderError, match="another notebook"):
        reader.remember("00-b", Answer("yes", True))
    assert reader.answers() == {"00-a": Answer("yes", True)}


def _remember_ten(number: int) -> None:
    for i in range(10):
        reader.remember(f"0{number}-{i}", Answer(i, True))


def test_two_notebooks_lose_nothing_of_each_other(at_home):
    context = get_context("spawn")
    writers = [context.Process(target=_remember_ten, args=(number,)) for number in range(2)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert len(reader.answers()) == 20
    assert sorted(os.listdir(at_home)) == ["lock", "predictions.json"]
