"""A model trained at one chunk size: what does it lose at all others?

    python -m experiments.chunk_sizes

The chunk size is no parameter, so a trained model can be read at any. But training chose keys and rates for gradients of
one staleness, and for memories that a token meets after so many others; the figures say how far that carries.
"""

from pathlib import Path
from typing import Any

from nlcore import tasks
from nlcore.layers import SelfModifyingTitans
from nlcore.models import LanguageModel
from nlcore.tasks.tokenizers import Tokenizer
from nlcore.train import device, load
from nlcore.train.evaluate import HeldOut, score

from experiments import language
from experiments.experiment import Arm, Experiment, main

SIZE = dict(
    dim=64, depth=1, heads=2, hidden=16, narrow_rates=True, projections_share=0.1, reads="boundary", periods=(1,),
    context=256, batch=4, steps=300, carry=0,
)  # fmt: skip
"""What all arms share, whatever `tiny` is when this is read."""
CHUNKS = (1, 2, 4, 8, 16, 32, 64, 128, 256)
"""At which each model is read; at 256, a whole window, no token ever meets a written memory."""
WINDOWS = 32
"""Of held-out text, of one context each."""


def run(settings: dict[str, Any], rate: float, seed: int, folder: Path) -> dict[str, Any]:
    """A run of `language_model`, and `read_at`: its bits per byte at each of CHUNKS, all memories with that chunk."""
    figures = language.language_model(settings, rate, seed, folder)
    if figures["bits_per_byte"] is None:
        return figures
    config = language.configure(settings, rate, seed)
    return figures | {"read_at": read_at(*load(folder), config.data, config.preset.context)}


def configuration(settings: dict[str, Any], rate: float, seed: int) -> dict[str, Any]:
    """As a language model's, and at which chunk sizes it is read."""
    return language.configuration(settings, rate, seed) | {"chunks": CHUNKS, "windows": WINDOWS}


def read_at(model: LanguageModel, tokenizer: Tokenizer, data: str, context: int) -> list[float]:
    """Bits per byte of the same held-out windows at each of CHUNKS. The model is left at the last of them."""
    tokens = tasks.prepare(tasks.load(data), tokenizer).validation
    held_out = HeldOut(tokens, tokenizer, context, batch=WINDOWS)
    layers = [layer for layer in model.modules() if isinstance(layer, SelfModifyingTitans)]
    found = []
    for chunk in CHUNKS:
        for layer in layers:
            layer.chunks = (chunk, chunk)
        found.append(score(model, held_out, WINDOWS, device.choose("cpu", "auto"), lambda: None).bits_per_byte)
    return found


def arm(chunk: int, minutes: float) -> Arm:
    return Arm(f"trained at {chunk}", SIZE | dict(chunks=(chunk, chunk)), minutes)


EXPERIMENT = Experiment(
    name="chunk_sizes",
    question="A model trained at one chunk size: what does it lose at all others?",
    arms=(arm(64, 0.4), arm(16, 0.6), arm(4, 1.2)),
    rates=(8e-3, 1.6e-2, 3.2e-2),
    seeds=(0, 1, 2),
    run=run,
    configuration=configuration,
    columns={"bits_per_byte_eta_0": "eta 0"},
)

if __name__ == "__main__":
    main(EXPERIMENT)
