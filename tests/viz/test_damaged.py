"""Views of a run folder in which single fields are damaged: right JSON, wrong content. A record is left out, no more."""

import json
import shutil

import matplotlib.pyplot as plt
import pytest

from nlcore.train import attach, new, train
from nlcore.viz import plots
from nlcore.viz.dashboard.live import Live
from tests.train.small import small

FILES = ("metrics.jsonl", "levels.jsonl", "surprise.jsonl", "samples.jsonl", "applied.jsonl")
WRONG = (None, "seven", [], {}, True, -1, 0.5, 1e300)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """A short run of all kinds of lines."""
    folder = new(small(validate_every=4), tmp_path_factory.mktemp("recorded") / "run")
    commands = [("lr_scale", None, 0.5), ("period", "cms-1", 3), ("level_lr", "memory", 0.5), ("checkpoint", None, None)]
    for number, (command, level, value) in enumerate(commands, start=1):
        line = {"number": number, "command": command} | ({"level": level} if level else {}) | ({"value": value} if value else {})
        with open(folder.control, "a") as file:
            file.write(json.dumps(line) + "\n")
    train(folder)
    return folder.path


@pytest.mark.parametrize("value", WRONG, ids=repr)
@pytest.mark.parametrize("name", FILES)
def test_a_wrong_field_is_shown_or_left_out_and_never_raises(recorded, tmp_path, name, value):
    path = shutil.copytree(recorded, tmp_path / "run")
    lines = [json.loads(line) for line in (path / name).read_text().splitlines()]
    fields = sorted({field for line in lines for field in line})
    damaged = [lines[i % len(lines)] | {field: value} for i, field in enumerate(fields)]
    missing = [{key: lines[i % len(lines)][key] for key in lines[i % len(lines)] if key != field} for i, field in enumerate(fields)]
    (path / name).write_text("".join(json.dumps(line) + "\n" for line in [*damaged, *missing, *lines]))
    run, live = attach(path), Live(path)
    assert run.metrics() and run.levels() and run.surprise() and run.samples() and run.applied()
    while True:
        live.look()
        json.dumps(live.message(True), allow_nan=False)
        if not any(file.more for file in live.follows()):
            break
    plots.level_score(path)
    plots.curves(path)
    plt.close("all")
