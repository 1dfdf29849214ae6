"""What the runs that are stored here say of the paper's claims; None while there are not all of them.

One arm is above another only if its whole range over the seeds is.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from experiments.results import Record, Results


@dataclass(frozen=True)
class Found:
    """Whether a claim holds in our runs, and their numbers in a line."""

    holds: bool
    what: str


def _complete(results: Results, rows: Sequence[Record | None]) -> bool:
    """Whether all these rows of the table are there, with every seed and none that diverged."""
    seeds = len(results.experiment.get("seeds", ()))
    return bool(rows) and all(row and row["mean"] is not None and len(row["scores"]) == seeds for row in rows)


def _rows(results: Results) -> dict[str, Record]:
    return {row["arm"]: row for row in results.rows}


def mad_is_best(results: Results) -> Found | None:
    """No model is above Hope at any of MAD's tasks, and Hope is above all at one or more."""
    if not _complete(results, results.rows):
        return None
    tasks: dict[str, dict[str, Record]] = {}
    for row in results.rows:
        task, model = row["arm"].split(", ", 1)
        tasks.setdefault(task, {})[model] = row
    above, below = [], []
    for task, models in tasks.items():
        hope = models.pop("Hope")
        above += [task] * all(hope["high"] < other["low"] for other in models.values())  # of errors
        best = min(models, key=lambda model: models[model]["high"])
        below += [f"{task}: {best} {1 - models[best]['mean']:.2f}, Hope {1 - hope['mean']:.2f}"] * (
            models[best]["high"] < hope["low"]
        )
    what = f"above all at {len(above)} of {len(tasks)} tasks, below another at {len(below)}"
    return Found(bool(above) and not below, f"{what} ({'; '.join(below)})" if below else what)


def formal_is_perfect(results: Results) -> Found | None:
    """One kind of Hope labels every string of bins 0 and 1, of all languages and seeds."""
    rows, arms = _rows(results), results.experiment.get("arms", ())
    kinds: dict[str, dict[str, Record | None]] = {}
    for arm in arms:
        language, kind = arm["name"].split(", ", 1)
        if arm["settings"]["model"] == "hope":
            kinds.setdefault(kind, {})[language] = rows.get(arm["name"])
    languages = {arm["settings"]["language"] for arm in arms}
    kinds = {kind: of_kind for kind, of_kind in kinds.items() if of_kind.keys() == languages}
    if not _complete(results, [row for of_kind in kinds.values() for row in of_kind.values()]):
        return None
    missed = {
        kind: [f"{language} {_percent(share)}" for language, row in of_kind.items() if (share := _share(row)) < 1]
        for kind, of_kind in kinds.items()
    }
    best = min(missed, key=lambda kind: len(missed[kind]))
    count = f"{best}: perfect on {len(languages) - len(missed[best])} of {len(languages)} languages"
    return Found(not missed[best], f"{count}{_listed(missed[best])}")


def _share(row: Record) -> float:
    """Of strings, in the worse of bins 0 and 1."""
    return min(row["figures"]["bin_0"], row["figures"]["bin_1"])


def _percent(share: float) -> str:
    """Rounded down: 100 is all."""
    return f"{int(1000 * share) / 10:g}%"


def formal_is_missed(results: Results) -> Found | None:
    """Transformer, linear attention and DeltaNet fail in bin 1 of parity and (aa)*."""
    rows = _rows(results)
    asked = [f"{language}, {model}" for language in ("parity", "(aa)*")
             for model in ("Transformer", "linear attention", "DeltaNet")]  # fmt: skip
    if not _complete(results, [rows.get(arm) for arm in asked]):
        return None
    best = max(asked, key=lambda arm: rows[arm]["figures"]["bin_1"])
    most = rows[best]["figures"]["bin_1"]
    return Found(most < 1, f"at most {_percent(most)} of bin 1 ({best})")


def formal_in_chunks(results: Results) -> Found | None:
    """A Hope whose memories wait for a chunk of several tokens labels every string of parity."""
    rows, arms = _rows(results), results.experiment.get("arms", ())
    wanted = {"model": "hope", "language": "parity"}
    asked = [arm["name"] for arm in arms
             if wanted.items() <= arm["settings"].items() and arm["settings"]["chunk"] > 1]  # fmt: skip
    if not _complete(results, [rows.get(arm) for arm in asked]):
        return None
    shares = {arm: _share(rows[arm]) for arm in asked}
    best = max(shares, key=shares.get)
    return Found(shares[best] == 1, f"{_percent(shares[best])} of bins 0 and 1 ({best})")


def without(results: Results, row: str, worse: bool) -> Found | None:
    """Without one part, bits per byte are above Hope's, or below them if `worse` is False."""
    rows = _rows(results)
    hope, other = rows.get("Hope"), rows.get(row)
    if not _complete(results, [hope, other]):
        return None
    less, more = (hope, other) if worse else (other, hope)
    ranges = [f"{each['mean']:.3f} ({each['low']:.3f} to {each['high']:.3f})" for each in (other, hope)]
    return Found(less["high"] < more["low"], f"bits per byte {ranges[0]}, Hope {ranges[1]}")


def _listed(items: Sequence[str]) -> str:
    return f" ({'; '.join(items)})" if items else ""
