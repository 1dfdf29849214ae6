"""Needles in a haystack after RULER (Hsieh et al., 2024): facts hidden in long text, to be named at its end.

Templates and sizes are RULER's (its c3f5e3b). Different are the keys' words and, unless RULER's own are given, the
essays, which begin anywhere (in RULER at their first word); and noise has the 40 depths too (in RULER any line).
"""

import json
import re
import uuid
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from random import Random

import torch

from nlcore.tasks.corpus import DataError, join
from nlcore.tasks.source import load
from nlcore.tasks.tokenizers import ByteTokenizer, Tokenizer

NOISE = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again."
NEEDLE = "One of the special magic {kind} for {key} is: {value}."
MANY = """Some special magic {kind} are hidden within the following text. Make sure to memorize it. \
I will quiz you about the {kind} afterwards.
{context}
What are all the special magic {kind} for {query} mentioned in the provided text? \
The special magic {kind} for {query} mentioned in the provided text are"""
ONE = MANY.replace("Some", "A").replace("are all", "is").replace("are", "is").replace("{kind}", "{one}")
DEPTHS = tuple(round(100 * place / 39) for place in range(40))
"""Per cent of the haystack's sentences (or lines of noise) before a needle."""
VALUES = {
    "numbers": lambda draw: str(draw.randint(10**6, 10**7 - 1)),
    "uuids": lambda draw: str(uuid.UUID(int=draw.getrandbits(128), version=4)),
}
ADJECTIVES = """amber bold brave calm clear cold crisp curly deep early fair fresh gentle glad grand happy hollow honest
 humble jolly kind lively lucky mellow modest narrow neat noble plain proud quick quiet rapid rare sharp silent slow
 small smooth soft steady strange sweet swift tall tidy tiny vast warm wide wild wise young""".split()
NOUNS = """acorn anchor apple arrow badge barn basket beacon bell bottle branch bridge bucket button candle castle cloud
 compass copper cradle crown drum feather flute forest garden glove guitar hammer harbor helmet island jacket kettle
 ladder lantern lemon marble meadow mirror needle orchard paper pillow river saddle spoon whistle""".split()
KEYS = [f"{adjective}-{noun}" for adjective in ADJECTIVES for noun in NOUNS]


@dataclass(frozen=True)
class Sample:
    """A prompt, with the beginning of its answer; the values asked for, and the depth of each (see DEPTHS)."""

    prompt: str
    references: tuple[str, ...]
    depths: tuple[int, ...]

    @property
    def answer(self) -> str:
        """How the prompt can go on, for training; RULER has references only."""
        return f" {', '.join(self.references)}."


@dataclass(frozen=True)
class Needles:
    """`keys` keys with `values` values each, of a kind of VALUES, in "noise" (one line again and again) or "essays".

    `queries` of the keys are asked for. The prompt has at most `length` tokens less those `reserved` for the answer;
    in a short one, several depths are before the same sentence. Raises ValueError for what makes no sample.
    """

    haystack: str = "noise"
    kind: str = "numbers"
    keys: int = 1
    values: int = 1
    queries: int = 1
    length: int = 4096
    reserved: int = 128

    def __post_init__(self) -> None:
        if self.haystack not in ("noise", "essays") or self.kind not in VALUES:
            raise ValueError(f"no {self.kind} in {self.haystack}: hide {' or '.join(VALUES)} in noise or essays")
        if not 1 <= self.queries <= self.keys or not 1 <= self.values or self.keys * self.values > len(DEPTHS):
            what = f"{self.queries} of {self.keys} keys, of {self.values} values each, cannot be asked for"
            raise ValueError(f"{what}: ask for 1 or more of those there are, and hide at most {len(DEPTHS)} values")

    def sample(
        self, generator: torch.Generator, words: Sequence[str] = (), tokenizer: Tokenizer = ByteTokenizer()
    ) -> Sample:
        """As much haystack as fits, essays from any word on and round; ValueError if they have none, or none fits."""
        essays = self.haystack == "essays"
        if essays and not words:
            raise ValueError("the haystack is essays, and there are no words: give those of `needles.essays`")
        draw = Random(int(torch.randint(2**62, (), generator=generator)))
        keys = draw.sample(KEYS, self.keys)
        hidden = [(key, VALUES[self.kind](draw)) for key in keys for _ in range(self.values)]
        depths = dict(zip(draw.sample(hidden, len(hidden)), draw.sample(DEPTHS, len(hidden))))
        asked = draw.sample(keys, self.queries)
        found = [needle for key in asked for needle in hidden if needle[0] == key]
        units = words if essays else [NOISE]
        start = draw.randrange(len(units))

        def prompt(amount: int) -> str:
            pieces = list(islice(cycle(units), start, start + amount))
            return self._prompt(re.split(r"(?<=[.!?]) ", " ".join(pieces)) if essays else pieces, depths, asked)

        amounts = range(1, self.length + 1)  # of words or lines, which have at least a token each
        fit = bisect_left(amounts, True, key=lambda n: len(tokenizer.encode(prompt(n))) + self.reserved > self.length)
        if not fit:
            raise ValueError(f"{self.length} tokens hold no haystack beside question, needles and answer: give more")
        return Sample(prompt(fit), tuple(value for _, value in found), tuple(depths[needle] for needle in found))

    def _prompt(self, pieces: list[str], depths: dict[tuple[str, str], int], asked: list[str]) -> str:
        text, at = [], 0
        for (key, value), depth in sorted(depths.items(), key=lambda item: item[1]):
            place = len(pieces) * depth // 100
            text += [*pieces[at:place], NEEDLE.format(kind=self.kind, key=key, value=value)]
            at = place
        context = ("\n" if self.haystack == "noise" else " ").join([*text, *pieces[at:]])
        query = ", and ".join(filter(None, (", ".join(asked[:-1]), asked[-1])))
        template = MANY if self.queries * self.values > 1 else ONE
        return template.format(kind=self.kind, one=self.kind[:-1], context=context, query=query)


TASKS = {
    "S-NIAH-1": Needles("noise"),
    "S-NIAH-2": Needles("essays"),
    "S-NIAH-3": Needles("essays", "uuids"),
    "MK-NIAH-1": Needles("essays", keys=4),
    "MV-NIAH": Needles("essays", values=4),
    "MQ-NIAH": Needles("essays", keys=4, queries=4),
}
"""By their names in the paper. MK-NIAH-1 is RULER's multikey_1: four keys in essays, and no haystack of keys."""


def essays(spec: str = "builtin:english") -> list[str]:
    """Words of validation text of what `load` takes, or of RULER's own PaulGrahamEssays.json; DataError without any."""
    if not spec.endswith(".json"):
        return join(load(spec).validation).decode().split()
    try:
        return json.loads(Path(spec).read_text(encoding="utf-8"))["text"].split()
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{spec} is no haystack of RULER: name its PaulGrahamEssays.json, or a text.") from error


def score(outputs: Iterable[str], samples: Iterable[Sample]) -> float:
    """Share of the references that stand in the outputs, upper or lower case, averaged over samples; chance is 0."""
    shares = [
        sum(reference.lower() in output.lower() for reference in sample.references) / len(sample.references)
        for output, sample in zip(outputs, samples, strict=True)
    ]
    return sum(shares) / len(shares)
