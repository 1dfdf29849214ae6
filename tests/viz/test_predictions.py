"""The course's predictions: what a chapter may ask, and that each answer is what is computed, never what was typed."""

import re

import numpy as np
import pytest
import torch

from nlcore.memory import AssociativeMemory, Decay, DotProduct, GradientDescent, Linear, Rates
from nlcore.viz.explorers import fading
from nlcore.viz.prediction import Prediction, Tick
from nlcore.viz.predictions import chapters, find

EVERY = {prediction.key: prediction for chapter in chapters().values() for prediction in chapter.predictions}
TICKS = [key for key, prediction in EVERY.items() if isinstance(prediction, Tick)]


def right(key: str) -> str:
    """The option that is said to be right."""
    return find(key).right


@pytest.mark.parametrize("number", chapters())
def test_a_chapter_asks_at_most_four_each_under_its_own_key(number):
    asked = chapters()[number].predictions
    assert 1 <= len(asked) <= 4
    keys = [prediction.key for prediction in asked]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(rf"{number}-[a-z-]+", key) for key in keys)


@pytest.mark.parametrize("prediction", EVERY.values(), ids=EVERY)
def test_words_are_whole_sentences_without_formulas(prediction: Prediction):
    assert prediction.question[-1] in ".?" and prediction.because[-1] == "."
    assert "$" not in prediction.question + prediction.because + "".join(getattr(prediction, "options", ()))


def test_every_tick_has_its_own_test(request):
    """A truth that nothing computes would be typed in: each key of a tick stands in a test of this file."""
    source = request.path.read_text()
    assert [key for key in TICKS if f'right("{key}")' not in source] == []


# ---- chapter 00 ----


def test_00_clock():
    from nlcore.viz.explorers import clock_of_levels

    traces = clock_of_levels.compute(clock_of_levels.START)
    known = {name: (trace.recall[-1] > clock_of_levels.SHOWN).sum() for name, trace in traces.items()}
    assert right("00-clock").startswith(max(known, key=known.get))
    named = {option.split(", which")[0]: option for option in find("00-clock").options}
    updates = {name: int(traces[name].fired.sum()) for name in named}
    assert updates == {"attention": 52, "momentum": 26, "CMS, slow": 2}


def test_00_halved():
    memory = AssociativeMemory(Linear(2, 2), DotProduct(), GradientDescent(), Decay())
    k, v = torch.eye(2), torch.tensor([[4.0, 2.0], [6.0, 0.0]])
    state = memory.start()
    for t in range(2):
        state, _ = memory.write(state, k[t], v[t], Rates(torch.tensor(1.0), torch.tensor(0.5)))
    x, y = memory.read(state, k[0]).tolist()
    assert right("00-halved").startswith(f"({x:g}, {y:g})")


def test_00_fading():
    asked = find("00-fading")
    drawing = asked.drawing(fading.chart(fading.compute(**{"alpha": 0.9, "period": 1, "width": 32} | asked.at)))
    assert drawing.y[0] == pytest.approx(1, abs=1e-3) and (np.diff(drawing.y) < 0).all()  # exact, then ever worse
    assert asked.judge([1.0, 0.8, 0.6, 0.5, 0.4], drawing).right
    assert not asked.judge([1.0] * 5, drawing).right and not asked.judge([0.64] * 5, drawing).right
