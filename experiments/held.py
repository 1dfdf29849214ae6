"""What does each level of Hope hold of a text, at size `tiny`?

    python -m experiments.held

A trained model reads a piece of unseen text, once after the same piece and once after another one, and does so again
without each of its levels. What a level is worth more after the same piece, it holds of that piece.
"""

from pathlib import Path
from typing import Any

import torch

from nlcore import tasks
from nlcore.models import LanguageModel
from nlcore.tasks.tokenizers import Tokenizer
from nlcore.train import load
from nlcore.train.worth import bits, worth

from experiments import language, rivals
from experiments.experiment import Arm, Experiment, main

PIECES, TOKENS = 256, 64
KINDS = ("first letter", "letter inside", "space, line end")


def run(settings: dict[str, Any], rate: float, seed: int, folder: Path) -> dict[str, Any]:
    """A run of `language_model`, and what its levels hold: see `held`."""
    figures = language.language_model(settings, rate, seed, folder)
    if figures["bits_per_byte"] is None:
        return figures
    return figures | held(*load(folder), language.configure(settings, rate, seed).data)


def configuration(settings: dict[str, Any], rate: float, seed: int) -> dict[str, Any]:
    """As a language model's, and what is read with it."""
    return language.configuration(settings, rate, seed) | {"pieces": PIECES, "tokens": TOKENS}


def held(model: LanguageModel, tokenizer: Tokenizer, data: str, pieces: int = PIECES) -> dict[str, Any]:
    """Bits per token of unseen pieces.

    kinds: by kind of byte, what one costs on average.
    same, another: by level, what is lost without it after the same piece and after another.
    gain, gain_error: by level, the difference of the two, and its standard error over pieces.
    memory_gain: of the level `memory`.
    """
    unseen = tasks.prepare(tasks.load(data), tokenizer).validation
    text = next(tasks.sequential(unseen, pieces, TOKENS, pieces))[0]
    cost = bits(model, text)
    lost = [
        {level: its[:, TOKENS:].mean(1) for level, its in worth(model, torch.cat([first, text], 1)).items()}
        for first in (text, text.roll(pieces // 3, 0))
    ]
    gain = {level: its - lost[1][level] for level, its in lost[0].items()}
    return {
        "kinds": {kind: cost[there].mean().item() for kind, there in kinds(text).items()},
        "same": {level: its.mean().item() for level, its in lost[0].items()},
        "another": {level: its.mean().item() for level, its in lost[1].items()},
        "gain": {level: its.mean().item() for level, its in gain.items()},
        "gain_error": {level: (its.std() / pieces**0.5).item() for level, its in gain.items()},
        "memory_gain": gain["memory"].mean().item(),
    }


def kinds(text: torch.Tensor) -> dict[str, torch.Tensor]:
    """Which of the bytes of (N, T) but the first of each piece are of which of KINDS."""
    letter = torch.tensor([chr(byte).isascii() and chr(byte).isalpha() for byte in range(256)])[text]
    now, before = letter[:, 1:], letter[:, :-1]
    blank = (text[:, 1:] == ord(" ")) | (text[:, 1:] == ord("\n"))
    return dict(zip(KINDS, (now & ~before, now & before, blank)))


EXPERIMENT = Experiment(
    name="held",
    question="What does each level of Hope hold of a text that was just read?",
    arms=(Arm("Hope", rivals.SIZE | dict(model="hope", heads=2, carry=15), 1.6),),
    rates=(2e-3, 4e-3, 8e-3),
    seeds=(0, 1, 2),
    run=run,
    configuration=configuration,
    columns={"bits_per_byte_eta_0": "eta 0", "memory_gain": "memory, more after the same"},
)

if __name__ == "__main__":
    main(EXPERIMENT)
