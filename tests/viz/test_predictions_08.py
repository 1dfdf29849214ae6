"""The predictions of chapter 08: each answer is what is computed, never what was typed."""

import numpy as np

from experiments.experiment import load
from nlcore.viz.explorers.who_remembers import run, stream, who_remembers
from nlcore.viz.prediction import Tick
from nlcore.viz.predictions import find


def right(key: str) -> str:
    """The option that is said to be right."""
    asked = find(key)
    assert isinstance(asked, Tick)
    return asked.right


def test_08_who():
    explorer = who_remembers()
    found = explorer.compute(**explorer.values(explorer.first) | find("08-who").at)
    held = found.nest.holds[:2, 0, np.diff(found.abroad, append=0) == -1].sum(0)
    assert (held < 0).all() and right("08-who") == "less than nothing"


def test_08_who_says_what_a_level_holds():
    world = stream(0.0)
    away = int(world.abroad.argmax())
    known = run(world, (1,), (0.1,), False).holds[0, :, away - 1]  # all of home, and nothing of abroad
    np.testing.assert_allclose(known, [1, 0], atol=0.01)
    assert "holds 1 of a place" in find("08-who").question


def test_08_overshoot():
    fast, slow, gathered = 1.0, 1.0, 0.0
    for _ in range(2):
        error = slow * fast - 2
        gathered, fast = gathered + error * fast, fast - 0.5 * error * slow
    assert slow * fast == 1.75 and (slow - 0.5 * gathered) * fast > 3
    assert right("08-overshoot") == "well beyond 2"


def test_08_restart():
    fast = start = 1.0
    for _ in range(2):
        gradient = fast - 2
        fast, start = fast - 0.5 * gradient, start - 0.5 * gradient
    assert start == fast == 1.75 and right("08-restart") == "at 1.75, where it is"


def test_08_abroad():
    runs = [run["figures"] for run in load("visit").runs if run["arm"] == "three frequencies" and run["rate"] == 0.3]
    last = np.mean([figures["last_abroad"] for figures in runs])
    assert 2.5 < last < 3.5 and right("08-abroad") == "about 3"
