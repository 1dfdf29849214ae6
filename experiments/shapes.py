"""What a results file has to hold, so that a table can be made of it and an experiment can go on from it."""

from typing import Any

from nlcore.train.records import Check, figure, has_shape, list_of, number, or_none, text, truth, whole


def _all_of(check: Check) -> Check:
    """An object whose values are all of one kind."""
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def _records(shape: dict[str, Check]) -> Check:
    return list_of(lambda value: has_shape(value, shape))


def _object(value: Any) -> bool:
    return isinstance(value, dict)


def _tried(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and number(value[0]) and figure(value[1])


def _configuration(value: Any) -> bool:
    return has_shape(value, {"corpus": or_none(text)})


EXPERIMENT = {
    **dict.fromkeys(("name", "question", "score"), text),
    "columns": _all_of(text),
    "rates": list_of(number),
    "seeds": lambda value: bool(value) and list_of(whole)(value),
    "same_time_as": or_none(text),
    "arms": list_of(_object),
}
ROW = {
    **dict.fromkeys(("leg", "arm"), text),
    **dict.fromkeys(("rate", "steps", "step_seconds", "mean", "low", "high"), figure),
    "at_edge": truth,
    "tried": list_of(_tried),
    "scores": _all_of(figure),
    "figures": _all_of(figure),
}
PACE = {"arm": text, "steps": whole, "seconds": number, "reference_seconds": number, "configuration": _configuration}
SESSION = {"torch": text, "cores": whole, "processor": text, "minutes": number}
RUN = {"arm": text, "rate": number, "seed": whole, "figures": _object, "configuration": _configuration}
RESULTS = {
    "experiment": lambda value: has_shape(value, EXPERIMENT),
    "rows": _records(ROW),
    "paces": _records(PACE),
    "sessions": _records(SESSION),
    "runs": _records(RUN),
}


def holds_results(stored: Any) -> bool:
    """Whether this is what `Results.save` writes."""
    return has_shape(stored, RESULTS) and all(
        set(stored["experiment"]["columns"]) <= set(row["figures"]) for row in stored["rows"]
    )
