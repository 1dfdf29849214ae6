"""Which runs an experiment needs next, given those that are done, and what its table says of them."""

import json
import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from nlcore.train.records import figure
from nlcore.train.words import shown

from experiments.declare import Arm, Experiment, Settings
from experiments.tuning import Tuning, tune

Record = dict[str, Any]


def key(configuration: Record) -> str:
    """Equal for equal configurations, be they read from JSON or just made."""
    return json.dumps(configuration, sort_keys=True)


@dataclass(frozen=True)
class Request:
    """One run."""

    arm: Arm
    settings: Settings
    """The arm's and, where the leg decides them, the steps."""
    rate: float
    seed: int
    minutes: float
    """What it takes, as declared."""
    configuration: Record

    @cached_property
    def key(self) -> str:
        return key(self.configuration)


@dataclass(frozen=True)
class Leg:
    """One way of being fair: a number of steps for every arm."""

    name: str
    steps: dict[str, int]
    """By the arm's name; an arm that is not there has its own."""
    minutes: float | None = None
    """Of every arm's run; None if each takes its own."""


def legs(experiment: Experiment, paces: list[Record]) -> list[Leg]:
    """The legs, that on which the rates are tuned first.

    paces: of every arm, as `Results` keeps them, if the experiment gives all the same time; else none.
    """
    if experiment.same_time_as is None:
        return [Leg("", {})]
    reference = experiment.arm(experiment.same_time_as)
    steps = next(pace["steps"] for pace in paces if pace["arm"] == reference.name)
    in_time = {pace["arm"]: max(1, round(steps * pace["reference_seconds"] / pace["seconds"])) for pace in paces}
    return [Leg("equal time", in_time, reference.minutes), Leg("equal steps", dict.fromkeys(in_time, steps))]


def lacking(experiment: Experiment, figures: Record) -> list[str]:
    """Figures that the table asks for and a run has not given: a run that diverged needs none but its score."""
    diverged = figures.get(experiment.score, 0) is None
    names = () if diverged else (experiment.score, *experiment.columns)
    return [name for name in names if name not in figures or not figure(figures[name])]


def differences(one: Any, other: Any, name: str = "") -> Iterator[str]:
    """What differs between two configurations, field by field, each in a few words."""
    if isinstance(one, dict) and isinstance(other, dict):
        for field in (*one, *(field for field in other if field not in one)):
            yield from differences(one.get(field), other.get(field), f"{name}.{field}" if name else field)
    elif json.dumps(one) != json.dumps(other):
        yield f"{name} was {shown(one)} and is {shown(other)}"


