"""A run's config: what it accepts, what it says about the rest, and its JSON."""

import json
from dataclasses import fields, replace

import numpy as np
import pytest

from nlcore.models import KEEP_ALL, OWN, PRESETS, Preset, preset_of
from nlcore.train import TrainConfig, TrainError, change, configure
from nlcore.train.control import Command


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


def test_a_model_that_keeps_every_token_begins_each_window_fresh_unless_told_otherwise():
    assert PRESETS["tiny"].carry > 0 and configure().preset.carry == PRESETS["tiny"].carry
    for model in KEEP_ALL:
        assert configure(model=model).preset.carry == 0 == change(configure(), model=model).preset.carry
        assert configure(model=model, carry=3).preset.carry == 3
        assert change(configure(model=model, carry=3), steps=5).preset.carry == 3


@pytest.mark.parametrize(("size", "model"), OWN)
def test_a_model_brings_its_own_values_and_takes_them_away_again(size, model):
    own = OWN[size, model]
    for config in (configure(size, model=model), change(configure(size), model=model)):
        assert config.preset == preset_of(size, model) != PRESETS[size]
        assert {name: getattr(config.preset, name) for name in own} == own
        assert change(config, model="hope").preset == PRESETS[size]
        assert change(config, model="retnet").preset == PRESETS[size]


def test_what_was_chosen_stays_with_another_model():
    chosen = dict(lr=0.1, heads=8, dim=64, steps=7)
    for config in (configure(**chosen, model="transformer"), change(configure(**chosen), model="transformer")):
        assert {name: getattr(config.preset, name) for name in chosen} == chosen
    assert change(configure(carry=3), model="transformer").preset.carry == 0
    assert change(configure(name="mine", lr=0.1), model="transformer").preset.lr == 0.1


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
        (dict(rate_power=float("nan")), "rate_power is nan: give a number from -1 to 1"),
        (dict(rate_power="less"), "rate_power is 'less'"),
        (dict(lr=1e38), "lr is 1e+38: give a number above 0 and at most 1000"),
        (dict(seconds=-3.0), "seconds is -3.0: give a number above 0"),
        (dict(steps=5, seconds=5.0), "Both steps and seconds were given"),
        (dict(seed=-1), "seed is -1: give a whole number, 0 or more"),
        (dict(threads=-1), "threads is -1"),
        (dict(batch=8, micro_batch=3), "micro_batch 3 does not divide the batch of 8"),
        (dict(keep=0), "keep is 0"),
        (dict(report_every=0), "report_every is 0"),
        (dict(seed=2**64), "seed is 18446744073709551616: give a whole number from 0 to"),
        (dict(threads=10**6), "threads is 1000000: give a whole number from 0 to 1024"),
        (dict(batch=10**11), "batch is 100000000000: give a whole number from 1 to"),
        (dict(batch=2**20, context=2**20), "tokens: choose a smaller batch or context"),
        (dict(depth=10**9), "depth is 1000000000: give a whole number from 1 to 1000"),
        (dict(steps=True), "steps is True: give a whole number"),
        (dict(dim="abc"), "dim is 'abc': give a whole number"),
        (dict(heads=0), "heads is 0"),
        (dict(hidden=0), "hidden is 0"),
        (dict(chunks=()), "chunks is (): give 2 whole numbers"),
        (dict(periods=()), "periods is (): give 1 to 64 whole numbers"),
        (dict(lr="fast"), "lr is 'fast': give a number above 0"),
        (dict(colour="red"), "There is no choice 'colour'"),
        (dict(optimizer="sgd"), "There is no optimizer 'sgd': choose one of adamw, muon, m3."),
        (dict(matrix_lr=0.5), "matrix_lr is for what muon or m3 trains: choose one of them as the optimizer, or leave it out."),
        (dict(optimizer="muon", matrix_lr=0), "matrix_lr is 0: give a number above 0"),
        (dict(betas=0.9), "betas is 0.9: give two numbers, each 0 or more and below 1, as (0.9, 0.95)."),
        (dict(betas=(0.9, 1.0)), "betas is (0.9, 1.0): give two numbers"),
        (dict(betas=(0.9, float("nan"))), "betas is (0.9, nan): give two numbers"),
        (dict(weight_decay=-0.1), "weight_decay is -0.1: give a number from 0 to 1000"),
        (dict(clip=0), "clip is 0: give a number above 0"),
        (dict(clip=float("inf")), "clip is inf: give a number above 0"),
        (dict(level_lr="cms-3"), "level_lr is 'cms-3': give each level, once, and the factor on its rate"),
        (dict(level_lr=(("cms-3", 0.5), ("cms-3", 2))), "give each level, once"),
        (dict(level_lr=((3, 0.5),)), "give each level, once"),
        (dict(level_lr=(("cms-3", -1.0),)), "level_lr of cms-3 is -1.0: give a number from 0 to 1000."),
        (dict(schedule="linear"), "There is no schedule 'linear': choose one of cosine, wsd."),
        (dict(warmup=1.0), "warmup is 1.0: give a number from 0 to 0.99."),
        (dict(floor=2), "floor is 2: give a number from 0 to 1."),
        (dict(decay=0.3), "A cosine falls from its warm-up to the end: leave out decay, or choose the schedule wsd."),
        (dict(schedule="wsd", decay=0.96), "A warm-up of 0.05 and a decay of 0.96 are more than the whole run"),
        (dict(preset=PRESETS["laptop"]), "There is no choice 'preset'"),
        (dict(periods=(4, 1)), "These sizes do not make a model: the CMS periods are (4, 1)"),
        (dict(periods=5), "periods is 5: give 1 to 64 whole numbers"),
        (dict(periods=("1", 2)), "periods is '1': give a whole number"),
        (dict(chunks=("torch.nothing", 8)), "chunks is 'torch.nothing': give a whole number"),
        (dict(name=5), "name is 5: give a short name"),
        (dict(name="../up"), "name is '../up': give a short name"),
        (dict(links={}), "There is no links {}: choose one of plain, gated"),
        (dict(reads=np.arange(2)), "There is no reads array([0, 1]): choose one of"),
        (dict(narrow_rates="no"), "narrow_rates is 'no': give True or False"),
        (dict(narrow_rates=3), "narrow_rates is 3: give True or False"),
        (dict(checkpoint_blocks="no"), "checkpoint_blocks is 'no': give True or False"),
        (dict(projections_share="0.1"), "projections_share is '0.1': give a number from 0 to 1"),
        (dict(projections_share=2), "projections_share is 2: give a number from 0 to 1"),
        (dict(in_context=5), "in_context is 5: give level, tokens and rate of each, as (('cms-3', 16, 0.3),)"),
        (dict(in_context=("cms-3", 16, 0.3)), "in_context is ('cms-3', 16, 0.3): give level, tokens and rate of each"),
        (dict(in_context=(("cms-3", 16),)), "in_context is (('cms-3', 16),): give level, tokens and rate"),
        (dict(in_context=(("cms-3", 16, "fast"),)), "give level, tokens and rate"),
        (dict(in_context=(("cms-3", 0, 0.3),)), "in_context cannot be that, because the period of cms-3 is 0: give a whole"),
        (dict(in_context=(("cms-3", 16, 0.3, 1.0, 0.5),)), "because the warm-up of cms-3 is 0.5: give a number of outer steps"),
        (dict(second_order="yes"), "second_order is 'yes': give True or False"),
        (dict(projections_share=float("nan")), "projections_share is nan: give a number from 0 to 1"),
        (dict(seed=10**5000), "seed is too long to be shown: give a whole number from 0 to"),
        (dict(data=b"text"), "data is b'text': name a file"),
        (dict(model="\x1b[31m"), "There is no model '\\x1b[31m': choose one of"),
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


