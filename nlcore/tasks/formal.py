"""Six formal languages, labelled after every symbol, with the windows, labels and score of Irie et al. (2023).

Their data are those of Bhattamishra et al. (2020), whose generators favour short strings and write only nested
brackets, none that cross as `([)]`. Here sizes are uniform in the window, and brackets cross too.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import comb

import torch
from torch import Tensor

from nlcore.tasks.recall import IGNORE


@dataclass(frozen=True)
class Rule:
    """`write` and `label` take sizes n (B, 1) and positions (T,); what they say behind a string's end is left out."""

    letters: str
    labels: tuple[str, ...]
    write: Callable[[Tensor, Tensor, torch.Generator], Tensor]
    label: Callable[[Tensor, Tensor, Tensor], Tensor]
    step: int = 1  # sizes are multiples of it
    symbols: int = 1  # of a string, for each 1 of its size
    words: Callable[[int], int] = lambda n: 1  # how many strings have size n


def _bits(n: Tensor, at: Tensor, generator: torch.Generator) -> Tensor:
    """Fair bits, but for the last, which makes the number of ones even: all strings are of the language."""
    bits = torch.randint(2, (len(n), len(at)), generator=generator)
    odd = (bits * (at < n - 1)).sum(1, keepdim=True) % 2
    return torch.where(at == n - 1, odd, bits)


def _brackets(n: Tensor, at: Tensor, generator: torch.Generator) -> Tensor:
    """A fair walk of two depths that comes home in time; a bracket closes any open one of its kind."""
    depth, rows, tokens = torch.zeros(len(n), 2, dtype=torch.long), torch.arange(len(n)), []
    for t in range(len(at)):
        coin, kind = torch.randint(2, (2, len(n)), generator=generator)
        opens = ((coin == 1) | (depth.sum(1) == 0)) & (depth.sum(1) < n[:, 0] - t)
        kind = torch.where(~opens & (depth[rows, kind] == 0), 1 - kind, kind)
        depth[rows, kind] += torch.where(opens, 1, -1)
        tokens.append(2 * kind + ~opens)
    return torch.stack(tokens, 1)


def _open(tokens: Tensor, n: Tensor, at: Tensor) -> Tensor:
    round_, square = (((tokens == k).long() - (tokens == k + 1).long()).cumsum(1) > 0 for k in (0, 2))
    return 2 * round_ + square


def _next(tokens: Tensor, n: Tensor, at: Tensor) -> Tensor:
    """What may come next in a^n b^n ...: behind an `a` that is `a` or `b`, at the end T."""
    return torch.where(at < n, 0, (at + 1) // n)


def _catalan(m: int) -> int:
    return comb(2 * m, m) // (m + 1)


NO_YES, DEPTHS = ("outside", "inside"), ("00", "01", "10", "11")
RULES = {
    "parity": Rule("01", NO_YES, _bits, lambda tokens, n, at: 1 - tokens.cumsum(1) % 2, words=lambda n: 2 ** (n - 1)),
    "(aa)*": Rule("a", NO_YES, lambda n, at, _: 0 * at, lambda _, n, at: at % 2, step=2),
    "(abab)*": Rule("ab", NO_YES, lambda n, at, _: at % 2, lambda _, n, at: (at % 4 == 3).long(), step=4),
    "a^n b^n": Rule("ab", ("a or b", "b", "T"), lambda n, at, _: at // n, _next, symbols=2),
    "a^n b^n c^n": Rule("abc", ("a or b", "b", "c", "T"), lambda n, at, _: at // n, _next, symbols=3),
    "shuffle-2": Rule("()[]", DEPTHS, _brackets, _open, 2, words=lambda n: _catalan(n // 2) * _catalan(n // 2 + 1)),
}
"""Parity: is the number of ones even? Shuffle-2: is the depth of round, of square brackets above 0?"""


def bins(width: int = 50) -> tuple[tuple[int, int], ...]:
    """Windows of training and bin 0, of bin 1, by which Irie et al. choose too, and of a third for after all choice."""
    return (2, width), (width + 1, 2 * width), (2 * width + 1, 3 * width)


@dataclass(frozen=True)
class Formal:
    """Strings of one of the RULES with sizes from low to high, padded to the longest in this window.

    A size is a number of symbols, but n for a^n b^n and a^n b^n c^n, whose strings are two and three times as long.
    Raises ValueError for another language, and for a window without a string.
    """

    language: str = "parity"
    low: int = 2
    high: int = 50

    def __post_init__(self) -> None:
        if self.language not in RULES:
            raise ValueError(f"there is no language {self.language!r}: choose among {', '.join(RULES)}")
        if self.low < 1 or not self.sizes:
            raise ValueError(f"{self.language} has no strings of sizes {self.low} to {self.high}: give another window")

    @property
    def rule(self) -> Rule:
        return RULES[self.language]

    @property
    def sizes(self) -> list[int]:
        return [n for n in range(self.low, self.high + 1) if n % self.rule.step == 0]

    @property
    def vocabulary(self) -> int:
        """Letters and, last, the padding; no fewer than there are labels, so a head of this size will do."""
        return len(self.rule.letters) + 1

    @property
    def distinct(self) -> int:
        """How many strings there are; (aa)* has 25 up to 50: what training shows all of, bin 0 cannot test."""
        return sum(self.rule.words(n) for n in self.sizes)

    def batch(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Tokens and labels, each (size, longest string); labels of the padding are IGNORE."""
        drawn = torch.randint(len(self.sizes), (size,), generator=generator)
        return self._strings(torch.tensor(self.sizes)[drawn], generator)

    def test(self, size: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """As `batch`; of a language with one string a size (all but parity and shuffle-2), each string once."""
        few = self.distinct == len(self.sizes)
        return self._strings(torch.tensor(self.sizes), generator) if few else self.batch(size, generator)

    def _strings(self, sizes: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        n, at = sizes[:, None], torch.arange(self.sizes[-1] * self.rule.symbols)
        tokens, inside = self.rule.write(n, at, generator), at < n * self.rule.symbols
        labels = self.rule.label(tokens, n, at)
        return torch.where(inside, tokens, len(self.rule.letters)), torch.where(inside, labels, IGNORE)

    def accuracy(self, logits: Tensor, labels: Tensor) -> float:
        """Share of strings with every label right, in [0, 1]. Logits (B, T, `vocabulary` or as many as labels)."""
        return ((logits.argmax(-1) == labels) | (labels == IGNORE)).all(1).float().mean().item()

    def positions(self, logits: Tensor, labels: Tensor) -> float:
        """Share of labels that are right, in [0, 1]."""
        return (logits.argmax(-1) == labels)[labels != IGNORE].float().mean().item()

    def chance(self, tokens: Tensor, labels: Tensor) -> tuple[float, float]:
        """`accuracy` and `positions` of the best reader of one symbol at a time, on these strings.

        In a^n b^n it has all labels but one right, and no string: positions say little, strings say it all.
        """
        seen, counts = labels != IGNORE, torch.zeros(self.vocabulary, self.vocabulary)
        counts.index_put_((tokens[seen], labels[seen]), torch.ones(()), accumulate=True)
        logits = torch.eye(self.vocabulary)[counts.argmax(1)][tokens]
        return self.accuracy(logits, labels), self.positions(logits, labels)