class Plan:
    """An experiment's runs, in the light of those that are done.

    Args:
        runs: what `Results` keeps of them, for any configuration.
    """

    def __init__(self, experiment: Experiment, legs: list[Leg], runs: list[Record]) -> None:
        self.experiment, self.legs = experiment, legs
        self.done = {key(run["configuration"]): run for run in runs if not lacking(experiment, run["figures"])}

    def request(self, arm: Arm, leg: Leg, rate: float, seed: int) -> Request:
        steps = {"steps": leg.steps[arm.name]} if arm.name in leg.steps else {}
        settings = arm.settings | steps
        configuration = self.experiment.configuration(settings, rate, seed)
        return Request(arm, settings, rate, seed, leg.minutes or arm.minutes, configuration)

    def run(self, arm: Arm, leg: Leg, rate: float, seed: int) -> Record | None:
        """What is stored of a run that is done."""
        return self.done.get(self.request(arm, leg, rate, seed).key)

    def tuning(self, arm: Arm) -> Tuning:
        """How far the arm's rate is found: on the first leg, with the first seed."""

        def score(rate: float) -> float | None:
            run = self.run(arm, self.legs[0], rate, self.experiment.seeds[0])
            return None if run is None else self.score(run)

        return tune(self.experiment.rates, score)

    def score(self, run: Record) -> float:
        """A run's score; infinite if it diverged."""
        found = run["figures"][self.experiment.score]
        return math.inf if found is None else found

    def due(self) -> list[Request]:
        """Runs that can be begun now: first those that others wait for."""
        first, then = [], []
        for arm in self.experiment.arms:
            tuning = self.tuning(arm)
            first += self._of_tuning(arm, tuning)
            then += self._of_all_seeds(arm, tuning.best) if tuning.best else []
        return self._missing(first + then)

    def left(self) -> list[Request]:
        """All runs that are to come if no grid has to grow; an untried rate stands for one not yet chosen."""
        found = []
        for arm in self.experiment.arms:
            tuning = self.tuning(arm)
            found += [*self._of_tuning(arm, tuning), *self._of_all_seeds(arm, tuning.best or tuning.missing[0])]
        return self._missing(found)

    def _missing(self, requests: list[Request]) -> list[Request]:
        unique = {request.key: request for request in requests}
        return [request for request in unique.values() if request.key not in self.done]

    def _of_tuning(self, arm: Arm, tuning: Tuning) -> list[Request]:
        return [self.request(arm, self.legs[0], rate, self.experiment.seeds[0]) for rate in tuning.missing]

    def _of_all_seeds(self, arm: Arm, rate: float) -> list[Request]:
        return [self.request(arm, leg, rate, seed) for leg in self.legs for seed in self.experiment.seeds]

    def nearest(self, run: Record) -> list[str]:
        """What differs between a stored run and the most similar one of the experiment's; nothing if it is one."""
        asked = [self.request(arm, leg, run["rate"], run["seed"]) for arm in self.experiment.arms for leg in self.legs]
        return min((list(differences(run["configuration"], each.configuration)) for each in asked), key=len)

    def current(self) -> list[Record]:
        """The stored runs that still are the experiment's, under their arms' present names."""
        found = {}
        for run in self.done.values():
            for arm in self.experiment.arms:
                for leg in self.legs:
                    request = self.request(arm, leg, run["rate"], run["seed"])
                    if key(run["configuration"]) == request.key:
                        found[request.key] = run | {"arm": arm.name}
        return list(found.values())

    def rows(self, paces: list[Record]) -> list[Record]:
        """The table: for each leg and arm what there is by now.

        leg, arm, rate, at_edge, tried (rate and score of the tuning), steps, step_seconds, scores (by seed, None for
        a run that diverged), mean, low, high (over the seeds; None if one diverged) and figures (the columns' means).
        """
        seconds = {pace["arm"]: pace["seconds"] for pace in paces}
        return [self._row(leg, arm, seconds.get(arm.name)) for leg in self.legs for arm in self.experiment.arms]

    def _row(self, leg: Leg, arm: Arm, step_seconds: float | None) -> Record:
        experiment, tuning = self.experiment, self.tuning(arm)
        seed, rate = experiment.seeds[0], tuning.best
        tried = [(rate, self.run(arm, self.legs[0], rate, seed)) for rate in tuning.grid]
        found = {} if rate is None else {seed: self.run(arm, leg, rate, seed) for seed in experiment.seeds}
        figures = {seed: run["figures"] for seed, run in found.items() if run is not None}
        scores = [each[experiment.score] for each in figures.values()]
        whole = bool(scores) and None not in scores
        return {
            "leg": leg.name,
            "arm": arm.name,
            "rate": rate,
            "at_edge": tuning.at_edge,
            "tried": [[rate, run["figures"][experiment.score]] for rate, run in tried if run is not None],
            "steps": leg.steps.get(arm.name) or _mean([each.get("steps") for each in figures.values()]),
            "step_seconds": step_seconds or _mean([_step_seconds(each) for each in figures.values()]),
            "scores": {str(seed): each[experiment.score] for seed, each in figures.items()},
            "mean": statistics.fmean(scores) if whole else None,
            "low": min(scores) if whole else None,
            "high": max(scores) if whole else None,
            "figures": {name: _mean([each.get(name) for each in figures.values()]) for name in experiment.columns},
        }


def _step_seconds(figures: Record) -> float | None:
    seconds, steps = figures.get("seconds"), figures.get("steps")
    return seconds / steps if seconds and steps else None


def _mean(values: list[float | None]) -> float | None:
    """None if there is nothing, or nothing in one of them."""
    return statistics.fmean(values) if values and None not in values else None
