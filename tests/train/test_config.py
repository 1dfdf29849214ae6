"""A run's config: what it accepts, what it says about the rest, and its JSON."""

import json
from dataclasses import replace

import pytest

from nlcore.models import PRESETS
from nlcore.train import TrainConfig, TrainError, change, configure


def test_a_size_gives_its_preset_and_choices_change_it():
    config = configure("laptop", steps=7, dim=64, model="transformer", seed=None)
    assert config.preset == replace(PRESETS["laptop"], steps=7, dim=64)
    assert (config.model, config.seed) == ("transformer", 0)


@pytest.mark.parametrize("size", PRESETS)
def test_json_round_trip(size):
    config = configure(size, seconds=5.0, micro_batch=2)
    assert TrainConfig.from_json(json.loads(json.dumps(config.as_json()))) == config


def test_steps_take_the_place_of_seconds():
    assert change(configure(seconds=5.0), steps=9).seconds is None


def test_a_relative_path_stays_right_in_another_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert configure(data="text").data == str(tmp_path / "text")
    assert configure(data="builtin:python").data == "builtin:python"


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        (dict(size="huge"), "There is no size 'huge': choose one of tiny, laptop"),
        (dict(model="gpt"), "There is no model 'gpt': choose one of hope"),
        (dict(device="tpu"), "There is no device 'tpu': choose one of auto"),
        (dict(dtype="float16"), "There is no dtype 'float16'"),
        (dict(tokenizer="words"), "There is no tokenizer 'words'"),
        (dict(steps=0), "steps is 0: give a whole number, 1 or more"),
        (dict(steps=1.5), "steps is 1.5: give a whole number"),
        (dict(batch=-1), "batch is -1"),
        (dict(context=1), "context is 1: give a whole number, 2 or more"),
        (dict(lr=0.0), "lr is 0.0: give a number above 0"),
        (dict(lr=float("nan")), "lr is nan"),
        (dict(lr=1e38), "lr is 1e+38: give a number above 0 and at most 1000"),
        (dict(seconds=-3.0), "seconds is -3.0: give a number above 0"),
        (dict(steps=5, seconds=5.0), "Both steps and seconds were given"),
        (dict(seed=-1), "seed is -1: give a whole number, 0 or more"),
        (dict(threads=-1), "threads is -1"),
        (dict(batch=8, micro_batch=3), "micro_batch 3 does not divide the batch of 8"),
        (dict(keep=0), "keep is 0"),
        (dict(report_every=0), "report_every is 0"),
        (dict(colour="red"), "There is no choice 'colour'"),
    ],
)
def test_each_bad_choice_gets_one_sentence(choices, said):
    with pytest.raises(TrainError) as caught:
        configure(**choices)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [{"preset": None}, {"colour": "red"}, {"preset": {"name": "tiny"}}])
def test_json_of_another_version_gets_one_sentence(damage):
    with pytest.raises(TrainError, match="not of this version"):
        TrainConfig.from_json(configure().as_json() | damage)


@pytest.mark.parametrize("data", ["", " "])
def test_no_text_is_not_the_folder_one_stands_in(data):
    with pytest.raises(TrainError, match="No text was named"):
        configure("tiny", data=data)
