"""`python -m nlcore.train export`: what comes out is the run's newest model, its card says so, and nothing is overwritten."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nlcore.models import from_pretrained
from nlcore.models.saved import CODE, TOKENIZER_CONFIG
from nlcore.train import TrainError, export, load, new, pretrained, train
from nlcore.train.__main__ import main
from nlcore.train.folder import RunFolder, write_json
from nlcore.train.pretrained import CARD, FILES, described
from nlcore.train.records import read_json, records
from tests.train.small import last, small


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> RunFolder:
    folder = new(small(steps=12, model="hope-attention"), tmp_path_factory.mktemp("export") / "run")
    train(folder)
    return folder


def content(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_a_run_comes_out_whole(run, tmp_path, capsys):
    assert main(["export", str(run.path), str(tmp_path / "deep" / "model")]) == 0
    path = tmp_path / "deep" / "model"
    assert f"The model is in {path}" in capsys.readouterr().out and [p.name for p in path.parent.iterdir()] == ["model"]
    assert content(path).keys() == {*FILES, CODE, TOKENIZER_CONFIG, "README.md"} and not run.events.exists()
    weights = last(run).weights
    for model, tokenizer in (from_pretrained(path), load(path), load(run.path)):
        assert all(torch.equal(x, weights[name]) for name, x in model.state_dict().items()) and tokenizer.vocabulary == 256
    config, card = described(path)
    result = read_json(run.status)["result"]
    trained_on = small(steps=12, model="hope-attention")  # but for where its text lay, which nobody else can use
    assert config == replace(trained_on, data=Path(trained_on.data).name) and card["figures"]["bits_per_byte"] == result["bits_per_byte"]
    said = (path / "README.md").read_text(encoding="utf-8")
    facts = read_json(run.config)["facts"]
    for fact in (
        "Hope-Attention at size `tiny`", f"{facts['parameters']:,} parameters", f"| as it is | {result['bits_per_byte']:.3f} |",
        f"on {result['scored_bytes']:,} of the {result['validation_bytes']:,} bytes", facts["corpus"]["hash"], card["sha256"],
        "| steps | 12, of 2 sequences of 32 tokens", "| cms-2 | every 2 steps |", "who passes\nthem on sees to",
    ):  # fmt: skip
        assert fact in said


def test_an_unfinished_run_says_which_step_was_measured(run, tmp_path):
    """Its last validation was at step 8, on 4 windows; the checkpoint is of step 12."""
    shutil.copytree(run.path, tmp_path / "run")
    status = read_json(run.status)
    write_json(tmp_path / "run" / "status.json", status | {"state": "stopped", "result": None})
    path = export(tmp_path / "run", tmp_path / "model")
    (found,) = [line["validation_bits_per_byte"] for line in records(run.metrics) if line["validation_bits_per_byte"]]
    said = (path / "README.md").read_text(encoding="utf-8")
    assert f"{found:.3f} bits per byte at step 8, the last validation before these weights were kept at step 12: on 4" in said
    assert "as it is" not in said
    (tmp_path / "run" / "metrics.jsonl").unlink()
    assert "It was not measured" in (export(tmp_path / "run", tmp_path / "other") / "README.md").read_text(encoding="utf-8")


def test_a_model_of_the_course_by_its_name_is_the_stored_one(tmp_path):
    (tmp_path / "model").mkdir()
    path = export("tiny-hope", tmp_path / "model")
    stored = content(pretrained.find("tiny-hope"))
    stored["README.md"] = stored["README.md"].replace(b"# tiny-hope\n", b"# model\n").replace(b"to/tiny-hope", b"to/model")
    assert {name: x for name, x in content(path).items() if name != CARD} == {n: x for n, x in stored.items() if n != CARD}
    assert described(path)[0] == described(pretrained.find("tiny-hope"))[0]
    card, other = (read_json(folder / CARD) for folder in (path, pretrained.find("tiny-hope")))
    assert card | {"config": None} == other | {"config": None}  # which names choices that came later, too


@pytest.mark.parametrize("there", ["a file", "a folder with a file"])
def test_nothing_is_overwritten(run, tmp_path, there):
    path = tmp_path / "model"
    if there == "a file":
        path.write_text("mine")
    else:
        path.mkdir()
        (path / "mine").write_text("mine")
    with pytest.raises(TrainError, match="model is there already, and nothing is overwritten: name a new folder"):
        export(run.path, path)
    assert [p.name for p in tmp_path.iterdir()] == ["model"] and (path.is_file() or [*content(path)] == ["mine"])


def test_what_cannot_be_exported_leaves_nothing(run, tmp_path, monkeypatch):
    with pytest.raises(TrainError, match="There is no folder 'runs/none', and no trained model of that name"):
        export("runs/none", tmp_path / "model")
    begun = new(small(), tmp_path / "begun")
    with pytest.raises(TrainError, match="has no checkpoint yet"):
        export(begun.path, tmp_path / "model")
    monkeypatch.setattr("nlcore.train.card.words", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        export(run.path, tmp_path / "model")
    assert [p.name for p in tmp_path.iterdir()] == ["begun"]


def test_the_command_says_what_it_takes(capsys):
    with pytest.raises(SystemExit):
        main(["export", "only-a-run"])
    assert capsys.readouterr().err.startswith("The following arguments are required: folder: see python -m nlcore.train")
