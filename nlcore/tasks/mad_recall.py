"""MAD's recall (Poli et al., 2024): in context, noisy and fuzzy, as MAD-Lab's generators define them (its 0f49a45).

Training asks for every next token, a test only for the values of keys that came before. Two things differ, so that
every question can be answered: a text's pair that is never noise lies within it (there it can lie behind the end),
and the fuzzy text holds the pair that its end asks for (there one of 43 tests does not, at length 128).
"""

from dataclasses import dataclass
from random import Random

import torch
import torch.nn.functional as F
from torch import Tensor

from nlcore.tasks.recall import IGNORE, Asked


@dataclass(frozen=True)
class InContextRecall(Asked):
    """Keys and values in turn, `k v k v ...`; a key that came before has its value again, and that is asked for.

    Keys are the lower half of the vocabulary without noise, values the upper; two keys may share a value, and each
    text draws its own. The last key always came before.

    Attributes:
        vocabulary: all tokens, those of the noise included.
        length: tokens of all pairs; a text has one fewer, because nothing follows the last value.
        noise_vocabulary: tokens, the highest, that only noise uses.
        noise: share of the pairs that two tokens of noise replace.

    Raises ValueError for numbers of which no such text can be made.
    """

    vocabulary: int = 16
    length: int = 128
    noise_vocabulary: int = 0
    noise: float = 0.0

    def __post_init__(self) -> None:
        if self.length % 2 or self.length < 4:
            raise ValueError(f"{self.length} tokens are not two pairs or more: give an even length of at least 4")
        if self.vocabulary - self.noise_vocabulary < 2 or self.noise_vocabulary < 0:
            raise ValueError(f"{self.noise_vocabulary} of {self.vocabulary} tokens are noise: leave a key and a value")
        if not 0 <= self.noise < 1 or (self.noise and not self.noise_vocabulary):
            raise ValueError(f"a share of {self.noise} is noise: give 0 to below 1, and tokens of noise for it")

    @property
    def keys(self) -> int:
        return (self.vocabulary - self.noise_vocabulary) // 2

    @property
    def chance(self) -> float:
        """Accuracy of a guess among all values."""
        return 1 / (self.vocabulary - self.noise_vocabulary - self.keys)

    def batch(self, size: int, generator: torch.Generator, training: bool = False) -> tuple[Tensor, Tensor]:
        """Tokens and targets, each (size, length - 1)."""
        pairs, used = self.length // 2, self.vocabulary - self.noise_vocabulary
        keys = torch.randint(self.keys, (size, pairs), generator=generator)
        noisy = torch.rand(size, pairs, generator=generator) < self.noise
        noisy.scatter_(1, torch.randint(pairs - 1, (size, 1), generator=generator), False)
        noisy[:, -1] = False
        shown = F.one_hot(keys, self.keys) * ~noisy[:, :, None]
        came = shown[:, :-1].sum(1).clamp(max=1)
        keys[:, -1:] = torch.multinomial(came.float(), 1, generator=generator)
        values = torch.randint(self.keys, used, (size, self.keys), generator=generator).gather(1, keys)
        before = (shown.cumsum(1) - shown).gather(2, keys[:, :, None])[:, :, 0] > 0
        tokens = torch.stack([keys, values], 2).flatten(1)
        if self.noise:
            other = torch.randint(used, self.vocabulary, tokens.shape, generator=generator)
            tokens = torch.where(noisy.repeat_interleave(2, 1), other, tokens)
        targets = torch.where(before & ~noisy, values, IGNORE)
        asked = torch.stack([targets, torch.full_like(targets, IGNORE)], 2).flatten(1)[:, :-1]
        return tokens[:, :-1], tokens[:, 1:] if training else asked


@dataclass(frozen=True)
class FuzzyRecall(Asked):
    """In-context recall whose keys and values are of one to `key` and to `value` different tokens each.

    Keys use the lower half of the vocabulary, values the upper, and the last token pads on the left. In a test all
    keys have the largest size, so that they seldom come again: hardly more than the last is asked for.

    Raises ValueError for numbers of which no such text can be made.
    """

    vocabulary: int = 16
    length: int = 128
    key: int = 3
    value: int = 3

    def __post_init__(self) -> None:
        if not (1 <= self.key <= self.keys and 1 <= self.value <= self.vocabulary - 1 - self.keys):
            raise ValueError(
                f"keys of {self.key} and values of {self.value} tokens do not fit a vocabulary of {self.vocabulary}:"
                " give at least 1, and no more than half of it"
            )
        if self.length < (least := 3 * (self.key + self.value)):
            raise ValueError(f"a length of {self.length} is short: give room for three pairs, {least}")

    @property
    def keys(self) -> int:
        return (self.vocabulary - 1) // 2

    @property
    def chance(self) -> float:
        """Accuracy of a guess at the first token of a value; the others are different ones, and easier."""
        return 1 / (self.vocabulary - 1 - self.keys)

    def batch(self, size: int, generator: torch.Generator, training: bool = False) -> tuple[Tensor, Tensor]:
        """Tokens and targets, each (size, length)."""
        draw = Random(int(torch.randint(2**62, (), generator=generator)))
        texts = [self._text(draw, training) for _ in range(size)]
        tokens, asked = (torch.tensor(part) for part in zip(*texts))
        return tokens[:, :-1], tokens[:, 1:] if training else asked[:, 1:]

    def _text(self, draw: Random, training: bool) -> tuple[list[int], list[int]]:
        def key() -> tuple[int, ...]:
            return tuple(draw.sample(range(self.keys), draw.randint(1, self.key) if training else self.key))

        def value() -> list[int]:
            return draw.sample(range(self.keys, self.vocabulary - 1), draw.randint(1, self.value))

        probe = key()
        values, seen, tokens, asked = {probe: value()}, set(), [], []

        def pair(key: tuple[int, ...]) -> None:
            answer = values.setdefault(key, value())
            tokens.extend([*key, *answer])
            asked.extend([IGNORE] * len(key) + (answer if key in seen else [IGNORE] * len(answer)))
            seen.add(key)

        end = self.length - len(probe) - len(values[probe]) - self.key - self.value
        place = draw.randint(0, end - self.key - self.value)  # before the end by the longest pair: one begins between
        while len(tokens) < end:
            pair(probe if len(tokens) >= place and probe not in seen else key())
        pair(probe)
        pad = self.length + 1 - len(tokens)
        return [self.vocabulary - 1] * pad + tokens, [IGNORE] * pad + asked
