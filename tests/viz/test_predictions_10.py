"""The predictions of chapter 10: each answer is what is computed, never what was typed."""

import torch

from nlcore import train
from nlcore.exercises.chapter_10 import PASSAGE
from nlcore.models import frozen_memories
from nlcore.train.worth import bits
from nlcore.viz.explorers.who_hears import FAINTEST, who_hears
from nlcore.viz.prediction import Tick
from nlcore.viz.predictions import find


def right(key: str) -> str:
    """The option that is said to be right."""
    asked = find(key)
    assert isinstance(asked, Tick)
    return asked.right


def test_10_hears():
    explorer = who_hears()
    heard = explorer.compute(**explorer.values(explorer.first))
    outputs = (heard.change[:, 10] > FAINTEST).nonzero()[0] + 1
    assert (heard.reads, heard.chunk, outputs[0], f"output {outputs[1]}") == ("boundary", 8, 11, right("10-hears"))


def test_10_short():
    model, _ = train.load("tiny-hope")
    text = torch.tensor([list(PASSAGE[:40])])
    with frozen_memories(model):
        silent = bits(model, text)
    assert torch.equal(silent, bits(model, text)) and right("10-short") == "not at all"


@torch.no_grad()
def test_10_swap():
    model, _ = train.load("tiny-hope")
    english = (
        "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, it was "
        "the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of Darkness. "
    ) * 4
    states = [model(torch.tensor([list(text)])).state for text in (PASSAGE * 4, english.encode())]
    fresh = [block.mixer.start(1) for block in model.blocks]
    following = torch.tensor([list(PASSAGE[:64])])

    def cost(memories):
        state = tuple(own._replace(memory=other.memory, position=0, open=new.open) for own, other, new in zip(states[0], memories, fresh))
        logits = model(following, state).logits[0, :-1]
        return torch.nn.functional.cross_entropy(logits, following[0, 1:]).item()

    own, nothing, swapped = cost(states[0]), cost(fresh), cost(states[1])
    assert own < nothing < swapped and right("10-swap") == "more"


def test_10_names():
    model, _ = train.load("tiny-hope")
    names = [one + two for one in ("kazo", "meti", "bupa", "lorin") for two in ("dofe", "ruvi", "gosa", "nepu")]

    def cost(told, asked):
        """Bits of each letter of the asked name: told three times, and due 64 bytes later."""
        said = b"".join(f"    {told} = self.{told}\n".encode() for _ in range(3))
        text = PASSAGE[:128] + said + PASSAGE[-64:] + f"    x = self.{asked}".encode()
        return bits(model, torch.tensor([list(text)]))[0, -len(asked) :].mean().item()

    gains = [cost(other, name) - cost(name, name) for name, other in zip(names, names[5:] + names[:5])]
    assert abs(sum(gains) / len(gains)) < 0.2 and right("10-names") == "by nothing that could be measured"
