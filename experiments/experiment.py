"""Running an experiment: `main` makes `python -m experiments.NAME` run it, and `load` gives what it found."""

import argparse
import hashlib
import json
import os
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from nlcore.train.folder import held
from nlcore.train.words import refusal, shown, visible

from experiments import plan, results
from experiments.declare import Arm, Experiment, ExperimentError
from experiments.plan import Leg, Plan, Request
from experiments.processes import Outcome, Pool
from experiments.results import Results

__all__ = ["Arm", "Experiment", "ExperimentError", "Results", "load", "main", "perform"]


def load(name: str) -> Results:
    """The stored results of an experiment: its rows and runs; `text()` and `markdown()` make its table.

    Raises ExperimentError if there are none, or if its runs cannot be compared.
    """
    path = results.FOLDER / f"{name}.json"
    if not os.path.lexists(path):
        raise ExperimentError(f"There are no results of {name!r}: run python -m experiments.{name} first.")
    return results.read(path)


def main(experiment: Experiment, arguments: list[str] | None = None) -> None:
    """The command of an experiment: says what it takes, runs what is missing, prints the table.

    Ends the program with a sentence, and code 1, if something cannot be done.
    """
    options = _parser(experiment).parse_args(arguments)
    try:
        if options.table:
            print(load(experiment.name).text())
            return
        results.check_place()
        stored = results.read(results.FOLDER / f"{experiment.name}.json")
        folder = options.folder or Path("runs", "experiments", experiment.name)
        failed = perform(experiment, stored, folder, options.workers)
    except KeyboardInterrupt:
        raise SystemExit("\nInterrupted: the same command goes on from here.") from None
    except ValueError as error:
        raise SystemExit(visible(str(error))) from None
    except OSError as error:
        raise SystemExit(visible(refusal(error))) from None
    print("\n" + stored.text())
    if failed:
        raise SystemExit(f"\n{len(failed)} runs failed: the same command tries them again.")


def _parser(experiment: Experiment) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(f"python -m experiments.{experiment.name}", description=experiment.question)
    parser.add_argument("--workers", type=int, default=os.cpu_count(), help="runs side by side (the cores there are)")
    parser.add_argument("--folder", type=Path, help=f"where the runs go (runs/experiments/{experiment.name})")
    parser.add_argument("--table", action="store_true", help="print the stored table, and run nothing")
    return parser


def perform(
    experiment: Experiment,
    stored: Results,
    folder: Path,
    workers: int,
    say: Callable[[str], None] = partial(print, flush=True),
) -> list[str]:
    """Runs what `stored` lacks, stores each run as soon as it is done, and returns the names of runs that failed.

    Raises ExperimentError if the runs would not be comparable, or if another process runs the same, before anything
    is run.
    """
    if workers < 1:
        raise ExperimentError(f"{workers} runs side by side are none: give 1 or more.")
    say(introduction(experiment, workers))
    if not stored.runs and folder.exists():
        say(f"{folder} holds runs of an earlier time, and they are gone on with: remove it to begin anew.")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with held(folder / "lock"):
            return _Performance(experiment, stored, folder, workers, say).perform()
    except BlockingIOError as error:
        raise ExperimentError(f"{experiment.name} is being run already: wait for it, or stop it.") from error


def introduction(experiment: Experiment, workers: int) -> str:
    """The question, the arms, and what answering it takes, nothing being stored yet."""
    seeds, equal = len(experiment.seeds), experiment.same_time_as
    tuned = len(experiment.rates) + seeds - 1
    runs, minutes = 0, 0.0
    for arm in experiment.arms:
        each = arm if equal is None else experiment.arm(equal)
        beside = seeds if equal not in (None, arm.name) else 0
        runs, minutes = runs + tuned + beside, minutes + tuned * each.minutes + beside * arm.minutes
    arms = "\n".join(f"  {arm.name} ({arm.minutes:g} min a run)" for arm in experiment.arms)
    rates = ", ".join(f"{rate:g}" for rate in experiment.rates)
    legs = f" Equal time, that of {equal!r}, and equal steps." if equal else ""
    return (
        f"{experiment.question}\n{arms}\nRates {rates}, tuned with seed {experiment.seeds[0]}; {seeds} seeds.{legs}\n"
        f"{runs} runs in all, {minutes:.0f} minutes: {minutes / workers:.0f} with {workers} side by side; "
        "more if a best rate lies at the edge of its grid."
    )


