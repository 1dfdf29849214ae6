"""MAD (Poli et al., 2024): compression, recall in three forms, selective copying, memorization, and their settings.

Definitions and settings are those of MAD-Lab's generators and task files (its commit 0f49a45).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from nlcore.tasks.mad_recall import FuzzyRecall, InContextRecall
from nlcore.tasks.recall import IGNORE, Asked


@dataclass(frozen=True)
class Compression(Asked):
    """Random tokens, and the vocabulary's last to end them; asked is the text itself, place by place.

    MAD-Lab decodes all places from what its model has at the last token: that plus a sinusoid of the place, by an
    MLP. The end, always the same, is asked for too.
    Raises ValueError for numbers of which no such text can be made.
    """

    vocabulary: int = 16
    length: int = 32

    def __post_init__(self) -> None:
        _check(self.vocabulary >= 2 and self.length >= 2, self, "give at least 2 of both")

    @property
    def chance(self) -> float:
        return ((self.length - 1) / (self.vocabulary - 1) + 1) / self.length

    def batch(self, size: int, generator: torch.Generator, training: bool = False) -> tuple[Tensor, Tensor]:
        """Tokens and targets, each (size, length)."""
        tokens = torch.randint(self.vocabulary - 1, (size, self.length), generator=generator)
        tokens[:, -1] = self.vocabulary - 1
        return tokens, tokens


@dataclass(frozen=True)
class SelectiveCopying(Asked):
    """Tokens among blanks, then the order to copy (the last token), then as many blanks: at each, the next token.

    Blanks are the last token but one. None lie behind the last token to copy, which stands before the order always.
    Raises ValueError for numbers of which no such text can be made.
    """

    vocabulary: int = 16
    length: int = 256
    copies: int = 16

    def __post_init__(self) -> None:
        possible = self.vocabulary >= 3 and 1 <= self.copies < self.length / 2 - 0.5
        _check(possible, self, "give 3 tokens or more, 1 or more to copy, and a length of more than twice that and 1")

    @property
    def chance(self) -> float:
        return 1 / (self.vocabulary - 2)

    def batch(self, size: int, generator: torch.Generator, training: bool = False) -> tuple[Tensor, Tensor]:
        """Tokens and targets, each (size, length)."""
        copied = torch.randint(self.vocabulary - 2, (size, self.copies), generator=generator)
        blanks = self.length - 2 * self.copies - 1
        before = torch.randint(self.copies, (size, blanks), generator=generator)  # which token a blank precedes
        places = torch.arange(self.copies) + (before[:, :, None] <= torch.arange(self.copies)).sum(1)
        tokens = torch.full((size, self.length), self.vocabulary - 2)
        tokens.scatter_(1, places, copied)
        tokens[:, -self.copies - 1] = self.vocabulary - 1
        targets = torch.full_like(tokens, IGNORE)
        targets[:, -self.copies :] = copied
        return tokens, targets


@dataclass(frozen=True)
class Memorization(Asked):
    """Keys, each before a token that stands for its value; pairs are the same in all texts, so only weights know them.

    Keys are the lower half of the vocabulary, values the upper, but for the last token, which asks; no two keys share
    a value. The seed is that of the pairs, in training and test the same.
    Raises ValueError for numbers of which no such text can be made.
    """

    vocabulary: int = 256
    length: int = 32
    seed: int = 12345

    def __post_init__(self) -> None:
        possible = self.vocabulary >= 3 and self.length >= 2 and self.length % 2 == 0
        _check(possible, self, "give at least 3 tokens, and an even length")

    @property
    def keys(self) -> int:
        return (self.vocabulary - 1) // 2

    @property
    def values(self) -> Tensor:
        """The value of each key, (keys,)."""
        generator = torch.Generator().manual_seed(self.seed)
        return self.keys + torch.randperm(self.vocabulary - 1 - self.keys, generator=generator)[: self.keys]

    @property
    def chance(self) -> float:
        return 1 / (self.vocabulary - 1 - self.keys)

    def shown(self, texts: int) -> float:
        """Share of keys that so many training texts show, on average; the values of the others cannot be known.

        MAD's 256 texts show all up to vocabulary 1024, then 0.98, 0.86 and, at 8192, 0.63: no score is 1.
        """
        return 1 - (1 - 1 / self.keys) ** (texts * self.length // 2)

    def batch(self, size: int, generator: torch.Generator, training: bool = False) -> tuple[Tensor, Tensor]:
        """Tokens and targets, each (size, length)."""
        keys = torch.randint(self.keys, (size, self.length // 2), generator=generator)
        tokens = torch.stack([keys, torch.full_like(keys, self.vocabulary - 1)], 2)
        return tokens.flatten(1), torch.stack([torch.full_like(keys, IGNORE), self.values[keys]], 2).flatten(1)


def _check(possible: bool, task: Asked, advice: str) -> None:
    if not possible:
        raise ValueError(f"{task} has no texts: {advice}")


SIZES, LENGTHS, TEXTS = (32, 64, 128), (256, 512, 1024), (12_800, 6400, 3200, 1600, 800)
TASKS = {
    "compression": (Compression(), {"vocabulary": SIZES, "length": (64, 128, 256)}),
    "in-context recall": (InContextRecall(), {"vocabulary": SIZES, "length": LENGTHS}),
    "fuzzy recall": (FuzzyRecall(), {"vocabulary": SIZES, "length": LENGTHS}),
    "noisy recall": (
        InContextRecall(32, 128, 16, 0.2),
        {"vocabulary": (48, 80, 144), "length": LENGTHS, "noise": (0.4, 0.6, 0.8)},
    ),
    "selective copying": (SelectiveCopying(), {"vocabulary": SIZES, "length": LENGTHS[1:], "copies": (32, 64, 96)}),
    "memorization": (Memorization(), {"vocabulary": (512, 1024, 2048, 4096, 8192)}),
}
"""MAD's baselines, and what is varied, one at a time."""


def settings(name: str) -> Iterator[tuple[Asked, int]]:
    """MAD's settings of one of TASKS (or ValueError), with their numbers of training texts; a score is their mean."""
    if name not in TASKS:
        raise ValueError(f"MAD has no task {name!r}: choose among {', '.join(TASKS)}")
    task, changes = TASKS[name]
    texts = (256,) if name == "memorization" else TEXTS
    yield from ((task, number) for number in texts)
    for field, values in changes.items():
        yield from ((replace(task, **{field: value}), texts[0]) for value in values)
