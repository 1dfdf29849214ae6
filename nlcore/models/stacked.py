"""Levels stacked on a model that was trained before: its own MLP blocks learn while it reads (7.3)."""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from inspect import signature
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from nlcore.layers.continuum import Weights, per_row
from nlcore.levels import Level
from nlcore.models.language_model import Output
from nlcore.models.memories import leaves, rebuilt

Reader = Callable[[nn.Module, Tensor, Any], tuple[Tensor, Any]]
"""Takes a model, tokens (B, T) and the state that an earlier call returned, or None; returns logits (B, T, vocabulary)
and the state after them: nested tuples of numbers and of tensors with the batch first."""


def causal_lm(model: nn.Module, tokens: Tensor, state: tuple[tuple[Tensor, Tensor], ...] | None) -> tuple[Tensor, Any]:
    """The `Reader` of a causal language model of `transformers`: its state is every layer's keys and values.

    Raises ValueError for a model that keeps anything else.
    """
    from transformers import DynamicCache
    from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

    cache = DynamicCache()
    for index, (k, v) in enumerate(state or ()):
        cache.update(k, v, index)
    kept = {type(layer) for layer in DynamicCache(config=model.config).layers}
    if kept <= {DynamicLayer, DynamicSlidingWindowLayer}:
        # Release 5.24 renamed the argument.
        name = "past_key_values" if "past_key_values" in signature(model.forward).parameters else "cache"
        logits = model(input_ids=tokens, use_cache=True, **{name: cache}).logits
        if cache.layers:  # empty where a model took no notice of it
            return logits, tuple((layer.keys, layer.values) for layer in cache.layers)
    raise ValueError(
        f"{type(model).__name__} keeps more than keys and values of its tokens: give a `read` that knows its state"
    )


def load_causal_lm(name: str | Path) -> nn.Module:
    """A causal language model of `transformers`, by its folder or its name on the hub, ready to read and in float32.

    Raises ValueError, one sentence, where `transformers` is not installed or finds no such model.
    """
    try:
        from transformers import AutoModelForCausalLM
    except ImportError as error:
        raise ValueError("pre-trained models need the package transformers: type pip install transformers") from error
    try:
        return AutoModelForCausalLM.from_pretrained(name, dtype="float32").eval()
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()).partition(". ")[0].rstrip(".")
        raise ValueError(f"{str(name)!r} cannot be loaded ({reason}): name another folder or model") from error


def blocks_named(model: nn.Module, ending: str = "mlp") -> tuple[str, ...]:
    """The names of the modules whose last part is `ending`, in order: a model's MLP blocks, from its input to its end.

    Raises ValueError if there are none.
    """
    found = tuple(name for name, _ in model.named_modules() if name.rpartition(".")[2] == ending)
    if not found:
        parts = dict.fromkeys(n.rpartition(".")[2] for n, m in model.named_modules() if n and not n[-1].isdigit())
        raise ValueError(f"no module here is called {ending!r}: its modules are called {', '.join(parts)}")
    return found


class Stacked(nn.Module):
    """Any language model, with MLP blocks of its own as the levels of a continuum memory, to hand to `InContext`.

    "We use the trained parameters of MLP_pre-trained as the initial state of CMS blocks" (7.3): nothing is added to
    the model and nothing in it is replaced. While one call lasts, each named block reads every row with that row's
    own weights. With rates of 0 the model computes what it computes without levels.

    Args:
        model: maps tokens to logits.
        blocks: for each level the names of the modules, as `blocks_named` finds them, that are updated at its period.
            A block is called with one tensor, and treats the rows of a batch apart.
        read: how the model is called, and what its state is.

    Raises ValueError for blocks that are not there, hold no parameters, or are named twice, and for a model without an
    embedding.
    """

    def __init__(self, model: nn.Module, blocks: Mapping[str, Sequence[str]], read: Reader = causal_lm) -> None:
        super().__init__()
        _check_blocks(model, [name for names in blocks.values() for name in names])
        self.model, self.read = model, read
        self.blocks = {level: tuple(names) for level, names in blocks.items()}
        self.embedded = next((name for name, m in model.named_modules() if isinstance(m, nn.Embedding)), None)
        if self.embedded is None:
            raise ValueError(f"{type(model).__name__} has no nn.Embedding to read tokens with: give a language model")

    @property
    def embedding(self) -> nn.Embedding:
        return self.model.get_submodule(self.embedded)

    @property
    def checkpointed(self) -> bool:
        """Whether blocks are computed again in the backward pass."""
        return any(getattr(module, "gradient_checkpointing", False) for module in self.model.modules())

    def places(self, level: str) -> tuple[str, ...]:
        """The names, here, of the blocks that make a level; none for another level."""
        return tuple(f"model.{name}" for name in self.blocks.get(level, ()))

    def levels(self) -> tuple[Level, ...]:
        """Without a text all of the model is one level, that of its training."""
        return (Level("weights", 1, "steps"),)

    def forward(self, tokens: Tensor, state: Any = None, weights: Mapping[str, Weights] | None = None) -> Output:
        """As of `LanguageModel`. Raises ValueError for blocks that are checkpointed, which run again too late."""
        if weights and self.checkpointed:
            raise ValueError(
                "checkpointed blocks would be computed again with the model's weights, not with those of a text: "
                "call gradient_checkpointing_disable() of the model"
            )
        with _each_row_with_its_own({self.get_submodule(place): own for place, own in (weights or {}).items()}):
            logits, state = self.read(self.model, tokens.long(), state)
        return Output(logits, state, {})

    def detach(self, state: Any) -> Any:
        """A state without gradient: see `LanguageModel.detach`."""
        return rebuilt(state, (x.detach().clone() if isinstance(x, Tensor) else x for x in leaves(state)))

    def attach(self, detached: Any) -> Any:
        """The state that `detach` made is one to go on from."""
        return detached


@contextmanager
def _each_row_with_its_own(weights: Mapping[nn.Module, Weights]) -> Iterator[None]:
    """Inside the block each module computes with weights for each row; afterwards it is as before."""
    before = {module: vars(module).get("forward") for module in weights}
    for module, own in weights.items():
        # The twin shares all that the module has, and is not changed itself: it still computes what the module did.
        module.forward = partial(per_row, copy.copy(module), own)
    try:
        yield
    finally:
        for module, forward in before.items():
            del module.forward
            if forward is not None:
                module.forward = forward


def _check_blocks(model: nn.Module, names: Sequence[str]) -> None:
    there = dict(model.named_modules())
    for name in names:
        if name not in there or not name:
            raise ValueError(f"there is no module {name!r} in {type(model).__name__}: see blocks_named(model)")
        if next(there[name].parameters(), None) is None:
            raise ValueError(f"the module {name!r} holds no parameters that could learn: name an MLP block")
        if any(other.startswith(f"{name}.") for other in names) or names.count(name) > 1:
            raise ValueError(f"the module {name!r} is named twice, or holds another that is named: name each once")
