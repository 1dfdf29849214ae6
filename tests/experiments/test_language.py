"""A run of a language model: trained as the command trains it, resumable, with a pace that is measured in turn."""

import json

import pytest

from nlcore import train
from nlcore.train import TrainError
from nlcore.train.loop import Trainer
from nlcore.train.records import records

from experiments.language import FIGURES, configuration, configure, language_model, renewed
from experiments.pace import pace
from tests.train.small import SIZES, TEXT

SMALL = {name: size for name, size in SIZES.items() if name != "lr"} | dict(steps=12, data=str(TEXT), final_windows=4)


def test_the_figures_are_those_of_the_run(tmp_path, capsys):
    figures = language_model(SMALL, 1e-2, 3, tmp_path / "run")
    result = train.attach(tmp_path / "run").status()["result"]
    assert {name: figures[name] for name in FIGURES} == {name: result[name] for name in FIGURES}
    assert figures["steps"] == 12 and figures["bits_per_byte"] != figures["bits_per_byte_eta_0"]
    assert figures["corpus"] == configuration(SMALL, 1e-2, 3)["corpus"] and len(figures["corpus"]) == 64
    shown = capsys.readouterr()
    assert shown.out == shown.err == ""
    model, _ = train.load(tmp_path / "run")
    assert model.preset.dim == 16
    assert train.attach(tmp_path / "run").config() == configure(SMALL, 1e-2, 3)


def test_a_run_that_is_done_is_not_trained_again(tmp_path):
    first = language_model(SMALL, 1e-2, 0, tmp_path)
    assert language_model(SMALL, 1e-2, 0, tmp_path) == first
    assert train.attach(tmp_path).status()["attempt"] == 1


@pytest.mark.parametrize("model", ["hope", "lstm"])
def test_an_interrupted_run_goes_on_from_its_checkpoint(tmp_path, monkeypatch, model):
    settings = SMALL | dict(model=model, checkpoint_every=4, report_every=1)
    whole = language_model(settings, 1e-2, 0, tmp_path / "whole")
    advance = Trainer.advance

    def interrupted(self):
        self.leave = self.step == 5
        advance(self)

    monkeypatch.setattr(Trainer, "advance", interrupted)
    with pytest.raises(KeyboardInterrupt):
        language_model(settings, 1e-2, 0, tmp_path / "cut")
    monkeypatch.setattr(Trainer, "advance", advance)
    assert language_model(settings, 1e-2, 0, tmp_path / "cut")["bits_per_byte"] == whole["bits_per_byte"]
    attempts = [line["attempt"] for line in records(tmp_path / "cut" / "metrics.jsonl")]
    assert attempts == [1] * 6 + [2] * 6


def test_a_model_without_memories_has_no_figure_for_them(tmp_path):
    assert language_model(SMALL | dict(model="transformer"), 1e-2, 0, tmp_path)["bits_per_byte_eta_0"] is None


def test_a_run_that_diverges_has_no_score(tmp_path):
    figures = language_model(SMALL | dict(model="transformer", steps=60), 1000.0, 0, tmp_path)
    assert figures["bits_per_byte"] is None or figures["bits_per_byte"] > 8


def test_a_loss_that_is_not_finite_is_a_figure_and_not_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(Trainer, "_backward", lambda self, batch, *_: self.guard.loss(float("nan"), self.step, batch[0][0]))
    figures = language_model(SMALL, 1e-2, 0, tmp_path)
    assert figures["bits_per_byte"] is None and figures["steps"] == 12


def test_a_folder_with_another_run_gets_one_sentence(tmp_path):
    language_model(SMALL, 1e-2, 0, tmp_path)
    with pytest.raises(TrainError, match="holds a run of another configuration"):
        language_model(SMALL, 2e-2, 0, tmp_path)


def test_a_configuration_from_before_a_choice_existed_has_its_default():
    now = json.loads(json.dumps(configuration(SMALL, 1e-2, 0)))
    assert renewed(now) == configuration(SMALL, 1e-2, 0)
    before = json.loads(json.dumps(now))
    assert before["config"]["preset"].pop("carry") == 0
    assert renewed(before) == renewed(now) != before
    assert renewed({"corpus": "x", "format": 1}) == {"corpus": "x", "format": 1}


@pytest.mark.parametrize("settings", [dict(lr=1e-3), dict(seed=3)])
def test_settings_that_fix_what_is_searched_get_one_sentence(settings):
    with pytest.raises(TrainError, match=f"settings give {next(iter(settings))}: leave it out"):
        configure(settings, 1e-2, 0)


def test_arms_take_turns_and_more_work_takes_longer(monkeypatch):
    order, advance = [], Trainer.advance
    monkeypatch.setattr(Trainer, "advance", lambda self: order.append(self.config.preset.context) or advance(self))
    found = pace([SMALL | dict(context=16), SMALL | dict(context=160, steps=7, carry=2)])
    assert order[:4] == [16, 160, 16, 160] and [each.steps for each in found] == [12, 7]
    assert 0 < found[0].seconds < found[1].seconds
