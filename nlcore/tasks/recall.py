"""Multi-query recall (after Arora et al., 2023): key-value pairs, a gap, then the keys again in another order."""

from dataclasses import dataclass

import torch
from torch import Tensor

IGNORE = -100
"""Target of positions that are not asked about; `cross_entropy` skips it."""


class Asked:
    """Scores of a task that asks at some positions only: logits (B, T, vocabulary), targets (B, T) with IGNORE."""

    def accuracy(self, logits: Tensor, targets: Tensor) -> float:
        """Share of questions answered right, in [0, 1]."""
        asked = targets != IGNORE
        return (logits.argmax(-1)[asked] == targets[asked]).float().mean().item()

    def balanced(self, logits: Tensor, targets: Tensor) -> float:
        """The mean over tokens of the share of questions got right whose answer it is; 0 for one that is only guessed.

        This is MAD-Lab's accuracy, taken for each batch of 128 texts; it reports the mean over batches.
        """
        asked = targets != IGNORE
        given, right = logits.argmax(-1)[asked], targets[asked]
        parts = (right[given == right], right, given)
        hits, due, guesses = (part.bincount(minlength=logits.shape[-1]) for part in parts)
        return (hits / due.clamp(min=1))[due + guesses > 0].mean().item()


@dataclass(frozen=True)
class Recall(Asked):
    """Sequences `k1 v1 ... kn vn, filler, k v, k v, ...`; the model answers at each repeated key.

    Keys are tokens 0..symbols-1, values the next `symbols`, the filler is the last
    token. Pairs are drawn afresh for every sequence, so weights alone give chance,
    1 / symbols, and only what a memory wrote in context gives more.

    Attributes:
        pairs: how many pairs to store.
        symbols: how many different keys, and how many different values.
        gap: filler tokens between pairs and questions; at least a chunk makes the
            answer cross a chunk's boundary; 0 for none.

    Raises ValueError for numbers of which no such text can be made.
    """

    pairs: int = 6
    symbols: int = 16
    gap: int = 16

    def __post_init__(self) -> None:
        if not 1 <= self.pairs <= self.symbols:
            raise ValueError(
                f"{self.pairs} pairs of {self.symbols} symbols: give at least 1, and no more than there are keys"
            )
        if self.gap < 0:
            raise ValueError(f"the gap is {self.gap} tokens: give 0 or more")

    @property
    def vocabulary(self) -> int:
        return 2 * self.symbols + 1

    def batch(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Tokens and targets, each (size, 4 * pairs + gap); targets are IGNORE but at questions."""

        def draw(among: int) -> Tensor:  # `pairs` different numbers for each sequence, in random order
            return torch.rand(size, among, generator=generator).argsort(1)[:, : self.pairs]

        keys, values = draw(self.symbols), draw(self.symbols) + self.symbols
        order = draw(self.pairs)
        asked, answers = keys.gather(1, order), values.gather(1, order)
        filler = torch.full((size, self.gap), 2 * self.symbols)
        stored = torch.stack([keys, values], 2).flatten(1)
        questions = torch.stack([asked, answers], 2).flatten(1)
        targets = torch.full((size, 2 * self.pairs + self.gap), IGNORE)
        asked_for = torch.stack([answers, torch.full_like(answers, IGNORE)], 2).flatten(1)
        return torch.cat([stored, filler, questions], 1), torch.cat([targets, asked_for], 1)
