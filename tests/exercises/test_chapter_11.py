"""The exercises of notebook 11: its solutions pass, and each usual mistake is named."""

import math
from functools import partial

import pytest

from nlcore.exercises.chapter_11 import RATES, RUNS, SEEDS, check_bits_per_byte, check_cost, check_fired, check_gap, check_runs, trained
from nlcore.exercises.checking import RIGHT


def test_the_solutions_are_right():
    assert check_fired(lambda rows, level: [r["step"] for r in rows if r["level"] == level and r["fired"]]) == RIGHT
    assert check_bits_per_byte(lambda nats, size: nats / math.log(2) / size) == RIGHT
    assert check_cost(lambda size, periods: sum(size / period for period in periods)) == RIGHT


@pytest.mark.parametrize("wrong, says", [
    (lambda rows, level: [], "finds no step"),
    (lambda rows, level: [r["step"] for r in rows if r["level"] == level], "has a row too"),
    (lambda rows, level: [r["step"] for r in rows if r["fired"]], "of this one"),
    (lambda rows, level: [r["fired"] for r in rows if r["level"] == level], "return step numbers"),
    (lambda rows, level: [r["step"] for r in rows if r["level"] == "cms-2" and r["fired"]], "use the argument"),
    (lambda rows, level: [1, 2], "not a mistake known here"),
    (lambda rows, level: rows["level"], "TypeError"),
])
def test_wrong_steps_are_named(wrong, says):
    assert says in check_fired(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda nats, size: None, "nothing yet"),
    (lambda nats, size: nats / math.log(2), "bits per token"),
    (lambda nats, size: nats / size, "nats per byte"),
    (lambda nats, size: nats / math.log(2) * size, "so divide"),
    (lambda nats, size: nats * math.log(2) / size, "do not multiply"),
])
def test_wrong_bits_are_named(wrong, says):
    assert says in check_bits_per_byte(wrong)


@pytest.mark.parametrize("wrong, says", [
    (lambda size, periods: size * len(periods), "once in its period"),
    (lambda size, periods: sum(size / p for p in periods) / len(periods), "add them up"),
    (lambda size, periods: sum(size * p for p in periods), "divide by it"),
    (lambda size, periods: size, "fastest level"),
])
def test_a_wrong_cost_is_named(wrong, says):
    assert says in check_cost(wrong)


def fair(train, rates, seeds, steps, sign=1, own=True, worst=False):
    def mean(model, rate):
        return sum(train(model, rate, steps, seed)[-1] for seed in seeds) / len(seeds)

    best = {model: (max if worst else min)(rates, key=lambda rate: mean(model, rate)) for model in "AB"}
    best = best if own is True else dict.fromkeys("AB", best[own])
    return sign * (mean("B", best["B"]) - mean("A", best["A"]))


def read_too_early(train, rates, seeds, steps):
    return train("B", rates[0], 4 * steps, 0)[steps - 1] - train("A", rates[0], steps, 0)[-1]


def over_all(train, rates, seeds, steps):
    return sum(train("B", r, steps, s)[-1] - train("A", r, steps, s)[-1] for r in rates for s in seeds) / len(rates) / len(seeds)


def test_ill_runs_are_named():
    answer = {"A": "hurried", "B": "silent", "C": "sound", "D": "late"}
    assert check_runs(answer) == RIGHT and set(RUNS) == set(answer)
    assert "names nothing" in check_runs(dict.fromkeys(RUNS, ""))
    for run, name, says in (("A", "sound", "keep to its period"), ("B", "sound", "also move"), ("C", "late", "updates of size zero"),
                            ("D", "sound", "a period before the end")):
        assert says in check_runs(answer | {run: name})
    assert "none of the names" in check_runs(answer | {"A": "slow"})


def test_what_the_ill_runs_have():
    fires = {run: {level: sum(row["writes"] for row in rows if row["level"] == level) for level in ("memory", "weights", "cms-2", "cms-1")}
             for run, rows in RUNS.items()}
    assert fires["C"] == fires["B"] == {"memory": 512, "weights": 128, "cms-2": 32, "cms-1": 8}
    assert fires["A"]["cms-2"] > 32 and fires["D"]["cms-1"] == 4
    assert {row["update_norm"] for row in RUNS["B"] if row["level"] == "memory"} == {0.0}


def test_a_fair_gap_is_right():
    assert check_gap(fair) == RIGHT


@pytest.mark.parametrize("wrong, says", [
    (lambda *_: None, "nothing yet"),
    (read_too_early, "end at 100"),
    (partial(fair, sign=-1), "other way about"),
    (lambda train, rates, seeds, steps: fair(train, rates, seeds[:1], steps), "One seed"),
    (lambda train, rates, seeds, steps: min(train("B", r, steps, s)[-1] for r in rates for s in seeds)
     - min(train("A", r, steps, s)[-1] for r in rates for s in seeds), "best single run"),
    (partial(fair, own="A"), "suits A"),
    (partial(fair, own="B"), "suits B"),
    (partial(fair, worst=True), "worst rate"),
    (over_all, "mean over all rates"),
    (lambda train, *_: train("C", 0.1, 100, 0), "ValueError"),
])
def test_an_unfair_gap_is_named(wrong, says):
    assert says in check_gap(wrong)


def test_a_longer_run_is_behind_at_the_same_step_in_the_readers_world():
    assert trained("A", 0.004, 400, 0)[99] > trained("A", 0.004, 100, 0)[99] + 0.3
    gaps = [fair(trained, RATES, (seed,), 100) for seed in SEEDS]
    assert min(gaps) < 0 < max(gaps), "one seed does not tell"
