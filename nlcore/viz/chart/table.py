"""An explorer as a table: its chart at the stops of its controls, for a page that no kernel answers."""

import base64
import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from typing import Any

from nlcore.viz.chart.data import Data
from nlcore.viz.chart.explorer import Explorer
from nlcore.viz.controls import Control
from nlcore.viz.tape import packed

LIMIT = 290_000
"""Bytes of a table, as it is written."""
SETTINGS = 10_000
"""That a table may have, for the time that computing them takes."""
STOPS = (5, 6, 7, 9, 11, 13, 17, 21, 26, 34, 51, 101)
"""Of a slider: a table has the largest of these that fits."""
FREE = (("player", "choice", "slider"), ("player", "choice"), ("player",))
"""Kinds of controls that move together, in a table of all combinations of them; the first that fits."""


@dataclass(frozen=True)
class Plan:
    """Which settings a table has."""

    controls: Mapping[str, Control]
    """With those stops that the table has."""
    alone: tuple[str, ...]
    """Controls that move one at a time, while the others of them stand on their first stop."""

    def __len__(self) -> int:
        moved = sum(len(self.controls[name].values) for name in self.alone) or 1
        return moved * prod(len(one.values) for name, one in self.controls.items() if name not in self.alone)


def tabulate(explorer: Explorer) -> Data:
    """The table of the most stops that LIMIT allows, for `book.js`.

    "controls": as the view has them, with the stops that the table has; "alone": those that move one at a time;
    "note": what a reader should know of both; "packed": the charts. Raises ValueError if not even the smallest
    table is small enough.
    """
    charts = _Charts(explorer)
    for kinds in FREE:
        if found := charts.largest(list(plans(explorer.controls, kinds))):
            return found
    raise ValueError(f"{explorer.name}: no table of at least {STOPS[0]} stops a slider has at most {LIMIT:,} bytes.")


def settings(table: Data) -> Iterator[dict[str, int]]:
    """Each setting of a table in its order, as name -> stop: for each stop of those alone, all of the others'."""
    controls, alone = table["controls"], table["alone"]
    first = {name: one["first"] for name, one in controls.items()}
    moved = [{name: at} for name in alone for at in range(len(controls[name]["words"]))] or [{}]
    free = {name: range(len(one["words"])) for name, one in controls.items() if name not in alone}
    for one in moved:
        for at in product(*free.values()):
            yield first | one | dict(zip(free, at))


def unpacked(table: Data) -> Iterator[list[Data]]:
    """The charts of a table in its order, as `Explorer.answer` gave them."""
    charts = json.loads(gzip.decompress(base64.b64decode(table["packed"])))
    return (_at(charts, place) for place, _ in enumerate(settings(table)))


def plans(controls: Mapping[str, Control], free: tuple[str, ...]) -> Iterator[Plan]:
    """Plans in which the controls of the kinds `free` move together, from few stops of each slider to all."""
    offered = {name: replace(one, kind="choice") if one.kind == "text" else one for name, one in controls.items()}
    alone = tuple(name for name, one in offered.items() if one.kind not in free)
    before = None
    for most in STOPS:
        kept = {name: coarse(one, most) if one.kind == "slider" else one for name, one in offered.items()}
        if kept != before:
            yield Plan(kept, alone)
        before = kept


def coarse(control: Control, most: int) -> Control:
    """The control with `most` of its stops: its ends, its first, and some evenly between."""
    last = len(control.values) - 1
    if last < most:
        return control
    kept = [round(i * last / (most - 1)) for i in range(most)]
    if control.first not in (0, last):
        kept[min(range(1, most - 1), key=lambda i: abs(kept[i] - control.first))] = control.first
    words, values = (tuple(of[stop] for stop in kept) for of in (control.words, control.values))
    return replace(control, words=words, values=values, first=kept.index(control.first))


class _Charts:
    """An explorer's charts, computed once each."""

    def __init__(self, explorer: Explorer) -> None:
        self._explorer = explorer
        self._known: dict[tuple[int, ...], list[Data]] = {}

    def largest(self, plans: list[Plan]) -> Data | None:
        """The table of the last of these plans, which grow, that is small enough; None if the first is too large."""
        best, size, count = None, 0, 1
        while plans:
            # Bytes grow about as settings do: a plan that is clearly too large is not computed.
            likely = [place for place, plan in enumerate(plans) if size * len(plan) <= 1.1 * LIMIT * count] if best else [0]
            if not likely or len(plans[likely[-1]]) > SETTINGS:
                return best
            place, count = likely[-1], len(plans[likely[-1]])
            found = self.table(plans[place])
            if len(json.dumps(found)) <= LIMIT:
                best, size, plans = found, len(json.dumps(found)), plans[place + 1 :]
            elif best is None:
                return None
            else:
                size, plans = len(json.dumps(found)), plans[:place]
        return best

    def table(self, plan: Plan) -> Data:
        """The table of that plan."""
        controls = {name: control.facts() for name, control in plan.controls.items()}
        table = {"controls": controls, "alone": list(plan.alone), "note": _note(self._explorer.controls, plan)}
        return table | {"packed": _packed([self._chart(plan, at) for at in settings(table)])}

    def _chart(self, plan: Plan, at: Mapping[str, int]) -> list[Data]:
        whole = self._explorer.controls
        stops = {name: whole[name].values.index(plan.controls[name].values[stop]) for name, stop in at.items()}
        key = tuple(stops.values())
        if key not in self._known:
            self._known[key] = self._explorer.answer(stops)
        return self._known[key]


def _note(whole: Mapping[str, Control], plan: Plan) -> str:
    """How the table differs from the explorer, in a sentence; "" if it has all."""
    together = " and ".join(one.label for name, one in whole.items() if name not in plan.alone)
    differs = ["one control moves at a time" + (f" ({together} with any of them)" if together else "")] if plan.alone else []
    if any(len(plan.controls[name].values) < len(whole[name].values) for name in whole):
        differs.append("sliders have fewer stops than in the notebook")
    if any(one.kind == "text" for one in whole.values()):
        differs.append("a text is chosen, not typed")
    return f"In the book {' and '.join(differs)}." if differs else ""


def _packed(charts: list[list[Data]]) -> str:
    text = json.dumps(_columns(charts), separators=(",", ":"), ensure_ascii=False)
    return packed(text.encode())


def _columns(found: list[Any]) -> Data:
    """What all have in common, once, and of each part that varies its distinct values and who has which."""
    first = found[0]
    if isinstance(first, dict) and all(isinstance(one, dict) and one.keys() == first.keys() for one in found):
        return {"parts": {key: _columns([one[key] for one in found]) for key in first}}
    if _dicts(first) and all(_dicts(one) and len(one) == len(first) for one in found):
        return {"parts": [_columns(list(column)) for column in zip(*found)]}
    if all(one == first for one in found):
        return {"same": first}
    texts = [repr(one) for one in found]
    kept = dict(zip(texts, found))
    places = {text: place for place, text in enumerate(kept)}
    return {"of": list(kept.values()), "at": [places[text] for text in texts]}


def _dicts(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(isinstance(one, dict) for one in value)


def _at(node: Data, place: int) -> Any:
    if "parts" in node:
        parts = node["parts"]
        return {key: _at(one, place) for key, one in parts.items()} if isinstance(parts, dict) else [_at(one, place) for one in parts]
    return node["same"] if "same" in node else node["of"][node["at"][place]]
