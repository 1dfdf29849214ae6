"""The pattern of a demo: latest request wins, errors become a sentence, reset, and the picture."""

import asyncio
import threading

import ipywidgets
import pytest
from matplotlib import pyplot as plt

from nlcore.viz import demo as module
from nlcore.viz.demo import Demo, Latest


def make(compute, drawn, **controls):
    """A demo that notes what it draws."""
    def picture(value):
        figure, axes = plt.subplots(figsize=(1, 1))
        axes.set_title(str(value))
        return figure

    return Demo(
        compute, controls or {"x": ipywidgets.IntSlider(2)}, ipywidgets.Label(),
        draw=drawn.append, picture=picture, alt="A number.", try_this="Move x.",
    )


def test_the_newest_request_wins_and_those_between_are_dropped():
    begun, go, done = threading.Event(), threading.Event(), []

    def work(values):
        begun.set()
        go.wait(10)
        done.append(values["x"])

    latest = Latest(work)
    latest.ask({"x": 1})
    assert begun.wait(10)
    for x in (2, 3, 4):
        latest.ask({"x": x})
    assert not latest.wait(0)
    go.set()
    assert latest.wait(10)
    assert done == [1, 4]


def test_it_starts_again_after_it_was_idle():
    done = []
    latest = Latest(done.append)
    for x in range(3):
        latest.ask({"x": x})
        assert latest.wait(10)
    assert done == [{"x": 0}, {"x": 1}, {"x": 2}]


def test_a_moved_control_is_computed_and_drawn_and_reset_puts_it_back():
    drawn = []
    demo = make(lambda x: x * 10, drawn)
    demo.controls["x"].value = 7
    assert demo.wait()
    assert drawn == [70]
    demo.reset_button.click()
    assert demo.wait()
    assert demo.values() == {"x": 2} and drawn == [70, 20]


def test_it_computes_outside_the_callers_thread():
    drawn = []
    demo = make(lambda x: threading.current_thread() is threading.main_thread(), drawn)
    demo.ask()
    assert demo.wait()
    assert drawn == [False]


def test_in_a_kernel_drawing_happens_in_the_kernels_own_thread():
    async def cell():
        threads = []
        demo = make(lambda x: x, [])
        demo.draw = lambda arrays: threads.append(threading.current_thread())
        demo.ask()
        while not threads:
            await asyncio.sleep(0.01)
        return threads

    assert asyncio.run(asyncio.wait_for(cell(), 10)) == [threading.main_thread()]


def test_an_error_is_one_sentence_in_the_widget_and_goes_away(capsys):
    def compute(x):
        if x > 5:
            raise ValueError("x <above> 5 is too much: take less")
        return x

    drawn = []
    demo = make(compute, drawn)
    demo.controls["x"].value = 9
    assert demo.wait()
    assert drawn == []
    assert "This could not be drawn: x &lt;above&gt; 5 is too much: take less" in demo.status.value
    demo.controls["x"].value = 3
    assert demo.wait()
    assert drawn == [3] and demo.status.value == ""
    assert capsys.readouterr() == ("", "")


def test_what_cannot_be_put_on_the_view_is_said_too():
    demo = make(lambda x: x, [])
    demo.draw = lambda arrays: arrays / 0
    demo.ask()
    assert demo.wait()
    assert "division by zero" in demo.status.value


def test_a_slow_demo_says_that_it_computes(monkeypatch):
    monkeypatch.setattr(module, "SLOW_S", -1.0)
    go, drawn = threading.Event(), []
    demo = make(lambda x: go.wait(10), drawn)
    demo.ask()
    assert "Computing" in demo.status.value
    go.set()
    assert demo.wait() and demo.status.value == ""


@pytest.mark.parametrize("static", (True, False))
def test_a_built_notebook_gets_the_picture_and_a_live_one_the_widget(static, monkeypatch):
    shown, displayed, drawn = [], [], []
    monkeypatch.setattr(module, "building", lambda: static)
    monkeypatch.setattr(module, "show", lambda figure, alt, name: shown.append((figure.axes[0].get_title(), alt, name)))
    monkeypatch.setattr(module, "display", displayed.append)
    demo = make(lambda x: x + 1, drawn)
    demo.show()
    assert demo.wait()
    plt.close("all")
    assert shown == ([("3", "A number.", None)] if static else [])
    assert displayed == ([] if static else [demo.box])
    assert drawn == ([] if static else [3])
