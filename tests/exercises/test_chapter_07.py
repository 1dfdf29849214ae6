"""The exercises of notebook 07: its solutions pass, and each usual mistake is named."""

from fractions import Fraction

import pytest
import torch

from nlcore.exercises.chapter_07 import SUSPECTS, check_faster, check_lookahead, check_start, check_suspects
from nlcore.exercises.checking import RIGHT, UNKNOWN
from nlcore.levels import Component, NestedSystem, Transfer, order


def reached(b, needs):
    found, before = {b}, set()
    while found != before:
        before = set(found)
        found |= {n for part, n in needs if part in found}
    return found


def is_faster(a, b, frequency, needs):
    return frequency[a] > frequency[b] or (frequency[a] == frequency[b] and a != b and a in reached(b, needs))


def system(slow=Fraction(1, 5), needs=(("fast", "momentum"), ("slow", "fast")), handed=None):
    parts = (Component("momentum", 1), Component("fast", 1), Component("slow", slow))
    kinds = {("momentum", "fast"): "generation", ("fast", "slow"): "parametric", ("slow", "fast"): "initialisation"}
    return NestedSystem(parts, needs, tuple(Transfer(*ends, kind) for ends, kind in (handed or kinds).items()))


def best_start(a, c, eta, steps):
    weight = a * (1 - eta * a) ** (2 * steps)
    return (weight * c).sum() / weight.sum()


def test_the_solutions_are_right():
    named = {"A": "neither", "B": "m", "C": "w"}
    found = check_faster(is_faster), check_suspects(named), check_lookahead(system), check_start(best_start)
    assert found == (RIGHT,) * 4


@pytest.mark.parametrize("wrong, says", [
    (lambda a, b, f, n: None, "nothing yet"),
    (lambda a, b, f, n: f[a] > f[b], "Frequency alone"),
    (lambda a, b, f, n: f[a] < f[b] or (f[a] == f[b] and a != b and a in reached(b, n)), "wrong way round"),
    (lambda a, b, f, n: f[a] > f[b] or (f[a] == f[b] and a != b and b in reached(a, n)), "points the other way"),
    (lambda a, b, f, n: f[a] > f[b] or (f[a] == f[b] and (b, a) in n), "direct needs only"),
    (lambda a, b, f, n: is_faster(a, b, f, [pair for pair in n if f[pair[0]] == f[b]]), "through c, b and a"),
    (lambda a, b, f, n: f[a] > f[b] or a != b and a in reached(b, n), "only where both"),
    (lambda a, b, f, n: f[a] > f[b] or (f[a] == f[b] and a in reached(b, n)), "than itself"),
    (lambda a, b, f, n: f[a] >= f[b], "faster than each other"),
    (lambda a, b, f, n: True, UNKNOWN),
    (lambda a, b, f, n: f["z"], "KeyError"),
])
def test_a_wrong_order_is_named(wrong, says):
    assert says in check_faster(wrong)


@pytest.mark.parametrize("wrong, says", [
    ({}, "nothing yet"),
    ({"A": "m", "B": "m", "C": "w"}, "which m does it use"),
    ({"A": "neither", "B": "w", "C": "m"}, "look again at b"),
    ({"A": "neither", "B": "m", "C": "m"}, "made of something else"),
])
def test_a_wrong_suspicion_is_named(wrong, says):
    assert says.lower() in check_suspects(wrong).lower()


def test_the_suspects_are_as_named_and_two_go_the_same_way():
    faster = {}
    for name, step in SUSPECTS.items():
        plain, by_m, by_w = (step(1.0, 0.2, 0.5, *nudges) for nudges in ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0)))
        faster[name] = "m" if by_m[0] != plain[0] else "w" if by_w[1] != plain[1] else "neither"
    assert faster == {"A": "neither", "B": "m", "C": "w"}
    states = {name: (1.0, 0.0) for name in SUSPECTS}
    for _ in range(20):
        states = {name: SUSPECTS[name](*state, state[0] - 0.5, 0.0, 0.0) for name, state in states.items()}
    assert states["B"] == pytest.approx(states["C"]) and states["A"][0] != pytest.approx(states["B"][0])


@pytest.mark.parametrize("wrong, says", [
    (lambda: None, "nothing yet"),
    (lambda: [1], "return a NestedSystem"),
    (lambda: NestedSystem((Component("m", 1),)), "name them momentum"),
    (lambda: system(slow=5), "a frequency of 1/5"),
    (lambda: system(slow=1), "updates per step"),
    (lambda: system(needs=()), "stand on one level"),
    (lambda: system(needs=(("momentum", "fast"),)), "points the other way"),
    (lambda: system(handed={("slow", "fast"): "parametric"}), "begin again"),
    (lambda: system(handed={("slow", "fast"): "initialisation"}), "from fast to slow"),
    (lambda: system(needs=(("a", "fast"),)), "ValueError"),
])
def test_a_wrong_system_is_named(wrong, says):
    assert says in check_lookahead(wrong)


def test_the_need_across_frequencies_changes_no_level():
    parts = [Component("momentum", 1), Component("fast", 1), Component("slow", Fraction(1, 5))]
    assert order(parts, [("fast", "momentum")]) == order(parts, [("fast", "momentum"), ("slow", "fast")])


def weighed(weight):
    return lambda a, c, eta, steps: (weight(a, eta, steps) * c).sum() / weight(a, eta, steps).sum()


@pytest.mark.parametrize("wrong, says", [
    (lambda a, c, eta, steps: None, "nothing yet"),
    (lambda a, c, eta, steps: c.mean(), "plain mean"),
    (weighed(lambda a, e, n: a), "without any step"),
    (weighed(lambda a, e, n: a * (1 - e * a) ** n), "counts twice"),
    (weighed(lambda a, e, n: a * (1 - e * a) ** 2), "one step's"),
    (weighed(lambda a, e, n: (1 - e * a) ** (2 * n)), "strength is missing"),
    (weighed(lambda a, e, n: a * (e * a) ** (2 * n)), "taken as eta a"),
    (lambda a, c, eta, steps: 0.0, UNKNOWN),
])
def test_a_wrong_start_is_named(wrong, says):
    assert says in check_start(wrong)


def test_the_best_start_is_best():
    a, c = torch.tensor([1.0, 3.0, 0.5]).double(), torch.tensor([2.0, -1.0, 5.0]).double()

    def loss(start):
        theta = start
        for _ in range(2):
            theta = theta - 0.3 * a * (theta - c)
        return (a * (theta - c) ** 2 / 2).mean()

    best = best_start(a, c, 0.3, 2)
    assert all(loss(best) < loss(best + off) for off in (-0.01, 0.01))
