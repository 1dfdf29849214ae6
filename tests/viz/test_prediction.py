"""A prediction: what it takes for an answer, how it judges one, and what the page and the reader's file get of it."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest

from nlcore.viz import reader
from nlcore.viz.chart.plot import Line, Plot
from nlcore.viz.prediction import Chapter, Curve, Point, Tick, last_below
from nlcore.viz.predictions import predict, predictions
from nlcore.viz.question import Asks, Question, folded, plain, publish_question
from nlcore.viz.reader import Answer

TICK = Tick("00-tick", "Which <one>?", ("this", "that", "both"), right="that", because="Because it is.")
X = np.linspace(0, 10, 101)
CURVE = Curve("00-curve", "Draw it.", line="falls", because="It falls.", handles=3, given=("flat",))
POINT = Point("00-point", "Where?", line="bowl", where=last_below(0.3), because="There.")


def plot(**more) -> tuple[Plot]:
    lines = (Line("falls to 0", X, 1 - X / 10), Line("flat", X, 0 * X + 0.5), Line("bowl", X, ((X - 4) / 10) ** 2 + 0.2))
    return (Plot("A plot", "words", "recall", lines, **{"x_range": (0, 10), "y_range": (0, 1)} | more),)


@pytest.mark.parametrize("options, right", [(("a", "b"), "c"), (("a",), "a"), (("a", "a"), "a")])
def test_a_tick_needs_two_different_options_of_which_one_is_right(options, right):
    with pytest.raises(ValueError, match="00-x"):
        Tick("00-x", "?", options, right=right, because=".")


@pytest.mark.parametrize("asked, good, bad", [
    (TICK, ["this", "that"], ["neither", 0, None, ["that"]]),
    (CURVE, [[0, 0.5, 1], (1.0, 2.0, 3.0)], [[0, 1], [0, 1, float("nan")], [0, 1, "2"], [0, 1, None], 3, None, "abc"]),
    (POINT, [[0, 1.5]], [[0], [0, 1, 2], 0]),
], ids=("tick", "curve", "point"))  # fmt: skip
def test_only_an_answer_to_the_question_is_taken(asked, good, bad):
    assert all(asked.takes(answer) for answer in good)
    assert not any(asked.takes(answer) for answer in bad)


def test_a_tick_is_right_or_not():
    assert TICK.judge("that").right and not TICK.judge("this").right


def test_the_truth_of_a_curve_is_the_charts_own_line():
    drawing = CURVE.drawing(plot())
    assert drawing.x == pytest.approx([0, 5, 10]) and drawing.y == pytest.approx([1, 0.5, 0])
    assert CURVE.judge([1, 0.5, 0], drawing).right
    assert CURVE.judge([0.82, 0.5, 0.18], drawing).right
    wrong = CURVE.judge([1, 0.5, 0.25], drawing)
    assert not wrong.right and "25%" in wrong.words


def test_distance_on_a_log_axis_is_in_decades():
    y = 10.0 ** -(X / 5)  # 1 to 0.01
    chart = (Plot("A plot", "words", "error", (Line("falls", X, y),), x_range=(0, 10), y_range=(1e-4, 1.0), y_log=True),)
    asked = Curve("00-log", "?", "falls", because=".", handles=3, within=0.26)
    drawing = asked.drawing(chart)
    assert drawing.y == pytest.approx([1, 0.1, 0.01])
    assert asked.judge([0.1, 0.01, 0.001], drawing).right  # a decade of four
    assert not asked.judge([1, 0.1, 0.0005], drawing).right


def test_what_lies_outside_the_frame_counts_as_its_edge():
    drawing = CURVE.drawing(plot(y_range=(0.4, 1)))
    assert CURVE.judge([1, 0.5, 0.4], drawing).right
    assert CURVE.judge([7, 0.5, -3], drawing).right


def test_a_point_has_to_be_near_in_both_directions():
    drawing = POINT.drawing(plot())
    assert (drawing.x[0], drawing.y[0]) == pytest.approx((7.1, 0.2961))
    assert POINT.judge([8.0, 0.39], drawing).right
    assert not POINT.judge([8.5, 0.3], drawing).right
    assert not POINT.judge([7.1, 0.45], drawing).right


def test_gaps_and_what_is_outside_the_frame_are_not_asked_for():
    y = np.where(X < 3, np.nan, X)
    (part,) = plot(x_range=(0, 8))
    chart = (Plot(part.title, part.x, part.y, (Line("falls", X, y), part.lines[1]), x_range=(0, 8), y_range=(0, 10)),)
    assert CURVE.drawing(chart).x == pytest.approx([3, 5.5, 8])


@pytest.mark.parametrize("line", ["rises", ""])
def test_a_line_that_is_not_the_only_one_of_its_name_is_refused(line):
    with pytest.raises(ValueError, match="'falls to 0', 'flat', 'bowl'"):
        Curve("00-x", "?", line, because=".").drawing(plot())


def test_without_ranges_the_axes_hold_all_lines():
    across, up = CURVE.drawing(plot(x_range=None, y_range=None)).axes
    assert (across.low, across.high, up.low, up.high) == pytest.approx((0, 10, 0, 1))


# ---- the view ----


def say(view: Asks, **message) -> None:
    view.heard(message)


def asks(prediction, **more) -> Asks:
    view = Asks()
    view.ask(prediction, None if isinstance(prediction, Tick) else prediction.drawing(plot()), **more)
    return view


def test_a_question_tells_the_page_no_answer_before_there_is_one():
    for prediction in (TICK, CURVE, POINT):
        asked = asks(prediction).prediction
        assert asked["outcome"] is None and asked["trouble"] == "" and asked["hides"]
        assert prediction.because not in json.dumps(asked) and "right" not in asked


def test_an_answer_is_judged_remembered_and_brought_back():
    view = asks(TICK)
    say(view, predict="answer", answer="that")
    assert view.prediction["outcome"]["right"] is True and view.prediction["outcome"]["because"] == TICK.because
    assert reader.answers() == {"00-tick": Answer("that", True)}
    assert asks(TICK).prediction["outcome"] == view.prediction["outcome"]


def test_a_drawn_guess_is_laid_over_the_chart_and_brought_back():
    for prediction, answer, guess in (
        (CURVE, [0.9, 0.5, 0.1], {"plot": 0, "name": "your guess", "x": [0, 5, 10], "y": [0.9, 0.5, 0.1]}),
        (POINT, [4, 0.8], {"plot": 0, "name": "your guess", "x": [4], "y": [0.8]}),
    ):
        view = asks(prediction)
        assert view.guess == {}
        say(view, predict="answer", answer=answer)
        assert view.guess == guess and asks(prediction).guess == guess


def test_to_look_first_is_neither_right_nor_wrong_and_takes_no_answer_away():
    view = asks(TICK)
    say(view, predict="look")
    assert view.prediction["outcome"]["right"] is None and reader.answers() == {"00-tick": Answer(None, None)}
    say(view, predict="again")
    assert view.prediction["outcome"] is None
    say(view, predict="answer", answer="this")
    say(view, predict="again")
    say(view, predict="look")
    assert reader.answers() == {"00-tick": Answer("this", False)}


def test_asked_again_the_last_answer_counts():
    view = asks(CURVE)
    say(view, predict="answer", answer=[0, 0, 0])
    say(view, predict="again")
    assert view.guess == {} and view.prediction["outcome"] is None
    assert not reader.answers()["00-curve"].right
    say(view, predict="answer", answer=[1, 0.5, 0])
    assert reader.answers()["00-curve"].right


def test_what_is_no_answer_is_not_heard():
    view = asks(TICK)
    for message in ({"predict": "answer", "answer": "neither"}, {"predict": "answer"}, {"predict": "else"}, {"need": "x"}):
        say(view, **message)
    assert view.prediction["outcome"] is None and reader.answers() == {}


def test_an_answer_to_a_question_that_has_changed_is_asked_for_again():
    for right in (True, None):
        reader.remember("00-tick", Answer("an option of last year", right))
        assert asks(TICK).prediction["outcome"] is None


def test_a_file_that_cannot_be_used_is_one_sentence_and_the_answer_still_counts_here():
    reader.path().parent.mkdir()
    reader.path().write_text("{")
    view = asks(TICK)
    assert "is damaged" in view.prediction["trouble"]
    say(view, predict="answer", answer="that")
    assert view.prediction["outcome"]["right"] and "is damaged" in view.prediction["trouble"]
    reader.path().unlink()
    say(view, predict="answer", answer="that")
    assert view.prediction["trouble"] == "" and reader.answers() == {"00-tick": Answer("that", True)}


def test_the_page_gets_numbers_it_can_draw():
    asked = asks(CURVE, stops={"alpha": 3}).prediction
    assert json.loads(json.dumps(asked)) == asked
    assert asked["places"] == pytest.approx([0, 0.5, 1]) and asked["stops"] == {"alpha": 3}
    assert [given["name"] for given in asked["given"]] == ["flat"]
    assert all(0 <= tick["share"] <= 1 for axis in asked["axes"] for tick in axis["ticks"])


# ---- words, where nothing runs ----


def test_in_words_the_question_stands_and_the_answer_is_folded():
    assert plain(TICK) == "Predict. Which <one>?\n  - this\n  - that\n  - both"
    page = folded(TICK)
    question, answer = page.split("<details>")
    assert "Which &lt;one&gt;?" in question and "<li>both</li>" in question and TICK.because not in question
    assert "that." in answer and TICK.because in answer and answer.endswith("</p></details>")
    assert CURVE.because in folded(CURVE).split("<details>")[1]


@pytest.mark.parametrize("alone, kind", [(True, "nl-words"), (False, "nl-asked")])
def test_words_that_a_live_view_hides_have_nothing_beside_them(alone, kind, monkeypatch):
    published = []
    monkeypatch.setattr("nlcore.viz.question.publish_display_data", published.append)
    publish_question(TICK, alone)
    (only,) = ElementTree.fromstring(f"<page>{published[0]['text/html']}</page>")  # page.js leaves what holds more in sight
    assert only.get("class") == kind and (only.find("style") is not None) == alone


def test_a_script_prints_the_question(capsys):
    assert isinstance(predict("00-halved"), Question)
    shown = capsys.readouterr().out
    assert "α = 0.5" in shown and "(2, 1)" in shown


def test_what_is_drawn_is_not_asked_without_a_chart():
    with pytest.raises(ValueError, match="00-fading is drawn on an explorer's chart"):
        predict("00-fading")


def test_an_unknown_key_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="00-clock"):
        predict("00-nothing")


# ---- the count ----


@pytest.fixture
def two_chapters(monkeypatch):
    def named(name: str) -> Tick:
        return Tick(name, "?", ("a", "b"), right="a", because=".")

    found = {"00": Chapter("One", (named("00-a"), named("00-b"))), "01": Chapter("Two", (named("01-a"),))}
    monkeypatch.setattr("nlcore.viz.predictions.chapters", lambda: found)


def test_the_count_says_right_of_made_and_leaves_out_who_looked(two_chapters):
    assert repr(predictions()) == "You have made no prediction yet. Run this cell again when you have."
    reader.remember("00-a", Answer("a", True))
    reader.remember("00-b", Answer(None, None))
    assert repr(predictions()) == "You were right in 1 of 1 prediction."
    reader.remember("01-a", Answer("b", False))
    reader.remember("77-gone", Answer("b", True))
    tally = predictions()
    assert repr(tally) == "You were right in 1 of 2 predictions."
    assert tally.rows == (("00 One", "1", "0", "1", "0"), ("01 Two", "0", "1", "0", "0"))
    assert "<td>00 One</td><td>1</td>" in tally._repr_html_() and str(reader.path()) in tally._repr_html_()


def test_a_stored_notebook_counts_nobody_and_a_damaged_file_is_said(two_chapters, monkeypatch):
    reader.remember("00-a", Answer("a", True))
    monkeypatch.setenv("NL_STATIC", "1")
    assert predictions().rows == () and "are counted here" in repr(predictions())
    assert "kept in" not in predictions()._repr_html_()  # no path of the machine that builds
    monkeypatch.delenv("NL_STATIC")
    reader.path().write_text("{")
    assert "is damaged" in repr(predictions())
