"""The course's trained models: each is what its card says, and reaches the figures on it; how one is made."""

import json
import re
import tomllib
from pathlib import Path

import pytest
from safetensors.torch import load_file

from checkpoints.make import RECIPES, SHELF, main, make
from nlcore import tasks
from nlcore.models import frozen_memories, parameter_count
from nlcore.models.saved import CODE, CODE_TEXT, TOKENIZER_CONFIG, described as sizes
from nlcore.tasks import join
from nlcore.tasks.entropy import order1
from nlcore.train import TrainError, attach, card, checkpoint, evaluate, load, new, resume
from nlcore.train.__main__ import main as main_of_training
from nlcore.train.checkpoint import WEIGHTS
from nlcore.train.device import choose
from nlcore.train.folder import RunFolder, write_json
from nlcore.train.loop import Trainer
from nlcore.train.pretrained import CARD, CONFIG, FILES, described
from nlcore.train.records import read_json
from tests.train.small import small

STORED = sorted(path.parent for path in SHELF.glob(f"*/{CARD}"))
MEGABYTES = 10
"""Of all together: a clone has to stay small."""


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Path:
    """A model made as the stored ones are, in a moment."""
    root = tmp_path_factory.mktemp("made")
    return make("toy", small(steps=4), root / "runs", root / "checkpoints")


@pytest.fixture(params=[None, *STORED], ids=lambda path: path.name if path else "toy")
def path(request, toy) -> Path:
    return request.param or toy


def test_config_weights_and_card_agree(path):
    config, stored = described(path)
    facts, weights = stored["facts"], load_file(path / WEIGHTS)
    model, tokenizer = load(path)
    assert sum(weight.numel() for weight in weights.values()) == parameter_count(model) == facts["parameters"]
    assert all(weight.isfinite().all() for weight in weights.values())
    assert stored["sha256"] == checkpoint.digest(path / WEIGHTS)
    assert stored["figures"]["steps"] == config.preset.steps and tokenizer.vocabulary == facts["vocabulary"]
    assert {file.name for file in path.iterdir()} == {*FILES, "README.md", CODE, TOKENIZER_CONFIG}
    assert json.loads((path / CONFIG).read_text()) == json.loads(json.dumps(sizes(config.model, config.preset, tokenizer.vocabulary)))
    assert (path / CODE).read_text() == CODE_TEXT


def test_the_card_is_written_from_the_figures_and_says_them(path):
    said, stored = (path / "README.md").read_text(encoding="utf-8"), described(path)[1]
    assert said == card.words(path.name, *described(path)), "type python -m checkpoints.card"
    assert f"python -m checkpoints.make {path.name}\n" in said and stored["sha256"] in said
    rows = {"as it is": "bits_per_byte", "with .* eta .*": "bits_per_byte_eta_0", "order-1 .*": "order1_entropy"}
    for row, name in rows.items():
        there, value = re.search(rf"^\| {row} \| (\S+) \|$", said, re.MULTILINE), stored["figures"][name]
        assert (there and there[1]) == (None if value is None else f"{value:.3f}")


def test_the_figures_come_out_again(path):
    config, stored = described(path)
    corpus, figures = tasks.load(config.data), stored["figures"]
    if corpus.hash != stored["facts"]["corpus"]["hash"]:
        pytest.skip("The built-in text here is not the one that this model was scored on.")
    model, tokenizer = load(path)
    tokens = tasks.prepare(corpus, tokenizer).validation
    held_out = evaluate.HeldOut(tokens, tokenizer, config.preset.context, batch=32)

    def score() -> evaluate.Score:
        return evaluate.score(model, held_out, config.final_windows, choose("cpu", "float32"), lambda: None)

    scored = score()
    assert scored.bits_per_byte == pytest.approx(figures["bits_per_byte"], abs=1e-3)
    assert (scored.bytes, len(join(corpus.validation))) == (figures["scored_bytes"], figures["validation_bytes"])
    assert order1(held_out.pieces(config.final_windows)) == pytest.approx(figures["order1_entropy"], abs=1e-9)
    if figures["bits_per_byte_eta_0"] is not None:
        with frozen_memories(model):
            assert score().bits_per_byte == pytest.approx(figures["bits_per_byte_eta_0"], abs=1e-3)


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.name)
def test_what_is_stored_is_what_its_command_makes(path):
    assert described(path)[0] == RECIPES[path.name]
    assert load(path.name)[0].preset == RECIPES[path.name].preset


