"""An explorer as a table: the same charts, over as many stops as fit."""

import json

import numpy as np
import pytest

from nlcore.viz.chart import Explorer, Line, Plot, table
from nlcore.viz.controls import choice, player, slider


def explorer(**controls) -> Explorer:
    """One line of noise, which no compression makes small, that each control changes."""

    def compute(**values):
        draw = np.random.default_rng(list(repr(values).encode()))
        return values, draw.normal(size=40)

    def chart(found):
        values, y = found
        return (
            Plot(str(values), "x", "y", (Line("all", np.arange(40), y),), y_range=(-1.0, 1.0), note="moved" if values["a"] else ""),
            Plot("the same", "x", "y", (Line("a alone", np.arange(3), np.arange(3) * values["a"]),)),
        )

    return Explorer(compute, controls, chart, alt="", try_this="", name="noise")


def whole(made: Explorer, found: dict, at: dict[str, int]) -> dict[str, int]:
    """A table's setting as the explorer's own stops."""
    words = {name: control["words"] for name, control in found["controls"].items()}
    return {name: made.controls[name].words.index(words[name][stop]) for name, stop in at.items()}


def test_a_table_has_each_chart_exactly():
    made = explorer(a=slider("A", 2, 0, 6, 1), b=choice("B", "y", ["x", "y", "z"]))
    found = table.tabulate(made)
    places = list(table.settings(found))
    assert places == [{"a": a, "b": b} for a in range(7) for b in range(3)]
    assert list(table.unpacked(found)) == [made.answer(at) for at in places]
    assert found["alone"] == [] and found["note"] == ""


@pytest.mark.parametrize("limit, most", [(30_000, 60), (10_000, 30)])
def test_a_table_that_is_too_large_has_fewer_stops_but_its_ends_and_its_first(limit, most, monkeypatch):
    monkeypatch.setattr(table, "LIMIT", limit)
    made = explorer(a=slider("A", 17, 0, 99, 1), b=choice("B", "y", ["x", "y"]))
    found = table.tabulate(made)
    words = found["controls"]["a"]["words"]
    assert 5 <= len(words) <= most and words[0] == "0" and words[-1] == "99"
    assert words[found["controls"]["a"]["first"]] == "17"
    assert len(json.dumps(found)) <= limit and "fewer stops" in found["note"]
    for at, chart in zip(table.settings(found), table.unpacked(found)):
        assert chart == made.answer(whole(made, found, at))


def test_where_few_stops_are_too_many_controls_move_one_at_a_time_and_a_player_with_any(monkeypatch):
    monkeypatch.setattr(table, "LIMIT", 60_000)
    sliders = {name: slider(name.upper(), 2, 0, 8, 1) for name in "abc"}
    made = explorer(**sliders, t=player("Time", 0, 6))
    found = table.tabulate(made)
    places = list(table.settings(found))
    assert found["alone"] == ["a", "b", "c"] and "one control moves at a time (Time with any of them)" in found["note"]
    assert {at["t"] for at in places} == set(range(7))
    first = {name: control["first"] for name, control in found["controls"].items()}
    assert max(sum(at[name] != first[name] for name in "abc") for at in places) == 1
    assert {(name, at[name]) for at in places for name in "abc"} >= {(name, 0) for name in "abc"}
    for at, chart in zip(places, table.unpacked(found)):
        assert chart == made.answer(whole(made, found, at))


def test_an_explorer_that_never_fits_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(table, "LIMIT", 1000)
    with pytest.raises(ValueError, match="noise: no table .* has at most 1,000 bytes"):
        table.tabulate(explorer(a=slider("A", 17, 0, 99, 1)))


@pytest.mark.parametrize("first", [0, 3, 50, 98, 99])
def test_coarse_stops_are_in_order_and_end_where_all_do(first):
    control = table.coarse(slider("A", first, 0, 99, 1), 7)
    assert control.values == tuple(sorted(set(control.values))) and len(control.values) == 7
    assert (control.values[0], control.values[-1], control.values[control.first]) == (0, 99, first)
