"""config.json and its format: a run begun by an earlier version is opened as ever, and never gone on with."""

import json
from dataclasses import asdict

import pytest
import torch
from matplotlib import pyplot as plt
from torch.nn.utils import vector_to_parameters

from nlcore.models import build, parameter_count
from nlcore.train import TrainConfig, TrainError, attach, load, new, resume, train
from nlcore.train.__main__ import main
from nlcore.train.config_file import FORMAT, read_config
from nlcore.train.folder import RunFolder, write_json
from nlcore.train.records import read_json
from nlcore.viz import plots
from nlcore.viz.dashboard import Dashboard
from nlcore.viz.prompt import PromptBox
from tests.train.small import small

# As the version of 2026-11 wrote it.
FIRST = {
    "preset": {
        "name": "tiny", "dim": 128, "depth": 2, "heads": 4, "hidden": 32, "chunks": [16, 64], "periods": [1, 4, 16],
        "context": 256, "batch": 4, "steps": 380, "lr": 0.004, "tokenizer": "bytes", "vocabulary": 256,
        "checkpoint_blocks": False,
    },
    "model": "hope", "data": "builtin", "seed": 0, "device": "auto", "dtype": "auto", "threads": 0, "seconds": None,
    "micro_batch": None, "report_every": 10, "validate_every": 100, "checkpoint_every": 100, "keep": 3,
    "validation_windows": 32, "final_windows": 256,
}  # fmt: skip
LATER = {"reads": "boundary", "carry": 0, "links": "plain", "narrow_rates": False, "projections_share": 1.0, "rate_power": 0.0}
LATER |= {"compile": "auto", "continuum": "sequential", "order": "fast first", "in_context": (), "second_order": False}
LATER |= {"architecture": "residual MLP", "objective": "L2", "rule": "delta gradient descent", "retention": "pull to start"}
LATER |= {"learns": "own answer", "momentum": False, "adaptive": ("k", "v", "eta", "alpha"), "tensorboard": False}
LATER |= {"spans": "anywhere"}
LATER |= {"optimizer": "adamw", "matrix_lr": None, "betas": (0.9, 0.95), "weight_decay": 0.1, "clip": 1.0, "level_lr": ()}
LATER |= {"schedule": "cosine", "warmup": 0.05, "floor": 0.1, "decay": 0.2}
LATER |= {"parallel": "ddp"}
"""What came later in a preset or a config, and how runs that lack it trained: new fields are added, none changes."""


def grown_old(folder: RunFolder) -> RunFolder:
    """The same folder, as the version before formats would have left it."""
    stored = read_json(folder.config)
    del stored["format"]
    for name in LATER:
        del (stored["config"] if name in stored["config"] else stored["config"]["preset"])[name]
    write_json(folder.config, stored)
    return folder


def content(folder):
    """Every file but those by which dashboards know of each other."""
    files = (file for file in folder.path.rglob("*") if file.is_file() and not file.name.startswith("watched-"))
    return {str(file): file.read_bytes() for file in files}


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = new(small(steps=4, **LATER), tmp_path_factory.mktemp("old") / "run")
    train(folder)
    return grown_old(folder)


def test_a_new_run_says_its_format_before_and_after_it_has_trained(tmp_path):
    folder = new(small(steps=1), tmp_path / "run")
    assert read_json(folder.config)["format"] == FORMAT
    train(folder)
    assert read_json(folder.config)["format"] == FORMAT
    assert train(folder, steps=2)["result"]["steps"] == 2


def test_an_old_run_opens_everywhere(done):
    run = attach(done.path)
    assert (run.status()["state"], run.facts()["threads"], len(run.metrics())) == ("done", 1, 2)
    model, _ = load(done.path)
    assert model.preset == run.config().preset == small(steps=4, **LATER).preset
    assert PromptBox(done.path).first.given > 0
    plt.close(plots.level_score(done.path))
    opened = Dashboard(done.path)
    opened._look()
    assert opened.live.status["state"] == "done" and opened.live.step() == 4
    opened.close()


@pytest.mark.parametrize(
    "go_on",
    [
        lambda path: resume(path, steps=8),
        lambda path: train(RunFolder(path), steps=8),
        lambda path: main(["--resume", str(path), "--steps", "8"]),
    ],
    ids=["resume", "train", "command line"],
)
def test_an_old_run_is_not_gone_on_with_and_stays_as_it_was(done, go_on):
    before = content(done)
    with pytest.raises(TrainError, match="earlier version of the course.* mixture of both: open it as") as caught:
        go_on(done.path)
    assert "\n" not in str(caught.value)
    assert content(done) == before and read_json(done.status)["state"] == "done"


def test_the_dashboards_button_says_why_an_old_run_does_not_go_on(tmp_path, monkeypatch):
    folder = new(small(steps=4), tmp_path / "run")
    monkeypatch.setattr("nlcore.train.loop.Trainer.run", lambda trainer: "stopped")
    assert train(folder)["state"] == "stopped"
    before = content(grown_old(folder))
    opened = Dashboard(folder.path)
    with opened.lock:
        opened._look()
        opened._heard({"command": "resume"})
    assert "earlier version of the course" in opened.said and opened.said in opened.sentences()
    assert content(folder) == before and attach(folder.path).status()["state"] == "stopped"
    opened.close()


def test_what_an_old_config_lacks_is_read_as_it_was_then():
    config = asdict(TrainConfig.from_json(FIRST))
    later = {name: value for name, value in (config | config["preset"]).items() if name not in FIRST | FIRST["preset"]}
    assert later == LATER


# What the first version's models answered to TOKENS at weights that are a sine: the last token's first two logits. Hope's
# are as they came out once an inner layer's budget followed from the weights it is read through (-0.1108 and 0.0520 before).
ANSWERS = {
    "hope": (-0.11042776445053, 0.05196020787550),
    "hope-attention": (-0.02230824589279, 0.09842728450950),
    "transformer": (0.12371274032307, -0.19402593487204),
}
TOKENS = 7 * torch.arange(40)[None] % 256


@pytest.mark.parametrize("model", ANSWERS)
def test_an_old_run_holds_the_model_that_it_held(model):
    small = FIRST["preset"] | {"dim": 16, "heads": 2, "hidden": 8, "chunks": [4, 8]}
    built = build(model, TrainConfig.from_json(FIRST | {"preset": small}).preset, 256).double()
    weights = torch.sin(torch.arange(parameter_count(built), dtype=torch.double)) / 2
    with torch.no_grad():
        vector_to_parameters(weights, built.parameters())
        answer = built(TOKENS).logits[0, -1, :2]
    assert answer.tolist() == pytest.approx(ANSWERS[model], abs=1e-10)


@pytest.mark.parametrize("given", [0, -1, 1.5, True, "2", None, [2]])
def test_a_format_that_is_none_is_one_sentence(tmp_path, given):
    folder = new(small(), tmp_path / "run")
    write_json(folder.config, read_json(folder.config) | {"format": given})
    with pytest.raises(TrainError, match="The format in .*config.json is damaged"):
        attach(folder.path)


def test_a_run_of_a_newer_version_is_said_to_be_that(tmp_path):
    folder = new(small(), tmp_path / "run")
    stored = read_json(folder.config) | {"format": FORMAT + 1}
    stored["config"]["preset"]["not_known_yet"] = 1
    folder.config.write_text(json.dumps(stored))
    before = content(folder)
    for look in (read_config, train, lambda folder: resume(folder.path), lambda folder: load(folder.path)):
        with pytest.raises(TrainError, match=f"newer version of the course .format {FORMAT + 1}.*: update the course"):
            look(folder)
    assert content(folder) == before
