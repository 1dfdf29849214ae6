"""A stream of text that changes its domain and never comes back: which text when, and what of each is asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from nlcore import tasks
from nlcore.tasks import Batches, Corpus, Tokens
from nlcore.tasks.batches import Batch
from nlcore.tasks.tokenizers import ByteTokenizer
from nlcore.train import TrainConfig
from nlcore.train.evaluate import HeldOut

ORDERS = (
    ("python", "cpp", "javascript", "english"),
    ("cpp", "english", "python", "javascript"),
    ("english", "javascript", "cpp", "python"),
    ("javascript", "python", "english", "cpp"),
)
"""Each domain stands once at each place, and once right after each other one: a Latin square balanced as by Williams
(1949). A seed takes the one that is its turn."""
TOKENIZER = ByteTokenizer()
AT_ONCE = 16
"""Windows of held-out text that are computed together."""


@dataclass(frozen=True)
class Stream:
    """Bytes of several domains, one domain after the other.

    Attributes:
        domains: the tokens of each, in the order in which they come.
        steps: batches of each.
        batch, context: windows of a batch, and bytes of a window.
        seed: of the order of a domain's windows.
    """

    domains: dict[str, Tokens]
    steps: int
    batch: int
    context: int
    seed: int

    def batches(self, domain: str) -> Iterator[Batch]:
        """What is learnt from while the domain lasts: shuffled windows, (batch, context) inputs and targets."""
        return islice(Batches(self.domains[domain].train, self.batch, self.context, self.seed), self.steps)

    def held_out(self, domain: str) -> HeldOut:
        """Text of the domain that no batch shows."""
        return HeldOut(self.domains[domain].validation, TOKENIZER, self.context, AT_ONCE)


def of(config: TrainConfig) -> Stream:
    """The stream of a config: its text by domain, its steps in equal shares, the order of its seed.

    A domain that is not on this machine is an empty text, for which `nlcore.tasks` has a sentence of its own.
    """
    corpus, order, preset = tasks.load(config.data), ORDERS[config.seed % len(ORDERS)], config.preset
    domains = {domain: tasks.prepare(_only(corpus, domain), TOKENIZER) for domain in order}
    return Stream(domains, preset.steps // len(order), preset.batch, preset.context, config.seed)


def _only(corpus: Corpus, domain: str) -> Corpus:
    """One domain of a corpus, split as it is there."""
    train, validation = (tuple(each for each in part if each.domain == domain) for part in (corpus.train, corpus.validation))
    return Corpus(f"{corpus.name}:{domain}", train, validation, {domain: corpus.notes[domain]})
