"""kill -9 at a random moment: the run that is resumed ends with the very bits of one that was not killed.

NLCORE_KILLS=10 kills that many runs, each at a moment of its own, and prints what it found.
"""

import os
import random
import time

import pytest

from nlcore.train import new, resume, train
from nlcore.train.config_file import read_config
from nlcore.train.control import send
from nlcore.train.records import records
from tests.train.small import equal_runs, last, small

KILLS = int(os.environ.get("NLCORE_KILLS", "1"))
STEPS = 40
SETTINGS = (
    ("lr_scale", None, 0.5), ("period", "cms-1", 3), ("level_lr", "memory", 0.5), ("level_lr", "cms-3 in context", 0.5)
)  # fmt: skip


KINDS = (dict(), dict(model="hope-attention", in_context=(("cms-3", 8, 0.5), ("cms-2", 16, 0.3, 0.5, 9))))


def config(**kind):
    return small(steps=STEPS, carry=6, report_every=1, checkpoint_every=5, validate_every=20, **kind)


def steer(folder):
    """Settings sent before the first step; they last, so a resume has to keep them."""
    for command, level, value in SETTINGS:
        send(folder, command, level, value)


@pytest.fixture(scope="module", params=KINDS, ids=["hope", "levels in context"])
def whole(request, tmp_path_factory):
    folder = new(config(**request.param), tmp_path_factory.mktemp("whole") / "run")
    steer(folder)
    train(folder)
    return folder


@pytest.mark.parametrize("seed", range(KILLS))
def test_killed_and_resumed_equals_not_killed(tmp_path, whole, seed):
    draw = random.Random(os.urandom(8) if KILLS > 1 else seed)
    after, pause = draw.randrange(1, STEPS - 1), draw.random() * 0.05
    folder = new(read_config(whole)[0], tmp_path / "run")
    steer(folder)
    run = resume(folder.path)
    while len(records(folder.metrics)) < after and run.alive():
        time.sleep(0.002)
    time.sleep(pause)
    run.process.kill()
    run.process.wait()
    reached = len(records(folder.metrics))
    assert run.status()["state"] in ("lost", "done")
    if run.status()["state"] == "lost":
        assert train(folder)["state"] == "done"
    equal = last(folder).state["step"] == STEPS and equal_runs(folder, whole)
    print(f"\nkilled after step {reached} of {STEPS}: {'bitwise equal' if equal else 'DIFFERS'}")
    assert equal
