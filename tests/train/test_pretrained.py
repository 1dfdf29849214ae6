"""A trained model is found by its name, and loads as what was trained, or says in one sentence why not."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from checkpoints.make import make
from nlcore.models.saved import FORMAT
from nlcore.train import TrainError, load, new, pretrained, train
from nlcore.train.checkpoint import WEIGHTS, digest
from nlcore.train.config_file import FORMAT as TRAINED
from nlcore.train.folder import write_json
from nlcore.train.pretrained import CARD, CONFIG, FILES, TOKENIZER
from nlcore.train.records import read_json
from nlcore.viz.prompt import PromptBox
from tests.train.small import small


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("pretrained")
    make("toy", small(steps=4), root / "runs", root / "shelf")
    return root


@pytest.fixture(autouse=True)
def shelf(root, tmp_path, monkeypatch) -> Path:
    """A copy that a test may spoil, as the course's shelf; the working folder is another."""
    shutil.copytree(root / "shelf", tmp_path / "shelf")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr(pretrained, "SHELVES", (tmp_path / "shelf", tmp_path / "installed"))
    return tmp_path / "shelf"


def same(one, other):
    mine, yours = one[0].state_dict(), other[0].state_dict()
    return mine.keys() == yours.keys() and all(torch.equal(mine[name], yours[name]) for name in mine)


def test_a_name_a_folder_and_the_run_give_the_same_model(root, shelf):
    trained = load(root / "runs/checkpoint-toy")
    assert same(load("toy"), trained) and same(load(shelf / "toy"), trained) and same(load(str(shelf / "toy")), trained)
    assert type(load("toy")[1]) is type(trained[1])
    assert PromptBox("toy").first.given > 0


def test_a_folder_that_is_here_goes_before_the_name(shelf):
    folder = new(small(steps=2, seed=1), "toy")
    train(folder)
    assert same(load("toy"), load(folder.path.resolve())) and not same(load("toy"), load(shelf / "toy"))


def test_a_clone_goes_before_an_installation_which_is_enough(shelf):
    shutil.copytree(shelf / "toy", shelf.with_name("installed") / "toy")
    assert pretrained.available() == {"toy": shelf / "toy"}
    shutil.rmtree(shelf)
    assert pretrained.available() == {"toy": shelf.with_name("installed") / "toy"} and load("toy")


def test_a_name_that_is_not_there_lists_those_that_are(shelf):
    with pytest.raises(TrainError, match="no folder 'tiny-lstm', and no trained model of that name: .* one of toy"):
        load("tiny-lstm")
    with pytest.raises(TrainError, match="no folder 'runs/toy', and no trained model of that name: .* one of toy"):
        load("runs/toy")
    shutil.rmtree(shelf)
    with pytest.raises(TrainError, match="one of the trained models that a clone of the course has"):
        load("toy")


NAMES = [None, 5, b"x", "", " ", "a" * 5000, "x/" * 3000, "no\x1b[31m", "runs/no\x1b[31m", "no\0", "a\nb"]


@pytest.mark.parametrize("name", NAMES, ids=range(len(NAMES)))
def test_what_names_no_model_is_one_printable_sentence(name):
    with pytest.raises(TrainError, match="name the folder of a run, or one of toy.$") as caught:
        load(name)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 300


def test_a_name_that_the_shell_completed_is_the_name(root):
    assert same(load("toy/"), load("toy"))
    with pytest.raises(TrainError, match="no folder './toy'"):
        load("./toy")


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_missing_is_one_sentence(shelf, name):
    (shelf / "toy" / name).unlink()
    with pytest.raises(TrainError, match=f"toy lacks {name}: put .* or export it anew.$"):
        load(shelf / "toy")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (WEIGHTS, b"version https://git-lfs.github.com/spec/v1\n", "is not the file that card.json describes: put"),
        (WEIGHTS, b"", "is not the file that card.json describes: put"),
        (CARD, b"{}", "card.json in .* is damaged or of another version: put"),
        (CARD, b'{"sha256": "cut', "card.json in .* is damaged or of another version: put"),
        (CONFIG, b"[", "holds no model of this version of the course: .*: put"),
        (CONFIG, b'{"preset": {"name": "tiny"}}', "holds no model of this version of the course: .*: put"),
        (TOKENIZER, b"{}", "is not a tokenizer that nlcore saved"),
    ],
)
def test_a_file_that_is_damaged_is_one_sentence(shelf, name, content, said):
    (shelf / "toy" / name).write_bytes(content)
    with pytest.raises(ValueError, match=said) as caught:
        load("toy")
    assert "\n" not in str(caught.value)


def test_one_changed_byte_is_seen(shelf):
    file = shelf / "toy" / WEIGHTS
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(TrainError, match="is not the file that card.json describes"):
        load("toy")


@pytest.mark.parametrize("content", [b"", b"no tensors at all", b"\xff" * 64])
def test_a_file_that_is_no_safetensors_is_one_sentence_though_the_card_is_right(shelf, content):
    (shelf / "toy" / WEIGHTS).write_bytes(content)
    write_json(shelf / "toy" / CARD, read_json(shelf / "toy" / CARD) | {"sha256": digest(shelf / "toy" / WEIGHTS)})
    said = "holds no model of this version .*: put .* or export it anew.$"
    with pytest.raises(TrainError, match=said) as caught:
        load("toy")
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        (dict(heads=3), "holds no model of this version .*3 heads do not divide"),
        (dict(dim=2**16, heads=256), "holds no model of this version .*its weights"),
        (dict(projections_share="x"), "holds no model of this version"),
        (dict(not_known_yet=1), "holds no model of this version .*not_known_yet"),
    ],
)
def test_a_config_of_no_model_or_another_is_one_sentence(shelf, sizes, said):
    config = shelf / "toy" / CONFIG
    stored = read_json(config)
    write_json(config, stored | {"preset": stored["preset"] | sizes})
    with pytest.raises(TrainError, match=f"{said}.*: put .* or export it anew.$"):
        load("toy")


@pytest.mark.parametrize(("name", "known"), [(CARD, TRAINED), (CONFIG, FORMAT)])
def test_a_model_of_a_later_rule_is_said_to_be_that(shelf, name, known):
    file = shelf / "toy" / name
    stored = read_json(file)
    assert stored["format"] == known
    write_json(file, stored | {"format": known + 1, "a_new_choice": 1})
    with pytest.raises(TrainError, match=f"newer .*.format {known + 1}.*update the course.* export it anew.$"):
        load("toy")
    write_json(file, stored | {"format": "new"})
    with pytest.raises(TrainError, match="The format in .*card.json is damaged|its format is 'new'"):
        load("toy")


def test_weights_of_another_shape_than_the_config_are_one_sentence(shelf):
    config = shelf / "toy/config.json"
    stored = json.loads(config.read_text())
    stored["preset"]["dim"] = 32
    config.write_text(json.dumps(stored))
    with pytest.raises(TrainError, match="holds no model of this version .*its weights are of other sizes than its config says .embedding.weight.: put its own"):
        load("toy")
