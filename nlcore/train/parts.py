"""Everything a run is made of, built from its config: text, tokens, model, optimizer."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from nlcore import tasks
from nlcore.clock import Clock
from nlcore.models import LanguageModel, build, parameter_count
from nlcore.optim import LevelOptimizer, NestedLevelOptimizer
from nlcore.tasks import Batches, Corpus, Shards, sequential, tokenizers
from nlcore.tasks.shard_batches import ShardBatches
from nlcore.tasks.shards import Stream
from nlcore.train import at_once, optimizers
from nlcore.train.at_once import AtOnce
from nlcore.train.config import TrainConfig, TrainError
from nlcore.train.device import Choice
from nlcore.train.evaluate import HeldOut
from nlcore.train.folder import RunFolder
from nlcore.train.parallel import ALONE, Team


@dataclass(frozen=True)
class Parts:
    """A run's parts, at step 0."""

    choice: Choice
    corpus: Corpus | Shards
    batches: Batches
    held_out: HeldOut
    model: LanguageModel
    optimizer: LevelOptimizer
    at_once: AtOnce

    def facts(self) -> dict:
        """What was found and chosen, for config.json."""
        return {
            "corpus": {"name": self.corpus.name, "hash": self.corpus.hash, **self.corpus.sizes},
            "device": self.choice.device.type,
            "dtype": str(self.choice.dtype).removeprefix("torch."),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "vocabulary": self.held_out.tokenizer.vocabulary,
            "parameters": parameter_count(self.model),
            "micro_batch": self.at_once.rows,
            "levels": [vars(level) for level in self.model.levels()],
        }


def make(
    config: TrainConfig, folder: RunFolder, choice: Choice, team: Team = ALONE, before: int | None = None
) -> Parts:
    """Builds the parts; the seed decides the model's first weights and the order of the text.

    before: how many sequences the run has computed at once, if it has begun: see `at_once.find`.

    The tokenizer is kept in the run folder, and read from there if it is there.
    Raises DataError for text that will not do.
    """
    preset = config.preset
    with team.in_turn():
        corpus = tasks.load(config.data)
        tokens_of = _tokenizer(config, folder, corpus)
        tokens = tasks.prepare(corpus, tokens_of)
    next(sequential(tokens.validation, 1, preset.context))  # too short a validation text is said now, not after the training
    torch.manual_seed(config.seed)
    model = team.hold(built(config, tokens_of.vocabulary), choice)
    found = at_once.find(config, model, choice, team, before)
    held_out = HeldOut(tokens.validation, tokens_of, preset.context, found.rows // team.size)  # as many as while training
    batches = _batches(config, tokens.train, preset.batch)
    return Parts(choice, corpus, batches, held_out, model, optimizer(model, preset.lr, config), found)


def check(config: TrainConfig) -> None:
    """Raises TrainError for sizes that make no model, or a level that it has not, and DataError for text that will not
    do; writes nothing.

    Tokens of BPE are counted when the run begins.
    """
    with torch.device("meta"):
        optimizer(built(config, config.preset.vocabulary), config.preset.lr, config)
    corpus = tasks.load(config.data)
    if config.spans != "anywhere" and isinstance(corpus, Corpus):
        raise TrainError("--spans documents is for a folder of shards: make one with python -m nlcore.tasks prepare.")
    if isinstance(corpus, Shards) or config.preset.tokenizer == "bytes":
        made = _own(config, corpus) if isinstance(corpus, Shards) else tokenizers.ByteTokenizer()
        tokens = tasks.prepare(corpus, made)
        _batches(config, tokens.train, 1)
        next(sequential(tokens.validation, 1, config.preset.context))


def _batches(config: TrainConfig, tokens: np.ndarray | Stream, batch: int) -> Batches:
    preset = config.preset
    if isinstance(tokens, Stream):
        return ShardBatches(tokens, batch, preset.context, config.seed, preset.carry, config.spans)
    return Batches(tokens, batch, preset.context, config.seed, preset.carry)


def _own(config: TrainConfig, shards: Shards) -> tokenizers.Tokenizer:
    """The shards' tokenizer. Raises TrainError if the run asks for another kind."""
    made, asked = shards.manifest["tokenizer"], config.preset.tokenizer
    if made["kind"] != asked:
        raise TrainError(
            f"{shards.path} holds tokens of {made['kind']}, and the run asks for {asked}: "
            f"add --tokenizer {made['kind']} --vocabulary {made['vocabulary']}, or name other shards."
        )
    return shards.tokenizer


def built(config: TrainConfig, vocabulary: int) -> LanguageModel:
    """The model of this config, as `nlcore.models.build` makes it. Raises TrainError for sizes that make none."""
    try:
        return build(config.model, config.preset, vocabulary)
    except ValueError as error:
        raise TrainError(f"These sizes do not make a model: {error}.") from error


def _tokenizer(config: TrainConfig, folder: RunFolder, corpus: Corpus | Shards) -> tokenizers.Tokenizer:
    if folder.tokenizer.exists():
        return tokenizers.load(folder.tokenizer)
    if isinstance(corpus, Shards):
        made = _own(config, corpus)
    else:
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