class _Performance:
    """One session of running."""

    def __init__(
        self, experiment: Experiment, stored: Results, folder: Path, workers: int, say: Callable[[str], None]
    ) -> None:
        self.experiment, self.stored, self.folder, self.say = experiment, stored, folder, say
        self.workers, self.failed = workers, {}
        for record in (*stored.runs, *stored.paces):
            record["configuration"] = experiment.renewed(record["configuration"])
        self.began, self.session = time.monotonic(), results.session(workers)

    def perform(self) -> list[str]:
        self._check()
        self._check_current()
        with Pool(self.workers) as pool:
            legs = self._legs(pool)
            self._drop_old(legs)
            asked: dict[str, Request] = {}
            while True:
                now = self._plan(legs)
                waiting = [r for r in now.due() if r.key not in self.failed and r.key not in pool.names]
                while waiting and pool.free:
                    request = waiting.pop(0)
                    asked[request.key] = request
                    pool.start(request.key, _timed, self.experiment.run, request, self._place(request))
                if not pool.names:
                    break
                outcome = pool.wait()
                self._take(asked[outcome.name], outcome, legs)
        self._sum_up(legs)  # though nothing was run, the arms may have new names, and the table new columns
        if self.stored.runs:
            self.stored.save()
        return list(self.failed.values())

    def _check(self) -> None:
        """Every run must make sense, and be on the text of those that are stored, before the first begins."""
        experiment = self.experiment
        asked = [experiment.configuration(arm.settings, rate, seed)
                 for arm in experiment.arms for rate in experiment.rates for seed in experiment.seeds]
        results.one_corpus([*asked, *(run["configuration"] for run in self.stored.runs)], self.stored.path)

    def _check_current(self) -> None:
        """A changed default must not wipe out what took hours: where no stored run counts, a person decides."""
        experiment, stored = self.experiment, self.stored
        measured = {pace["arm"] for pace in stored.paces}
        paces = stored.paces if experiment.same_time_as in measured else []
        legs = plan.legs(experiment, paces) if paces or not experiment.same_time_as else [Leg("", {})]
        found = [self._plan(legs).nearest(run) for run in stored.runs]
        if found and all(found):
            raise ExperimentError(
                f"Not one of the {len(found)} runs in {stored.path} is of this experiment as it is now: {found[0][0]}. "
                "Undo that, or remove the file to begin anew."
            )

    def _plan(self, legs: list[Leg]) -> Plan:
        return Plan(self.experiment, legs, self.stored.runs)

    def _drop_old(self, legs: list[Leg]) -> None:
        """Forgets stored runs that are no longer the experiment's; the file forgets them when it is next written."""
        before = len(self.stored.runs)
        self.stored.runs = self._plan(legs).current()
        gone = before - len(self.stored.runs)
        if gone:
            self.say(f"{gone} stored runs are of another configuration, and count no more.")
        if before > gone:
            self.say(f"{before - gone} runs are stored already.")

    def _place(self, request: Request) -> Path:
        """A folder that this configuration alone has."""
        arm = re.sub(r"[^a-z0-9]+", "-", request.arm.name.lower()).strip("-")
        short = hashlib.sha256(request.key.encode()).hexdigest()[:8]
        return self.folder / arm / f"rate-{request.rate:g}-seed-{request.seed}-{short}"

    def _take(self, request: Request, outcome: Outcome, legs: list[Leg]) -> None:
        name = f"{request.arm.name}, rate {request.rate:g}, seed {request.seed}"
        name += f", {request.settings['steps']:,} steps" if "steps" in request.settings else ""
        figures, seconds = outcome.value or ({}, 0.0)
        trouble = outcome.trouble or self._trouble(figures)
        if trouble:
            self.failed[request.key] = name
            self.say(f"FAILED  {name}:\n{trouble}")
            return
        run = {"arm": request.arm.name, "rate": request.rate, "seed": request.seed, "figures": results.finite(figures)}
        run |= {"seconds": round(seconds, 1), "configuration": request.configuration}
        self._store(legs, run)
        score = run["figures"][self.experiment.score]
        told = "diverged" if score is None else f"{self.experiment.score} {score:.3f}"
        left = self._plan(legs).left()
        minutes = sum(request.minutes for request in left) / self.workers
        self.say(f"{name}: {told} ({seconds / 60:.1f} min); still to do: {len(left)}, {minutes:.1f} min")

    def _trouble(self, figures: Any) -> str | None:
        """Why what a run returned cannot be stored."""
        if not isinstance(figures, dict):
            return f"It gave {shown(figures)}: let `run` return its figures by their names."
        try:
            json.dumps(results.finite(figures), allow_nan=False)
        except (TypeError, ValueError) as error:
            return f"It gave figures that cannot be stored ({error}): let `run` return numbers, texts and lists of them."
        names = plan.lacking(self.experiment, results.finite(figures))
        return f"It gave no figure {names[0]!r}, which the table asks for: let `run` return it." if names else None

    def _store(self, legs: list[Leg], run: plan.Record) -> None:
        stored = self.stored
        if not any(each is self.session for each in stored.sessions):  # a session that runs nothing leaves no trace
            stored.sessions.append(self.session)
        stored.runs.append(run | {"session": len(stored.sessions) - 1})
        self.session["minutes"] = round((time.monotonic() - self.began) / 60, 2)
        self._sum_up(legs)
        stored.save()

    def _sum_up(self, legs: list[Leg]) -> None:
        self.stored.declare(self.experiment)
        self.stored.rows = self._plan(legs).rows(self.stored.paces)

    def _legs(self, pool: Pool) -> list[Leg]:
        """The legs. Paces that are not stored are measured now, in turn with the arm that they are to keep up with."""
        experiment = self.experiment
        if experiment.same_time_as is None:
            self.stored.paces = []
            return plan.legs(experiment, [])
        configurations = {arm.name: experiment.configuration(arm.settings, experiment.rates[0], experiment.seeds[0])
                          for arm in experiment.arms}
        valid = {pace["arm"]: pace for pace in self.stored.paces
                 if plan.key(pace["configuration"]) == plan.key(configurations.get(pace["arm"], {}))}
        if experiment.same_time_as not in valid:
            valid = {}
        missing = [arm for arm in experiment.arms if arm.name not in valid]
        if missing:
            reference = experiment.arm(experiment.same_time_as)
            valid |= self._measured(pool, [reference, *(arm for arm in missing if arm != reference)], configurations)
        self.stored.paces = [valid[arm.name] for arm in experiment.arms]
        legs = plan.legs(experiment, self.stored.paces)
        if missing:
            self._sum_up(legs)
            self.stored.save()  # another measurement would give other steps, and so other runs
        return legs

    def _measured(self, pool: Pool, arms: list[Arm], configurations: dict[str, plan.Record]) -> dict[str, plan.Record]:
        self.say("Seconds a step, arms in turn ...")
        pool.start("pace", self.experiment.pace, [arm.settings for arm in arms])
        outcome = pool.wait()
        if outcome.trouble is not None:
            raise ExperimentError(f"The seconds a step could not be measured:\n{outcome.trouble}")
        found = {}
        for arm, pace in zip(arms, outcome.value):
            self.say(f"  {arm.name}: {pace.seconds:.3g} s")
            found[arm.name] = {"arm": arm.name, "steps": pace.steps, "seconds": pace.seconds,
                               "reference_seconds": outcome.value[0].seconds, "configuration": configurations[arm.name]}
        return found


def _timed(run: Callable, request: Request, folder: Path) -> tuple[dict, float]:
    """A run's figures, and the seconds that all of it took."""
    began = time.monotonic()
    folder.parent.mkdir(parents=True, exist_ok=True)
    return run(request.settings, request.rate, request.seed, folder), time.monotonic() - began
