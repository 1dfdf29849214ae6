"""The table of an experiment's results, for a terminal and for a page, from the same cells."""

from typing import TYPE_CHECKING, Any

from experiments.tuning import EXTENSIONS

if TYPE_CHECKING:
    from experiments.results import Results

Record = dict[str, Any]
EDGE = "*"


def text(results: "Results") -> str:
    """Plain lines in columns."""
    parts = [results.experiment["question"]]
    for leg, rows in _legs(results).items():
        cells = [_heading(results), *(_cells(results, row) for row in rows)]
        widths = [max(map(len, column)) for column in zip(*cells)]
        parts += [leg] if leg else []
        parts.append("\n".join("  ".join(_padded(cell, width, n == 0) for n, (cell, width) in
                                         enumerate(zip(line, widths))).rstrip() for line in cells))
    return "\n\n".join([*parts, "\n".join(_notes(results))])


def markdown(results: "Results") -> str:
    """Tables of Markdown."""
    parts = [f"**{results.experiment['question']}**"]
    for leg, rows in _legs(results).items():
        heading = _heading(results)
        lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *(_cells(results, row) for row in rows)]
        parts += [leg[:1].upper() + leg[1:]] if leg else []
        parts.append("\n".join("| " + " | ".join(_escaped(cell) for cell in line) + " |" for line in lines))
    return "\n\n".join([*parts, "  \n".join(_escaped(note) for note in _notes(results))])


def _legs(results: "Results") -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for row in results.rows:
        found.setdefault(row["leg"], []).append(row)
    return found


def _heading(results: "Results") -> list[str]:
    experiment = results.experiment
    score = experiment["score"].replace("_", " ")
    return ["arm", "rate", score, "range over seeds", *experiment["columns"].values(), "steps", "s a step"]


def _cells(results: "Results", row: Record) -> list[str]:
    seeds, scores = len(results.experiment["seeds"]), list(row["scores"].values())
    diverged = scores.count(None)
    spread = f"{row['low']:.3f} to {row['high']:.3f}" if row["mean"] is not None else "-"
    if len(scores) < seeds:
        spread += f" ({len(scores)} of {seeds})"
    return [
        row["arm"],
        "-" if row["rate"] is None else f"{row['rate']:g}" + (EDGE if row["at_edge"] else ""),
        f"{diverged} of {len(scores)} diverged" if diverged else _number(row["mean"], ".3f"),
        spread,
        *(_number(row["figures"][name], ".3f") for name in results.experiment["columns"]),
        _number(row["steps"], ",.0f"),
        _number(row["step_seconds"], ".3g"),
    ]


def _notes(results: "Results") -> list[str]:
    experiment, seeds = results.experiment, results.experiment["seeds"]
    how = "arms in turn" if experiment["same_time_as"] else "as they ran side by side"
    notes = [
        f"Mean and range (lowest to highest) over {len(seeds)} seeds; seconds a step: {how}.",
        f"Each arm's rate was tuned with seed {seeds[0]}; score at each rate:",
    ]
    first = results.rows[0]["leg"] if results.rows else ""
    for row in results.rows:
        if row["leg"] == first:
            tried = ", ".join(f"{rate:g}: {_number(score, '.3f', 'diverged')}" for rate, score in row["tried"])
            notes.append(f"  {row['arm']}: {tried or '-'}")
    if any(row["at_edge"] for row in results.rows):
        notes.append(f"{EDGE} lies at the edge of its grid even after {EXTENSIONS} extensions, so it is no best.")
    return [*notes, *_runs_on(results)]


def _runs_on(results: "Results") -> list[str]:
    text = f" on the text {results.corpus[:8]}" if results.corpus else ""
    machines = {f"{each['cores']} cores of {each['processor']}, torch {each['torch']}" for each in results.sessions}
    return [f"{len(results.runs)} runs{text}, {results.minutes:.0f} minutes: {'; '.join(sorted(machines)) or '-'}."]


def _number(value: float | None, form: str, none: str = "-") -> str:
    return none if value is None else format(value, form)


def _padded(cell: str, width: int, left: bool) -> str:
    return cell.ljust(width) if left else cell.rjust(width)


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("*", "\\*").replace("_", "\\_")
