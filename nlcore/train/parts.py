"""Everything a run is made of, built from its config: text, tokens, model, optimizer."""

from dataclasses import dataclass

import torch
from torch import nn

from nlcore import tasks
from nlcore.clock import Clock
from nlcore.models import LanguageModel, build, parameter_count
from nlcore.optim import LevelOptimizer, NestedLevelOptimizer
from nlcore.tasks import Batches, Corpus, sequential, tokenizers
from nlcore.train import optimizers
from nlcore.train.config import TrainConfig, TrainError
from nlcore.train.device import Choice
from nlcore.train.evaluate import HeldOut
from nlcore.train.folder import RunFolder
from nlcore.train.parallel import ALONE, Team


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
    model = built(config, tokens_of.vocabulary).to(choice.device)
    batches = Batches(tokens.train, preset.batch, preset.context, config.seed, preset.carry)
    return Parts(choice, corpus, batches, held_out, model, optimizer(model, preset.lr, config))


def check(config: TrainConfig) -> None:
    """Raises TrainError for sizes that make no model, or a level that it has not, and DataError for text that will not
    do; writes nothing.

    Tokens of BPE are counted when the run begins.
    """
    with torch.device("meta"):
        optimizer(built(config, config.preset.vocabulary), config.preset.lr, config)
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


def optimizer(model: LanguageModel, lr: float, config: TrainConfig = TrainConfig()) -> LevelOptimizer:
    """An optimizer a level, of the config's kind. Weight decay, and Muon and M3 where they are chosen, are for the
    matrices of projections alone: not for norms, biases, embeddings, convolutions, nor for the learnt starts of
    memories, which are no maps of their own.

    Raises TrainError for a rate of a level that there is none of.
    """
    matrices = {id(m.weight) for m in model.modules() if isinstance(m, nn.Linear)}
    periods = {level.name: level.period for level in model.levels() if level.unit == "steps"}
    kinds = optimizers.matrices(config), {"weight_decay": 0.0}
    groups = {name: [kind | {"params": []} for kind in kinds] for name in periods}
    for name, parameter in model.named_parameters():
        groups[model.level_of(name)][id(parameter) not in matrices]["params"].append(parameter)
    settings = (groups, Clock(periods), lr, config.clip, model.preset.rate_power, optimizers.make(config))
    if model.preset.continuum != "nested":
        made = LevelOptimizer(*settings)
    else:
        chain = [name for name in periods if name.startswith("cms-")]  # fastest first: each one's parent comes next
        made = NestedLevelOptimizer(*settings, parents=dict(zip(chain, chain[1:])))
    for level, scale in config.level_lr:
        if level not in made.scales:
            known = ", ".join(made.scales)
            raise TrainError(f"level_lr names {level!r}, and the levels that the optimizer trains are {known}: choose one of them.")
        made.scales[level] = scale
    return made
