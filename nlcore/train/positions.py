"""Bits per byte against the position in a long text: does a model that reads on go on to profit?"""

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from nlcore.models import LanguageModel
from nlcore.tasks import sequential
from nlcore.train.device import Choice
from nlcore.train.evaluate import HeldOut, text_of

Reading = Callable[[LanguageModel, Tensor, int], Iterator[Tensor]]
"""How a text (B, pieces * context) is read with a model: the logits (B, context, vocabulary) of each piece."""


def reading_on(model: LanguageModel, tokens: Tensor, context: int) -> Iterator[Tensor]:
    """Each piece from the state that the piece before left."""
    state = None
    for piece in tokens.split(context, dim=1):
        logits, state, _ = model(piece, state)
        yield logits


def afresh(model: LanguageModel, tokens: Tensor, context: int) -> Iterator[Tensor]:
    """Each piece from a fresh state, as in training without `carry`: what reading on is compared with."""
    for piece in tokens.split(context, dim=1):
        yield model(piece).logits


def through_a_window(model: LanguageModel, tokens: Tensor, context: int) -> Iterator[Tensor]:
    """Each token from at most `context` of the text, as a Transformer is used that was trained with so many.

    Windows overlap by half, and only the later half of each is taken, but for the first, which is taken whole: after
    it, every token has at least half a window before it.
    """
    before = context // 2
    for start in range(0, tokens.shape[1], context):
        whole = model(tokens[:, start : start + context]).logits
        if start == 0:
            yield whole
        else:
            earlier = model(tokens[:, start - before : start - before + context]).logits
            yield torch.cat([earlier[:, before:], whole[:, context - before :]], dim=1)


@torch.no_grad()
def by_position(
    model: LanguageModel,
    held_out: HeldOut,
    reading: Reading,
    stretches: int,
    pieces: int,
    choice: Choice,
    beat: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """Bits per byte of each piece of one context, in `stretches` of `pieces` contexts: (stretches, pieces) float64.

    The stretches are spread evenly over the held-out text, the same ones each time, and each is read from its own
    beginning; a shorter text has fewer. `beat` is called after each batch. Raises DataError for a text shorter than one.
    """
    context, found = held_out.context, []
    for inputs, targets in sequential(held_out.tokens, held_out.batch, pieces * context, stretches):
        if inputs.shape[1] < pieces * context:  # the text's rest
            continue
        asked, rows = targets.split(context, dim=1), []
        with choice.autocast():
            for logits, target in zip(reading(model, inputs.to(choice.device), context), asked, strict=True):
                nats = F.cross_entropy(logits.float().mT, target.to(choice.device), reduction="none").sum(1)
                size = [len(text_of(row.numpy(), held_out.tokenizer)) for row in target]
                rows.append(nats.cpu().double().numpy() / math.log(2) / size)
        found.append(np.stack(rows, axis=1))
        beat()
    return np.concatenate(found)
