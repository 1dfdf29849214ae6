"""A demo shows its picture, says in words what it shows, and shows the live view where there can be one."""

import pytest
from matplotlib import pyplot as plt

from nlcore.viz import demo as module
from nlcore.viz.demo import Demo
from nlcore.viz.prediction import Tick
from nlcore.viz.question import Asks
from nlcore.viz.view import script

WIDGET = "application/vnd.jupyter.widget-view+json"


class Still(Asks):
    _esm = script("page") + "\nexport default { render() {} };"


@pytest.fixture
def shown(monkeypatch):
    """What a cell that shows a demo puts out, in order: (data, metadata)."""
    found = []
    monkeypatch.setattr("nlcore.viz.show.publish_display_data", lambda data, about=None, **more: found.append((data, about)))
    monkeypatch.setattr(module, "publish_display_data", lambda data, about=None: found.append((data, about)))
    monkeypatch.setattr(module, "get_ipython", lambda: "a kernel")
    return found


def make():
    return Demo(Still(), lambda: plt.subplots(figsize=(1, 1))[0], alt="A <small> number.", name="number")


def test_a_live_cell_keeps_the_picture_and_the_words_beside_the_view(shown):
    make().show()
    (picture, about), (words, _), (view, _) = shown
    assert picture["image/png"].startswith(b"\x89PNG") and about["image/png"]["alt"] == "A <small> number."
    assert about["image/png"]["name"] == "number"
    assert "A &lt;small&gt; number." in words["text/html"] and "nl-words" in words["text/html"]
    assert WIDGET in view and view["text/plain"].endswith("run this cell again.")
    assert plt.get_fignums() == []


def test_a_built_notebook_has_picture_and_words_alone(shown, monkeypatch):
    monkeypatch.setenv("NL_STATIC", "1")
    make().show()
    assert [set(data) for data, _ in shown] == [{"image/png", "text/plain"}, {"text/html"}]


def test_a_question_comes_before_the_picture_which_is_folded_where_it_is_the_answer(shown, monkeypatch):
    monkeypatch.setattr("nlcore.viz.question.publish_display_data", lambda data, about=None: shown.append((data, about)))
    make().predict("00-halved").show()
    (question, _), (picture, about), (words, _), (view, _) = shown
    assert "What does its key answer" in question["text/html"].split("<details>")[0] and "nl-asked" in question["text/html"]
    assert picture["image/png"] and about["image/png"]["name"] == "number"
    assert picture["text/html"].startswith("<details>") and 'alt="A &lt;small&gt; number."' in picture["text/html"]
    shown.clear()
    monkeypatch.setattr(module, "find", lambda key: Tick("00-x", "?", ("a", "b"), right="a", because=".", spoils=False))
    make().predict("00-x").show()
    assert "text/html" not in shown[1][0]  # the picture is of another setting


def test_a_script_shows_nothing(shown, monkeypatch):
    monkeypatch.setattr(module, "get_ipython", lambda: None)
    make().show()
    assert shown == []


def test_a_page_that_asks_for_plotly_gets_the_installed_packages_script(monkeypatch):
    view, sent, heard = Still(), [], []
    monkeypatch.setattr(view, "send", lambda content, buffers: sent.append((content, len(buffers[0]))))
    monkeypatch.setattr(view, "heard", heard.append)
    view._answer(view, {"need": "plotly"}, [])
    view._answer(view, {"other": 1}, [])
    assert sent[0][0] == {"kind": "plotly"} and sent[0][1] > 1_000_000 and heard == [{"other": 1}]
