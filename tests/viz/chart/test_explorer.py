"""An explorer answers what the page asks, in the background, the newest question last."""

import asyncio
import threading

import numpy as np
import pytest
from matplotlib import pyplot as plt

from nlcore.viz.chart import Explorer, Line, Plot
from nlcore.viz.controls import choice, slider
from nlcore.viz.prediction import Curve


def make(compute):
    def chart(y):
        return (Plot(f"{y:g}", "x", "y", (Line("line", np.arange(2), np.array([0.0, y])),)),)

    controls = {"x": slider("X", 2, 0, 9, 1), "sign": choice("Sign", "plus", ("plus", "minus"))}
    return Explorer(compute, controls, chart, alt="A line.", try_this="Move x.", name="line")


def signed(x, sign):
    return x if sign == "plus" else -x


def ask(explorer, number, **at):
    explorer.view.asked = {"number": number, "at": explorer.first | at}
    assert explorer.wait()
    return explorer.view.answer


def test_it_opens_with_its_first_chart_and_answers_by_number():
    explorer = make(signed)
    assert explorer.view.answer["number"] == 0 and explorer.view.answer["chart"][0]["title"] == "2"
    answer = ask(explorer, 1, x=7, sign=1)
    assert answer["number"] == 1 and answer["chart"][0]["lines"][0]["y"] == [0, -7]


def test_the_page_gets_controls_without_the_values_that_compute_gets():
    facts = make(signed).view.controls["x"]
    assert facts["label"] == "X" and facts["first"] == 2 and len(facts["words"]) == 10 and "values" not in facts


def test_an_error_is_one_sentence_and_goes_away(capsys):
    def compute(x, sign):
        if x > 5:
            raise ValueError("x above 5 is too much: take less")
        return x

    explorer = make(compute)
    assert ask(explorer, 1, x=9) == {"number": 1, "error": "This could not be drawn: x above 5 is too much: take less."}
    assert ask(explorer, 2, x=3)["chart"][0]["title"] == "3"
    assert capsys.readouterr() == ("", "")


def test_it_computes_beside_the_kernel_and_answers_in_the_kernels_own_thread():
    computing, answering = [], []

    def compute(x, sign):
        computing.append(threading.current_thread())
        return x

    async def cell():
        explorer = make(compute)
        explorer.view.observe(lambda _: answering.append(threading.current_thread()), names="answer")
        explorer.view.asked = {"number": 1, "at": explorer.first | {"x": 4}}
        while not answering:
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(cell(), 10))
    assert computing[0] is threading.main_thread() and computing[-1] is not threading.main_thread()
    assert answering == [threading.main_thread()]


def test_its_picture_is_of_the_first_setting():
    figure = make(signed).picture()
    assert figure.axes[0].get_title(loc="left") == "2"
    plt.close(figure)


def test_a_prediction_is_asked_on_the_axes_and_at_the_setting_that_it_names(monkeypatch):
    asked = Curve("00-x", "Draw it.", "line", because=".", at={"x": 7, "sign": "minus"}, handles=3)
    monkeypatch.setattr("nlcore.viz.demo.find", {"00-x": asked}.get)
    explorer = make(signed)
    assert explorer.predict("00-x") is explorer
    assert explorer.view.prediction["stops"] == {"x": 7, "sign": 1} and explorer.view.prediction["axes"][1]["low"] == -7
    explorer.view.heard({"predict": "answer", "answer": [0, -3.5, -7]})
    assert explorer.view.prediction["outcome"]["right"]
    assert explorer.view.guess["name"] == "your guess (X 7, Sign minus)"
    assert explorer.view.answer["number"] == 0  # the page moves the controls


def test_a_question_at_a_setting_that_there_is_not_is_refused_in_words():
    explorer = make(signed)
    with pytest.raises(ValueError, match="X: 77 is not one of its stops"):
        explorer.put_question(Curve("00-x", "?", "line", because=".", at={"x": 77}))
    with pytest.raises(ValueError, match="00-x is asked at width; line has x, sign"):
        explorer.put_question(Curve("00-x", "?", "line", because=".", at={"width": 1}))