def test_numbers_and_paths_of_any_kind_become_pythons_own(tmp_path):
    numbers = dict(seed=np.arange(3)[1], steps=np.int64(10), lr=np.float32(0.5), chunks=[4, np.int32(8)])
    config = configure(data=tmp_path, narrow_rates=np.bool_(True), in_context=[["cms-3", np.int8(16), 1]], **numbers)
    assert config.preset.in_context == (("cms-3", 16, 1),)
    assert config.preset.narrow_rates is True
    assert (config.seed, config.preset.steps, config.preset.lr, config.preset.chunks) == (1, 10, 0.5, (4, 8))
    assert {type(config.seed), type(config.preset.steps), type(config.preset.lr)} == {int, float}
    assert config.data == str(tmp_path)
    assert TrainConfig.from_json(json.loads(json.dumps(config.as_json()))) == config
    assert type(Command(0, "lr_scale", None, np.linspace(0, 1, 3)[1]).value) is float


@pytest.mark.parametrize("preset", [{"dim": "abc"}, {"heads": 0}, {"depth": 10**9}, {"chunks": []}, {"periods": [1] * 100_000}])
def test_a_config_with_a_wrong_size_gets_one_sentence(preset):
    stored = configure().as_json()
    with pytest.raises(TrainError) as caught:
        TrainConfig.from_json(stored | {"preset": stored["preset"] | preset})
    assert "\n" not in str(caught.value)


FIELDS = [one.name for kind in (Preset, TrainConfig) for one in fields(kind) if one.name != "preset"]


@pytest.mark.parametrize("name", FIELDS)
def test_no_field_takes_what_makes_no_sense(name):
    """A field that is added later neither: each has its check."""
    for value in (object(), {}, b"x", -2.5, float("nan"), 10**5000, (None,), np.arange(100), "\x1b"):
        if name == "data" and isinstance(value, str):  # any text may be a file's name
            continue
        with pytest.raises(TrainError) as caught:
            configure(**{name: value})
        assert str(caught.value).isprintable() and len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["narrow_rates", "projections_share", "name", "links"])
def test_a_file_that_gives_a_field_what_it_cannot_be_is_refused(name):
    stored = configure().as_json()
    for value in ("false!", None, 5, {}):
        with pytest.raises(TrainError, match=name):
            TrainConfig.from_json(stored | {"preset": stored["preset"] | {name: value}})


@pytest.mark.parametrize("stored", [None, [], 5, {"data": None}, {"data": 5}])
def test_a_config_that_is_none_gets_one_sentence(stored):
    with pytest.raises(TrainError):
        TrainConfig.from_json(configure().as_json() | stored if isinstance(stored, dict) else stored)
