"""What is stored of an experiment: `results/NAME.json`, a line a run, enough to repeat and to compare."""

import json
import math
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import torch

from nlcore.train.records import opened, parse

from experiments import table
from experiments.declare import Experiment, ExperimentError
from experiments.shapes import holds_results

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(__file__).resolve().parent / "results"
Record = dict[str, Any]


class Results:
    """An experiment's results as they are in the file. In a notebook its value is the table.

    Attributes:
        experiment: name, question, score, columns, rates, seeds, same_time_as, arms.
        rows: the table's, see `Plan.rows`.
        paces: arm, steps, seconds, reference_seconds (a step, both from one measurement), configuration.
        runs: arm, rate, seed, figures, seconds (of the whole run, its start and scoring included), configuration, and
            its session, counted from 0.
        sessions: what each time of running ran on (python, torch, numpy, commit, cores, processor, workers), and its
            minutes.
    """

    def __init__(self, path: Path, stored: Record) -> None:
        self.path = path
        self.experiment: Record = stored.get("experiment", {})
        self.rows: list[Record] = stored.get("rows", [])
        self.paces: list[Record] = stored.get("paces", [])
        self.runs: list[Record] = stored.get("runs", [])
        self.sessions: list[Record] = stored.get("sessions", [])

    @property
    def minutes(self) -> float:
        """Of all sessions."""
        return sum(session["minutes"] for session in self.sessions)

    @property
    def corpus(self) -> str | None:
        """The hash of the text that all runs read; None without a text. Raises ExperimentError if there are several."""
        return one_corpus([run["configuration"] for run in self.runs], self.path)

    def text(self) -> str:
        """The table for a terminal."""
        return table.text(self)

    def markdown(self) -> str:
        """The table for a page."""
        return table.markdown(self)

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def declare(self, experiment: Experiment) -> None:
        """Keeps what is asked, beside the answer."""
        names = ("name", "question", "score", "columns", "rates", "seeds", "same_time_as")
        self.experiment = {name: getattr(experiment, name) for name in names}
        self.experiment |= {"arms": [vars(arm) for arm in experiment.arms]}

    def save(self) -> None:
        """Writes the file in one step: whoever reads sees the old one or the new one."""
        parts = {
            "experiment": self.experiment,
            "corpus": self.corpus,
            "minutes": self.minutes,
            "rows": self.rows,
            "paces": self.paces,
            "sessions": self.sessions,
            "runs": self.runs,
        }
        lines = ",\n".join(f'"{name}": {_lines(part)}' for name, part in parts.items())
        temporary = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
        os.replace(temporary, self.path)


def read(path: Path) -> Results:
    """The results in a file; empty ones if it is not there.

    Raises ExperimentError if it holds anything else, or if the runs cannot be compared.
    """
    file, stored = opened(path), {}
    if file is not None:
        with file:
            stored = parse(file.read())
    if (file is not None or path.exists()) and not holds_results(stored):
        raise ExperimentError(f"{path} holds no results: put back its last version, or remove it.")
    results = Results(path, stored)
    one_corpus([run["configuration"] for run in results.runs], path)
    return results


def one_corpus(configurations: list[Record], path: Path) -> str | None:
    """The hash of the one text that all of these are about. Raises ExperimentError if there are several."""
    found = sorted({configuration.get("corpus") or "" for configuration in configurations})
    if len(found) > 1:
        texts = ", ".join(text[:8] or "none" for text in found)
        raise ExperimentError(
            f"The runs of {path.name} are on different texts (hashes {texts}), so their figures cannot be compared: "
            "run it where the text is the one of the stored runs, or remove the file and run all again."
        )
    return (found[0] or None) if found else None


def check_place() -> None:
    """Raises ExperimentError where results cannot be kept: outside the source tree, in an installation."""
    if not (ROOT / "pyproject.toml").exists():
        raise ExperimentError(
            "Experiments are run in a clone of the course, which keeps what they find: "
            "--table prints what is stored here."
        )


def finite(figures: Record) -> Record:
    """The same figures as Python's own, with None for those that are not finite."""
    own = {name: value.item() if isinstance(value, np.generic) else value for name, value in figures.items()}
    return {name: None if isinstance(x, float) and not math.isfinite(x) else x for name, x in own.items()}


def session(workers: int) -> Record:
    """What runs here and now."""
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "commit": _commit(),
        "cores": os.cpu_count(),
        "processor": _processor(),
        "workers": workers,
        "minutes": 0.0,
    }


def _lines(part: Any) -> str:
    """JSON with one record a line."""
    if isinstance(part, list) and part:
        return "[\n" + ",\n".join(" " + json.dumps(record, ensure_ascii=False) for record in part) + "\n]"
    return json.dumps(part, ensure_ascii=False)


def _commit() -> str | None:
    """The commit that is checked out, "changed" behind it if the code is not that commit's; None outside git."""
    def git(*arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)

    try:
        head = git("rev-parse", "HEAD")
    except OSError:
        return None
    if head.returncode:
        return None
    changed = git("diff", "--quiet", "HEAD", "--", "*.py").returncode
    return head.stdout.strip() + (" changed" if changed else "")


def _processor() -> str:
    """The processor's name, as far as the system tells it."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
