"""Everything a run is made of, built from its config: text, tokens, model, optimizer."""

from dataclasses import dataclass

import torch
from torch import nn

from nlcore import tasks
from nlcore.clock import Clock
from nlcore.models import LanguageModel, build, parameter_count
from nlcore.optim import LevelOptimizer, NestedLevelOptimizer
from nlcore.tasks import Batches, Corpus, sequential, tokenizers
from nlcore.train.config import TrainConfig, TrainError
from nlcore.train.device import Choice
from nlcore.train.evaluate import HeldOut
from nlcore.train.folder import RunFolder
from nlcore.train.parallel import ALONE, Team

BETAS = (0.9, 0.95)
WEIGHT_DECAY = 0.1
CLIP = 1.0


@dataclass(frozen=True)
class Parts:
    """A run's parts, at step 0."""

    choice: Choice
    corpus: Corpus
    batches: Batches
    held_out: HeldOut
    model: LanguageModel
    optimizer: LevelOptimizer

    def facts(self) -> dict:
        """What was found and chosen, for config.json."""
        totals = self.corpus.manifest["domains"].values()
        return {
            "corpus": {
                "name": self.corpus.name,
                "hash": self.corpus.hash,
                "train_bytes": sum(domain["train_bytes"] for domain in totals),
                "validation_bytes": sum(domain["validation_bytes"] for domain in totals),
            },
            "device": self.choice.device.type,
            "dtype": str(self.choice.dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "vocabulary": self.held_out.tokenizer.vocabulary,
            "parameters": parameter_count(self.model),
            "levels": [vars(level) for level in self.model.levels()],
        }


def make(config: TrainConfig, folder: RunFolder, choice: Choice, team: Team = ALONE) -> Parts:
    """Builds the parts; the seed decides the model's first weights and the order of the text.

    The tokenizer is kept in the run folder, and read from there if it is there.
    Raises DataError for text that will not do.
    """
    preset = config.preset
    with team.in_turn():
        corpus = tasks.load(config.data)
        tokens_of = _tokenizer(config, folder, corpus)
        tokens = tasks.prepare(corpus, tokens_of)
    at_once = (config.micro_batch or preset.batch) // team.size  # as many as its device holds while training
    held_out = HeldOut(tokens.validation, tokens_of, preset.context, at_once)
    next(held_out.windows(1))  # too short a validation text is said now, not after the training
    torch.manual_seed(config.seed)
    model = team.hold(built(config, tokens_of.vocabulary), choice)
    batches = Batches(tokens.train, preset.batch, preset.context, config.seed, preset.carry)
    return Parts(choice, corpus, batches, held_out, model, optimizer(model, preset.lr))


def check(config: TrainConfig) -> None:
    """Raises TrainError for sizes that make no model, and DataError for text that will not do; writes nothing.

    Tokens of BPE are counted when the run begins.
    """
    with torch.device("meta"):
        built(config, config.preset.vocabulary)
    corpus = tasks.load(config.data)
    if config.preset.tokenizer == "bytes":
        tokens, context = tasks.prepare(corpus, tokenizers.ByteTokenizer()), config.preset.context
        Batches(tokens.train, 1, context, carry=config.preset.carry)
        next(sequential(tokens.validation, 1, context))


def built(config: TrainConfig, vocabulary: int) -> LanguageModel:
    """The model of this config, as `nlcore.models.build` makes it. Raises TrainError for sizes that make none."""
    try:
        return build(config.model, config.preset, vocabulary)
    except ValueError as error:
        raise TrainError(f"These sizes do not make a model: {error}.") from error


def _tokenizer(config: TrainConfig, folder: RunFolder, corpus: Corpus) -> tokenizers.Tokenizer:
    if folder.tokenizer.exists():
        return tokenizers.load(folder.tokenizer)
    made = tokenizers.make(config.preset.tokenizer, corpus, config.preset.vocabulary)
    tokenizers.save(made, folder.tokenizer)
    return made


def optimizer(model: LanguageModel, lr: float) -> LevelOptimizer:
    """AdamW a level. Weight decay is for the matrices of projections alone: not for norms, biases,
    embeddings, convolutions, nor for the learnt starts of memories, which are no maps of their own."""
    matrices = {id(m.weight) for m in model.modules() if isinstance(m, nn.Linear)}
    periods = {level.name: level.period for level in model.levels() if level.unit == "steps"}
    groups = {
        name: [{"params": [], "weight_decay": WEIGHT_DECAY}, {"params": [], "weight_decay": 0.0}] for name in periods
    }
    for name, parameter in model.named_parameters():
        groups[model.level_of(name)][id(parameter) not in matrices]["params"].append(parameter)
    settings = (groups, Clock(periods), lr, BETAS, CLIP, model.preset.rate_power)
    if model.preset.continuum != "nested":
        return LevelOptimizer(*settings)
    chain = [name for name in periods if name.startswith("cms-")]  # fastest first: each one's parent comes next
    return NestedLevelOptimizer(*settings, parents=dict(zip(chain, chain[1:])))
