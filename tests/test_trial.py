"""A trial measures real steps in a process of its own, and says no in one sentence."""

import pytest

from nlcore import sizing, trial
from nlcore.models import build, parameter_count
from nlcore.train import TrainError, configure
from nlcore.train.device import choose
from tests.train.small import small


def test_a_trial_measures_the_config_it_was_given():
    config = small(steps=1000)
    found = trial.measure(config)
    assert found.parameters == parameter_count(build("hope", config.preset, config.preset.vocabulary))
    assert found.config == config  # all of it fits, so nothing was changed
    assert 0 < found.step_seconds < 30 and found.hours == pytest.approx(found.step_seconds / 3.6)
    assert found.peak_bytes > 100e6  # a process with torch in it
    assert f"{found.parameters:,} parameters, on cpu" in str(found)


def test_a_micro_batch_is_counted_as_often_as_it_is_needed(monkeypatch):
    clock = iter(range(1000))
    monkeypatch.setattr(trial.time, "perf_counter", lambda: next(clock))
    choice = choose("cpu", "float32")
    whole = trial.run(small(batch=4), choice)["step_seconds"]
    parts = trial.run(small(batch=4, micro_batch=1), choice)["step_seconds"]
    assert (whole, parts) == (2, 5)  # a pass and a step take one tick each


def test_what_does_not_fit_is_one_sentence(monkeypatch):
    monkeypatch.setattr(sizing, "free_memory", lambda where: 2 * sizing.GIB)
    with pytest.raises(TrainError, match="1.3b needs about .* GiB and 2.0 are free"):
        trial.measure(configure("1.3b"))


def test_a_batch_that_does_not_fit_at_once_is_cut(monkeypatch):
    config = configure("laptop")
    monkeypatch.setattr(sizing, "free_memory", lambda where: sizing.bytes_needed(config.preset, 4) + 1)
    asked = []

    def answer(command, input, **more):
        asked.append(input)
        return type("Done", (), {"returncode": 0, "stdout": '{"parameters": 1, "step_seconds": 2.0, "peak_bytes": 3}'})

    monkeypatch.setattr(trial.subprocess, "run", answer)
    found = trial.measure(config)
    assert found.config.micro_batch == 4 and '"micro_batch": 4' in asked[0]
    assert "4 of 16 sequences at once" in str(found)


def test_a_trial_that_takes_too_long_is_one_sentence(monkeypatch):
    monkeypatch.setattr(trial, "SECONDS", 0.01)
    with pytest.raises(TrainError, match="take over 0 s here"):
        trial.measure(small())


def test_a_trial_that_fails_says_why(monkeypatch):
    failed = type("Done", (), {"returncode": 1, "stderr": "Traceback\n  ...\nRuntimeError: no kernel image\n"})
    monkeypatch.setattr(trial.subprocess, "run", lambda command, **more: failed)
    with pytest.raises(TrainError, match="The trial of tiny failed: RuntimeError: no kernel image"):
        trial.measure(small())


def test_a_trial_that_the_system_ends_is_one_sentence(monkeypatch):
    killed = type("Done", (), {"returncode": -9, "stderr": ""})
    monkeypatch.setattr(trial.subprocess, "run", lambda command, **more: killed)
    with pytest.raises(TrainError, match="The trial of tiny failed: its process ended with code -9"):
        trial.measure(small())
