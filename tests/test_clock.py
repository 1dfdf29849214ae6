"""The clock: who is due, and when."""

import pytest

from nlcore.clock import Clock


def fires(clock, steps):
    fired = {name: [] for name in clock.periods}
    for step in steps:
        due = clock.due(step)
        clock.mark(due, step)
        for name in due:
            fired[name].append(step)
    return fired


def test_levels_fire_on_their_periods():
    assert fires(Clock({"a": 1, "b": 3, "c": 5}), range(1, 11)) == {
        "a": list(range(1, 11)),
        "b": [3, 6, 9],
        "c": [5, 10],
    }


def test_a_changed_period_counts_from_the_last_update():
    clock = Clock({"b": 4})
    assert fires(clock, range(1, 7))["b"] == [4]
    clock.set_period("b", 2)
    assert fires(clock, range(7, 12))["b"] == [7, 9, 11]


def test_state_round_trip():
    clock, other = Clock({"a": 1, "b": 3}), Clock({"a": 1, "b": 7})
    fires(clock, range(1, 6))
    other.load_state_dict(clock.state_dict())
    assert fires(other, range(6, 12)) == fires(clock, range(6, 12))


@pytest.mark.parametrize("period", [0, -1, 1.5, "4"])
def test_bad_periods_get_one_sentence(period):
    with pytest.raises(ValueError, match="whole number of steps"):
        Clock({"a": period})


def test_unknown_levels_are_named_with_those_that_exist():
    with pytest.raises(ValueError, match="no level 'x' here: choose one of a, b"):
        Clock({"a": 1, "b": 2}).set_period("x", 1)
