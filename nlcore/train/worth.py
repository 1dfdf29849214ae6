"""What each level holds of a text: what the model loses on it without that level."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from nlcore.models import LanguageModel, without

AT_ONCE = 8
"""Texts in memory at once."""


@torch.no_grad()
def bits(model: LanguageModel, tokens: Tensor) -> Tensor:
    """Bits that the model needs for each token of (N, T) but the first, one reading from a fresh state: (N, T - 1)."""
    parts = [F.cross_entropy(model(part).logits[:, :-1].float().mT, part[:, 1:], reduction="none")
             for part in tokens.split(AT_ONCE)]
    return torch.cat(parts) / math.log(2)


def worth(model: LanguageModel, tokens: Tensor, levels: Sequence[str] | None = None) -> dict[str, Tensor]:
    """By level, fastest first: bits that each token costs more without it, (N, T - 1); below 0 it did harm.

    levels: those to do without; by default all that the model can do without.
    """
    names = levels or [level.name for level in model.levels() if level.name != "weights"]
    whole, found = bits(model, tokens), {}
    for name in names:
        with without(model, name):
            found[name] = bits(model, tokens) - whole
    return found
