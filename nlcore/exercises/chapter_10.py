"""Checks for the exercises of notebook 10. Each one returns a sentence, and never raises."""

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from nlcore import train
from nlcore.exercises.checking import RIGHT, compare, compare_names, never_raises
from nlcore.layers import SelfModifyingTitans
from nlcore.models import LanguageModel, frozen_memories

DIM, CHUNK = 8, 4
"""Of the suspects: the width of a token, and how many there are between two writes."""


def _heard(T: int, C: int, reads: str) -> Tensor:
    """(T, T) booleans: whether output t hears token s, the first of each being 0."""
    t, s = torch.arange(T)[:, None], torch.arange(T)
    if reads == "boundary":
        return (s < t // C * C) | (s == t)
    return s <= t


@never_raises
def check_heard(heard: Callable[[int, int, str], Sequence[Sequence[bool]]]) -> str:
    """Checks `heard(T, C, reads)`: [t][s], whether output t hears token s; reads is "boundary", "before" or "after"."""
    for setting in ((10, 4, "boundary"), (3, 4, "boundary"), (9, 4, "before"), (9, 4, "after")):
        found = heard(*setting)
        if found is None:
            return "It returns nothing yet."
        T, C, reads = setting
        t, s = torch.arange(T)[:, None], torch.arange(T)
        mistakes = {
            "Each output hears its own token, which makes its query, whatever the memory says.": _heard(*setting) & (s != t),
            "Tokens of the chunk that is still open are not written yet, and so are not heard where the chunk began.": s <= t,
            "This is the future: an output can hear no token that comes after it.": _heard(*setting) | (s // C == t // C),
            "It is the other way about: [t][s] is whether output t hears token s.": _heard(*setting).T,
            "With reads inside a chunk every earlier token is heard, those of the open chunk too.": (s < t // C * C) | (s == t),
        }
        verdict = compare(torch.as_tensor(found, dtype=torch.float32), _heard(*setting).float(),
                          {why: wrong.float() for why, wrong in mistakes.items()})  # fmt: skip
        if verdict != RIGHT:
            return f"For T = {T}, C = {C} and reads {reads!r}: {verdict}"
    return RIGHT


@cache
def _layer() -> SelfModifyingTitans:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        layer = SelfModifyingTitans(DIM, 1, 4, (CHUNK, CHUNK)).double()
        layer.convolution.data.copy_(torch.eye(4)[3].expand_as(layer.convolution))  # no look at earlier tokens
    return layer.requires_grad_(False)


def _chunks(x: Tensor, leak: bool = False, mix: bool = False) -> Tensor:
    """The layer on (B, T, DIM), chunk by chunk; leak: each chunk is read after it was written; mix: one memory for all texts."""
    layer, state, found = _layer(), None, []
    for part in x.split(CHUNK, dim=1):
        before, state = state, layer(part, state)[1]
        if mix:
            mean = tuple(w.mean(0, keepdim=True).expand_as(w) for w in state.memory.memory)
            state = state._replace(memory=state.memory._replace(memory=mean))
        found.append(layer(part, state if leak and part.shape[1] == CHUNK else before)[0])
    return torch.cat(found, dim=1)


def _suspect(x: Tensor, kind: str) -> Tensor:
    x = torch.as_tensor(x, dtype=torch.float64)
    if x.dim() != 3 or x.shape[-1] != DIM or 0 in x.shape:
        raise ValueError(f"the input has the shape {tuple(x.shape)}: give (texts, tokens, {DIM})")
    if kind == "deaf":
        return torch.cat([_layer()(part)[0] for part in x.split(1, dim=1)], dim=1)
    return _chunks(x, leak=kind == "leaks", mix=kind == "mixes")


_KINDS = {"A": "mixes", "B": "deaf", "C": "sound", "D": "leaks"}
SUSPECTS: dict[str, Callable[[Tensor], Tensor]] = {
    name: lambda x, kind=kind: _suspect(x, kind) for name, kind in _KINDS.items()
}
"""Four layers, (texts, tokens, DIM) in and out, with chunks of CHUNK tokens."""


@never_raises
def check_suspects(answer: Mapping[str, str]) -> str:
    """Checks which of `SUSPECTS` "leaks", is "deaf", "mixes" or is "sound": a dict from "A" to "D"."""
    hints = {
        "A": "Give it two texts, and change the second: does anything happen to the first?",
        "B": "Change the first token: does any later output move?",
        "C": "Nothing is wrong with it: it hears whole chunks of its own past, and nothing else.",
        "D": "Change the last token of a chunk: does an output before it move?",
    }
    return compare_names(answer, _KINDS, hints)


PASSAGE = b"""
    def __init__(self, name, value=None):
        self.name = name
        self.value = value
        self.items = []

    def append(self, item):
        self.items.append(item)
"""
"""What is read after the reader's text."""
MOST, HARM = 1024, 0.25
"""Bytes of a text that count, and what it has to do, in bits per byte."""


@cache
def _model() -> LanguageModel:
    return train.load("tiny-hope")[0]


@torch.no_grad()
def harm(text: str) -> float | str:
    """Bits per byte, to four digits, that PASSAGE costs more after this text than if nothing were written; below 0, it helps.

    The last whole chunks of at most MOST bytes are read; of anything that is no text of one chunk, a sentence.
    """
    if not isinstance(text, str):
        return "It returns nothing yet." if text is None else "Return a text."
    model = _model()
    size = model.blocks[0].mixer.chunks[1]
    content = text.encode()[-MOST:]
    content = content[len(content) % size :]
    if not content:
        return f"The text is shorter than a chunk of {size} bytes, so that nothing is written: make it longer."
    both = torch.tensor([list(content + PASSAGE)])

    def cost() -> float:
        logits = model(both).logits[0, len(content) : -1]
        return F.cross_entropy(logits, both[0, len(content) + 1 :]).item() / math.log(2)

    written = cost()
    with frozen_memories(model):
        return round(written - cost(), 4)


@never_raises
def check_harm(text: str) -> str:
    """Checks a text: after it, PASSAGE has to cost at least HARM bits per byte more than if nothing were written."""
    found = harm(text)
    if isinstance(found, str):
        return found
    if found <= 0:
        return f"After this text the passage costs {-found:.2f} bits per byte less: it prepares for it. What would mislead?"
    if found < HARM:
        return f"It costs {found:.2f} bits per byte more, and {HARM} are wanted: mislead it for longer, or more strongly."
    return RIGHT


@never_raises
def check_outgrown(outgrown: Callable[[int, int, int, bool], int]) -> str:
    """Checks `outgrown(dim, hidden, memories, momentum)`: the first number of tokens with more numbers in attention."""
    settings = [(128, 16, 5, False), (64, 16, 6, True)]
    answers = [outgrown(*setting) for setting in settings]
    if any(one is None for one in answers):
        return "It returns nothing yet."

    def table(of: Callable[[int, int, int, bool], float]) -> Tensor:
        return torch.tensor([float(of(*setting)) for setting in settings])

    mistakes = {
        "That is where both hold as many: one token more is the first at which attention holds more.":
            table(lambda d, h, n, m: n * h * (1 + m)),
        "Momentum is carried too, and is as large as what it moves.": table(lambda d, h, n, m: n * h + 1),
        "A memory has two matrices, of hidden times width each.": table(lambda d, h, n, m: n * h * (1 + m) / 2 + 1),
        "A token leaves a key and a value: two vectors as wide as the model.": table(lambda d, h, n, m: 2 * n * h * (1 + m) + 1),
        "That is how many numbers the memories have: how many tokens have as many?": table(lambda d, h, n, m: 2 * n * h * d * (1 + m)),
        "All memories count, not the main one alone.": table(lambda d, h, n, m: h * (1 + m) + 1),
    }  # fmt: skip
    return compare(torch.tensor([float(one) for one in answers]), table(lambda d, h, n, m: n * h * (1 + m) + 1), mistakes)
