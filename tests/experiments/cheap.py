"""An experiment whose runs cost nothing: a score quadratic in the logarithm of the rate, plus a noise of the seed."""

import math
import os
import signal

from experiments.declare import Arm, Experiment
from experiments.pace import Pace
from experiments.processes import Outcome

RATES = (2e-3, 4e-3, 8e-3)
TEXT = "0123456789abcdef"


def run(settings, rate, seed, folder):
    """`calls` in the folder counts how often this very run was done. `fails` and `dies` name seeds."""
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "calls", "a") as calls:
        calls.write("x")
    if seed in settings.get("dies", ()):
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
    if seed in settings.get("fails", ()):
        raise RuntimeError(f"seed {seed} is a bad one")
    steps = settings.get("steps", 100)
    score = 3 + math.log2(rate / settings["best"]) ** 2 + 0.01 * (seed % 3 - 1) + 10 / steps
    if rate > settings.get("diverges", 1):
        return {"score": None, "steps": steps}
    return {"score": score, "steps": steps, "extra": 2 * seed, "endless": math.inf}


def configuration(settings, rate, seed):
    return {"corpus": TEXT, "rate": rate, "seed": seed} | settings


def pace(arms):
    return [Pace(100, settings["step"]) for settings in arms]


def experiment(*arms, seeds=(0, 1, 2), **choices):
    """Arms are settings, named "a", "b", ..."""
    made = tuple(Arm(name, settings, minutes=2) for name, settings in zip("abcd", arms))
    given = dict(name="cheap", question="Which is best?", rates=RATES, run=run, score="score", pace=pace,
                 configuration=configuration)
    return Experiment(arms=made, seeds=seeds, **given | choices)


class AtOnce:
    """In the place of `Pool`: does the work in this process, in the order in which it is begun."""

    def __init__(self, workers):
        self.workers, self.waiting, self.most = workers, {}, 0

    names = property(lambda self: set(self.waiting))
    free = property(lambda self: len(self.waiting) < self.workers)

    def start(self, name, function, *arguments):
        self.waiting[name] = (function, arguments)

    def wait(self):
        name = next(iter(self.waiting))
        function, arguments = self.waiting.pop(name)
        try:
            return Outcome(name, function(*arguments))
        except Exception as error:
            return Outcome(name, trouble=str(error))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.waiting.clear()


def calls(tmp_path):
    """How often each run was done, however many there were."""
    return [len(path.read_text()) for path in (tmp_path / "runs").rglob("calls")]