def test_it_is_no_run_that_could_be_gone_on_with(path):
    for go_on in (attach, resume, lambda path: main_of_training(["--resume", str(path)])):
        with pytest.raises(TrainError, match="holds no run"):
            go_on(path)
    with pytest.raises(TrainError, match="holds files that are not a run's"):
        new(small(), path)


@pytest.mark.skipif(not STORED, reason="No trained model is stored yet: python -m checkpoints.make makes each.")
@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_stored_under_its_name(name):
    assert {path.name for path in STORED} <= RECIPES.keys()
    assert SHELF / name in STORED, f"type python -m checkpoints.make {name}"


def test_all_together_stay_small():
    size = sum(file.stat().st_size for path in STORED for file in path.iterdir())
    assert size < MEGABYTES * 10**6


def test_an_installation_without_a_clone_gets_each():
    data = tomllib.loads((SHELF.parent / "pyproject.toml").read_text())["tool"]["setuptools"]["data-files"]
    assert data == {f"share/nlcore/checkpoints/{name}": [f"checkpoints/{name}/*"] for name in RECIPES}


def test_a_stopped_run_goes_on_and_ends_as_one_that_was_not(tmp_path, toy, monkeypatch):
    def stops(trainer):
        trainer.leave = trainer.step == 2
        return between(trainer)

    between = Trainer._between_steps
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_between_steps", stops)
        assert make("toy", small(steps=4), tmp_path, tmp_path / "made") is None
    assert not (tmp_path / "made").exists()
    path = make("toy", small(steps=4), tmp_path, tmp_path / "made")
    assert described(path)[1]["sha256"] == described(toy)[1]["sha256"]
    assert read_json(RunFolder(tmp_path / "checkpoint-toy").status)["attempt"] == 2


def test_a_finished_run_is_written_again_and_not_trained_again(tmp_path, toy, monkeypatch):
    monkeypatch.setattr("checkpoints.make.train", None)
    again = make("toy", small(steps=4), toy.parents[1] / "runs", tmp_path)
    assert (again / "README.md").read_text() == (toy / "README.md").read_text()


def test_a_run_of_another_recipe_or_an_earlier_version_makes_nothing(tmp_path):
    runs = tmp_path / "runs"
    path = make("toy", small(steps=2), runs, tmp_path)
    before = {file: file.read_bytes() for file in path.iterdir()}
    with pytest.raises(TrainError, match="begun by another recipe than toy has now: move it away"):
        make("toy", small(steps=4), runs, tmp_path)
    folder = RunFolder(runs / "checkpoint-toy")
    write_json(folder.config, {name: part for name, part in read_json(folder.config).items() if name != "format"})
    with pytest.raises(TrainError, match="earlier version"):
        make("toy", small(steps=2), runs, tmp_path)
    assert {file: file.read_bytes() for file in path.iterdir()} == before


def test_a_run_whose_last_checkpoint_is_damaged_makes_nothing(tmp_path):
    runs = tmp_path / "runs"
    path = make("toy", small(steps=8), runs, tmp_path / "first")
    (runs / "checkpoint-toy/checkpoints/step-00000008/state.pt").write_text("")
    with pytest.raises(TrainError, match="last checkpoint .* is damaged"):  # that of step 4 is whole, and is another
        make("toy", small(steps=8), runs, tmp_path / "second")
    assert path.exists() and not (tmp_path / "second").exists()


def test_the_command_takes_the_names_it_knows(capsys):
    with pytest.raises(SystemExit):
        main(["tiny-lstm"])
    said = capsys.readouterr().err
    assert all(name in said for name in RECIPES)
