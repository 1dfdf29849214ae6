"""One run of a language model, trained as `python -m nlcore.train` trains it."""

from contextlib import redirect_stdout
from functools import lru_cache
from pathlib import Path
from typing import Any

from nlcore import tasks, train
from nlcore.train import TrainConfig, TrainError
from nlcore.train.config_file import FORMAT, read_config
from nlcore.train.finite import NonFinite
from nlcore.train.folder import RunFolder
from nlcore.train.status import read_status

from experiments import baselines

FIGURES = ("bits_per_byte", "bits_per_byte_eta_0", "steps", "seconds", "tokens_per_second", "parameters")
SELDOM = 10**9
"""A validation every so many steps: none before the end."""


def configure(settings: dict[str, Any], rate: float, seed: int) -> TrainConfig:
    """The config of a run on the CPU, which reports, validates and saves so seldom that it costs nothing.

    Raises TrainError as `nlcore.train.configure` does, or if the settings fix the rate or the seed.
    """
    baselines.register()
    for name in {"lr", "seed"} & settings.keys():
        raise TrainError(f"An arm's settings give {name}: leave it out, because the experiment chooses it.")
    quiet = dict(report_every=100, validate_every=SELDOM, checkpoint_every=100, keep=1, device="cpu")
    return train.configure("tiny", **quiet | settings, lr=rate, seed=seed)


def configuration(settings: dict[str, Any], rate: float, seed: int) -> dict[str, Any]:
    """All that decides a run: its config, the format, which says how such a config trains, and the hash of the text."""
    config = configure(settings, rate, seed)
    return {"corpus": _hash(config.data), "format": FORMAT, "config": config.as_json()}


def renewed(stored: dict[str, Any]) -> dict[str, Any]:
    """A stored configuration with the choices that did not exist then, at their defaults. What is no config stays."""
    try:
        return stored | {"config": TrainConfig.from_json(stored["config"]).as_json()}
    except (KeyError, TrainError):
        return stored


@lru_cache
def _hash(data: str) -> str:
    return tasks.load(data).hash


def language_model(settings: dict[str, Any], rate: float, seed: int, folder: Path) -> dict[str, Any]:
    """Trains `configure(settings, rate, seed)` in this process and in this run folder, and says what came of it.

    A run that was stopped or killed there goes on from its checkpoint; one that is done is not trained again. The
    last checkpoint stays, so that `nlcore.train.load(folder)` has the model. The terminal shows nothing: `log.txt`
    in the folder does.

    Returns FIGURES, as in a run's result (bits_per_byte_eta_0 is None for models without memories), and `corpus`, the
    hash of the text. Where a number stopped being finite, the figures that then make no sense are None.

    Raises TrainError for settings that make no run, for a folder that holds another one, or as `train` does, and
    KeyboardInterrupt if a signal ended the run.
    """
    config, run = configure(settings, rate, seed), RunFolder(folder)
    with redirect_stdout(None):
        if not run.is_ours():
            train.new(config, folder)
        elif read_config(run)[0] != config:
            raise TrainError(f"{folder} holds a run of another configuration: remove it, or name another folder.")
        status = read_status(run)
        if status.get("state") != "done":
            try:
                status = train.train(run)
            except NonFinite:
                return dict.fromkeys(FIGURES) | {"steps": config.preset.steps, "corpus": _hash(config.data)}
    if status["state"] != "done":
        raise KeyboardInterrupt
    return {name: status["result"][name] for name in FIGURES} | {"corpus": read_config(run)[1]["corpus"]["hash"]}
