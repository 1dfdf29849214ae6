"""A language model: embedding, blocks of a sequence layer and a channel layer, tied head."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from nlcore.layers import ContinuumMemory
from nlcore.layers.continuum import Weights
from nlcore.layers.norm import rms_norm
from nlcore.levels import Level
from nlcore.models.presets import Preset


class Output(NamedTuple):
    """What a model returns."""

    logits: Tensor
    """(B, T, vocabulary)."""
    state: tuple[Any, ...]
    """One state a block, to hand to the next call: a pytree."""
    reports: dict[str, dict[str, Tensor]]
    """One report a block that has one, while `probe` listens; else empty."""


class Block(nn.Module):
    """`x + mix(norm(x))` along the sequence, then a channel layer that holds its own residual.

    The sequence layer maps x and a state, or None, to (y, state, report or None), has the `detach` and `attach` of
    `LanguageModel`, and in `periods` the tokens between two writes of each in-context level, fastest first. One that has
    such levels has an `eta_scale`, and says with `writers(level)` which of its parts, each with an `eta_scale` of its
    own, write there.
    """

    def __init__(self, dim: int, mixer: nn.Module, channel: nn.Module) -> None:
        super().__init__()
        self.norm, self.mixer, self.channel = rms_norm(dim), mixer, channel

    def forward(
        self, x: Tensor, state: Any, weights: Mapping[str, Weights] | None = None, detached: bool = False
    ) -> tuple[Tensor, Any, dict[str, Tensor] | None]:
        """`weights`: see `ContinuumMemory.answer`; `detached`: see `LanguageModel.forward`."""
        if detached and state is not None:
            state = self.mixer.attach(state)
        mixed, state, report = self.mixer(self.norm(x), state)
        if detached:
            state = self.mixer.detach(state)
        x = x + mixed
        return self.channel(x, weights) if weights else self.channel(x), state, report


class LanguageModel(nn.Module):
    """Next-token model over `vocabulary` tokens; the embedding is also the head.

    `mixer` and `channel` make one block's two layers. Two calls with the state carried
    between them equal one.
    """

    def __init__(
        self, preset: Preset, vocabulary: int, mixer: Callable[[], nn.Module], channel: Callable[[], nn.Module]
    ) -> None:
        super().__init__()
        self.preset = preset
        self.embedding = nn.Embedding(vocabulary, preset.dim)
        self.blocks = nn.ModuleList(Block(preset.dim, mixer(), channel()) for _ in range(preset.depth))
        self.norm = rms_norm(preset.dim)
        self._initialise()

    def _initialise(self) -> None:
        """Unit-variance projections; what enters the residual stream is scaled down by depth."""
        nn.init.normal_(self.embedding.weight, std=0.02)
        for name, module in self.named_modules():
            if isinstance(module, nn.Linear):
                std = module.in_features**-0.5
                nn.init.normal_(module.weight, std=std / (2 * self.preset.depth) ** 0.5 if "w_out" in name else std)

    def forward(
        self,
        tokens: Tensor,
        state: tuple[Any, ...] | None = None,
        weights: Mapping[str, Weights] | None = None,
        detached: bool = False,
    ) -> Output:
        """`tokens` (B, T) of any integer dtype, T at least 1. `state` is that of an earlier call, or None for a fresh one.

        `weights`: what stands, for each row of the batch, in the place of a continuum level's parameters, by the
        level's place (see `places`) and a parameter's name; each (B, ...).
        `detached`: whether `state` is one that `detach` made, and the one returned is to be so too. Each block then
        attaches and detaches its own while it computes, so that nobody needs its parameters before or after.

        Raises ValueError for another shape or dtype and, on the CPU, for tokens outside the
        vocabulary; on a GPU that check would make every call wait for the one before, and
        under `torch.func` transforms, `compile` and `export` there are no values to look at.
        """
        check_tokens(tokens, self.embedding.num_embeddings)
        x = self.embedding(tokens.long())
        states, reports = [], {}
        for index, block in enumerate(self.blocks):
            before = None if state is None else state[index]
            own = _of_block(index, weights or {})
            if self.preset.checkpoint_blocks and torch.is_grad_enabled():
                x, after, report = checkpoint(block, x, before, own, detached, use_reentrant=False)
            else:
                x, after, report = block(x, before, own, detached)
            states.append(after)
            if report is not None:
                reports[f"block-{index}"] = report
        return Output(self.norm(x) @ self.embedding.weight.mT, tuple(states), reports)

    def detach(self, state: tuple[Any, ...]) -> tuple[Any, ...]:
        """A state without gradient, to keep while an outer step changes the parameters: see `attach`.

        The first dimension of each tensor in it is the batch.
        """
        return tuple(block.mixer.detach(own) for block, own in zip(self.blocks, state))

    def attach(self, detached: tuple[Any, ...]) -> tuple[Any, ...]:
        """The state to hand to the next call, from what `detach` made of an earlier one.

        The gradient ends here, but for the learnt starts of memories, which are those of now.
        """
        return tuple(block.mixer.attach(own) for block, own in zip(self.blocks, detached))

    @torch.no_grad()
    def generate(
        self, tokens: Tensor, length: int, temperature: float = 0.8, generator: torch.Generator | None = None
    ) -> Tensor:
        """Continue `tokens` (B, T) of any integer dtype, T at least 1, by `length` tokens: (B, T + length) int64.

        The state is carried from token to token. Temperature 0 takes the likeliest.
        Raises ValueError for a temperature below 0.
        """
        if temperature < 0:
            raise ValueError(f"the temperature is {temperature}: choose 0 (the likeliest token) or more")
        check_tokens(tokens, self.embedding.num_embeddings)
        tokens = new = tokens.long()
        state = None
        for _ in range(length):
            output = self(new, state)
            logits, state = output.logits[:, -1].float(), output.state
            if temperature == 0:
                new = logits.argmax(-1, keepdim=True)
            else:
                new = torch.multinomial((logits / temperature).softmax(-1), 1, generator=generator)
            tokens = torch.cat([tokens, new], 1)
        return tokens

    def levels(self) -> tuple[Level, ...]:
        """The model's levels, fastest first."""
        block = self.blocks[0]  # they are alike
        found = [Level(name, period, "tokens") for name, period in block.mixer.periods.items()]
        found.append(Level("weights", 1, "steps"))
        if isinstance(block.channel, ContinuumMemory):
            found += [Level(name, period, "steps") for name, period in zip(block.channel.levels, self.preset.periods)]
        return tuple(found)

    @property
    def checkpointed(self) -> bool:
        """Whether blocks are computed again in the backward pass."""
        return self.preset.checkpoint_blocks

    def places(self, level: str) -> tuple[str, ...]:
        """The names of the modules that make a level of the continuum memory, one a block; none for another level."""
        return tuple(name for name, _ in self.named_modules() if name.endswith(f".levels.{level}"))

    def level_of(self, parameter: str) -> str:
        """The level that owns a parameter of `named_parameters()`: "weights", or "cms-k"."""
        return next((part for part in parameter.split(".") if part.startswith("cms-")), "weights")


def _of_block(index: int, weights: Mapping[str, Weights]) -> dict[str, Weights]:
    """By level, what `weights` holds for one block."""
    return {place.rpartition(".")[2]: own for place, own in weights.items() if place.startswith(f"blocks.{index}.")}


def check_tokens(tokens: Tensor, vocabulary: int) -> None:
    """Raises ValueError, in one sentence, for what a model of this vocabulary cannot read."""
    if tokens.dtype.is_floating_point or tokens.dtype.is_complex or tokens.dtype == torch.bool:
        raise ValueError(f"tokens are {tokens.dtype}: give whole numbers, of any integer dtype")
    if tokens.dim() != 2 or tokens.numel() == 0:
        raise ValueError(
            f"tokens have the shape {tuple(tokens.shape)}: give (sequences, tokens), at least one token each"
        )
    if tokens.device.type != "cpu" or torch.compiler.is_compiling():
        return
    try:
        least, largest = (int(number) for number in tokens.long().aminmax())
    except RuntimeError:  # under vmap
        return
    if not 0 <= least <= largest < vocabulary:
        raise ValueError(
            f"tokens run from {least} to {largest}, but the model knows 0 to {vocabulary - 1}: "
            "use the tokenizer it was built for"
        )
