"""What was watched, as rows: which states change together, what is known of them, and whom they hand knowledge to."""

from collections import Counter
from dataclasses import dataclass
from itertools import groupby

from nlcore.levels import Component, Frequency, Kind, NestedSystem, Transfer, every
from nlcore.xray.known import UNKNOWN, Known
from nlcore.xray.watch import Group, Watch, Watched

NAMED = 3
"""Places that a row names."""
CARRIED: dict[str, tuple[Kind, Kind]] = {
    "attention": ("generation", "non-parametric"),
    "state": ("generation", "parametric"),
}
LEARNT: tuple[Kind, Kind] = ("initialisation", "parametric")
"""How weights hand knowledge to what a layer carries, and how they read it: known, not measured. What else is carried
begins at a learnt start."""


@dataclass(frozen=True)
class Loop(Component):
    """One row of the table: a component, and what was seen of it. Its frequency is in updates per step."""

    state: str = ""
    """How many tensors, and where the first of them are."""
    period: str = ""
    """In words; says "declared" where it was not measured."""
    bytes: int | None = None
    """None where they cannot be seen."""


class _Row:
    """States of one group and one rhythm."""

    def __init__(self, group: Group, watched: list[Watched], steps: int) -> None:
        self.group, self.watched = group, watched
        self.times = {s: max(w.times.get(s, 0) for w in watched) for s in range(1, steps + 1) if any(s in w.times for w in watched)}
        self.frequency, self.regular = Watched(group, "", UNKNOWN, times=self.times).frequency(steps)
        self.period = self._period(steps)
        known = watched[0].known
        if not self.times and not group.owner:
            known = Known("none", "none: nothing updates it", "none")
        self.known = known

    def _period(self, steps: int) -> str:
        if not self.times:
            return f"not seen to change in {counted(steps, 'step')}"
        if any(w.last is not None and w.last.is_meta for w in self.watched):
            return every(1 / self.frequency, "steps") + " (declared)"
        if self.group.name in ("attention", "state") and self.group.sort == "carried":
            return ("every token" if self.group.name == "state" else "at every read") + " (declared)"
        if not self.regular:
            return f"{counted(sum(self.times.values()), 'time')} in {steps} steps"
        return every(1 / self.frequency, "steps")

    def loop(self, name: str) -> Loop:
        tensors = [w.last for w in self.watched if w.last is not None]
        held = {address: size for w in self.watched for address, size in w.held.items()}
        count = sum(t.nbytes for t in tensors) if tensors else sum(held.values()) or None
        places = [place for w in self.watched if (place := w.place or w.group.owner)]
        more = f" and {len(places) - NAMED} more" if len(places) > NAMED else ""
        return Loop(name, self.frequency, *self.known, ", ".join(places[:NAMED]) + more, self.period, count)


def read(watch: Watch) -> tuple[NestedSystem, dict[str, list[Watched]]]:
    """The nested system, whose components are loops, fastest first; and what each loop was made from, by name."""
    rows = _rows(watch)
    named = dict(zip(_names(rows), rows))
    names = {id(row): name for name, row in named.items()}
    of = {w: row for row in rows for w in row.watched}
    pairs = {(a, b) for row in rows for w in row.watched for s in w.needs if (a := names[id(row)]) != (b := names[id(of[s])])}
    needs = tuple(sorted((a, b) for a, b in pairs if (b, a) not in pairs))  # now the one first, now the other: neither
    transfers = tuple(dict.fromkeys(Transfer(names[id(a)], names[id(b)], kind) for a, b, kind in _transfers(rows, of)))
    system = NestedSystem(tuple(row.loop(name) for name, row in named.items()), needs, transfers)
    in_order = tuple(loop for level in system.levels for loop in level)
    return NestedSystem(in_order, needs, transfers), {loop.name: named[loop.name].watched for loop in in_order}


def counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _rows(watch: Watch) -> list[_Row]:
    def place(watched: Watched) -> tuple[Group, Frequency]:
        frequency, regular = watched.frequency(watch.steps)
        still = watched.group.sort == "buffers" and not frequency
        return Group("buffers", "", "fixed buffers") if still else watched.group, frequency if regular else -1

    watched = sorted(watch.watched.values(), key=place)
    return [_Row(group, list(some), watch.steps) for (group, _), some in groupby(watched, place)]


def _names(rows: list[_Row]) -> list[str]:
    """The shortest that tells each row from the others."""

    def forms(row: _Row) -> tuple[str, ...]:
        group = row.group
        longer = f"{group.name} of {group.owner}" if group.owner not in ("", group.name) else group.name
        short = longer if group.name == "state" else group.name
        return short, longer, f"{short}, {row.period}", f"{longer}, {row.period}"

    said = [forms(row) for row in rows]
    counts = [Counter(form) for form in zip(*said)]
    return [next((name for name, count in zip(form, counts) if count[name] == 1), form[-1]) for form in said]


def _transfers(rows: list[_Row], of: dict[Watched, _Row]) -> list[tuple[_Row, _Row, Kind]]:
    """Who hands knowledge to whom: seen for what optimizers and buffers hold, by their class for what is carried."""
    found: list[tuple[_Row, _Row, Kind]] = []
    for row in rows:
        sources = {of[s] for w in row.watched for s in w.sources} - {row}
        trained = [r for r in rows if r.group[:2] == ("weights", row.group.owner) and r.times]
        for source in sorted(sources, key=rows.index):
            if source.group.sort in ("weights", "buffers") and row.group.sort == "moments" and source not in trained:
                # Whatever shapes the gradient reaches the moments; it is for the weights that it is of.
                found += [(source, weights, _kind(rows, source, weights)) for weights in trained]
            else:
                found.append((source, row, _kind(rows, source, row)))
        if row.group.sort == "carried":
            arrives, leaves = CARRIED.get(row.group.name, LEARNT)
            own = {p for w in row.watched for p in w.begins}
            weights = [r for r in rows if r.group.sort == "weights" and any(w.read() in own for w in r.watched)]
            found += [(r, row, arrives) for r in weights] + [(row, r, leaves) for r in weights]
    return found


def _kind(rows: list[_Row], source: _Row, target: _Row) -> Kind:
    if target.group.sort != "weights" or not target.group.owner or source.group.sort == "moments":
        return "generation"
    if source.group.sort == "buffers":
        return "parametric"
    both = [{seed for r in rows if r.group.owner == row.group.owner and row.group.owner and r.times for w in r.watched for seed in w.seeds}
            for row in (source, target)]
    return "backpropagation" if source.times and both[0] & both[1] else "parametric"
