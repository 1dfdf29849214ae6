"""What a model is worth: bits per byte on text it has not seen, with and without its memories, and a sample."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nlcore import probe
from nlcore.models import LanguageModel
from nlcore.tasks import sequential
from nlcore.tasks.shards import Stream
from nlcore.tasks.tokenizers import Tokenizer, text_of
from nlcore.train.device import Choice

PROMPT = 64
FRAGMENT = 256


@dataclass(frozen=True)
class Score:
    """Bits per byte over so many bytes of text."""

    bits_per_byte: float
    bytes: int


@dataclass(frozen=True)
class HeldOut:
    """The validation text and how it is cut into windows.

    Attributes:
        tokens: (N,).
        context: tokens of a window; each is read from a fresh state.
        batch: windows computed at once.
    """

    tokens: np.ndarray | Stream
    tokenizer: Tokenizer
    context: int
    batch: int

    def windows(self, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Inputs and targets of `count` windows spread evenly over the text: the same ones each time."""
        return sequential(self.tokens, self.batch, self.context, count)

    def pieces(self, count: int) -> Iterator[bytes]:
        """For each of those windows the bytes that it asks for, after the one byte before them."""
        for inputs, targets in self.windows(count):
            for first, row in zip(inputs[:, :1], targets):
                yield text_of(first.numpy(), self.tokenizer)[-1:] + text_of(row.numpy(), self.tokenizer)


@torch.no_grad()
def score(model: LanguageModel, held_out: HeldOut, windows: int, choice: Choice, beat: Callable[[], None]) -> Score:
    """Bits per byte on `windows` windows; `beat` is called after each batch."""
    nats = size = 0
    for inputs, targets in held_out.windows(windows):
        with choice.autocast():
            logits = model(inputs.to(choice.device)).logits
        nats += F.cross_entropy(logits.float().mT, targets.to(choice.device), reduction="sum").item()
        size += sum(len(text_of(row.numpy(), held_out.tokenizer)) for row in targets)
        beat()
    return Score(nats / math.log(2) / size, size)


def sample(model: LanguageModel, held_out: HeldOut, length: int, choice: Choice, seed: int) -> tuple[str, str]:
    """A prompt from the validation text, and `length` tokens that the model puts after it."""
    generator = torch.Generator(choice.device).manual_seed(seed)
    inputs, _ = next(held_out.windows(1))
    prompt = inputs[:1, :PROMPT].to(choice.device)
    with choice.autocast():
        made = model.generate(prompt, length, generator=generator)[0].cpu().numpy()
    cut = prompt.shape[1]
    return held_out.tokenizer.decode(made[:cut]), held_out.tokenizer.decode(made[cut:])


@torch.no_grad()
def written(model: LanguageModel, tokens: Tensor) -> dict[str, dict[str, Tensor]]:
    """What the memories report as they read (N, T) tokens, by block: see `WriteLog.report`; {} without memories."""
    with probe.listen():
        return {block: report for block, report in model(tokens).reports.items() if "surprise" in report}


def felt(model: LanguageModel, tokens: Tensor) -> dict[str, Tensor]:
    """What the memories felt at each token of (N, T): surprise, eta and alpha, (N, T), the mean over blocks; {} without."""
    reports = list(written(model, tokens).values())
    names = ("surprise", "eta", "alpha") if reports else ()
    return {name: torch.stack([report[name] for report in reports]).mean(0) for name in names}


def surprise(model: LanguageModel, held_out: HeldOut, choice: Choice) -> dict | None:
    """What the memories felt at each of a fragment's tokens: a record for surprise.jsonl; None without memories.

    `tokens` are strings; `surprise`, `eta` and `alpha` have a number a token.
    """
    inputs, _ = next(held_out.windows(1))
    fragment = inputs[:1, :FRAGMENT]
    with choice.autocast():
        found = felt(model, fragment.to(choice.device))
    if not found:
        return None
    figures = {name: [round(x, 5) for x in values[0].tolist()] for name, values in found.items()}
    return {"tokens": [held_out.tokenizer.decode([token]) for token in fragment[0].tolist()]} | figures
