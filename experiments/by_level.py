"""What single levels of a model do: what each adds to the stream of activations, and what it learnt since a moment.

Levels hold different tensors, and the hidden units of two links have nothing to do with each other, so no angle between
their weights, gradients or steps means anything, equal shapes or not. What can be compared is what they do to the same
tokens in a space that they share:

- `cosine_added`: of what two links add to the residual stream, at each token and block. It says whether they do the
  same work now, whoever taught them.
- `learnt_since`: of what two levels' learning since an earlier moment has changed in the model's answers: each level
  alone is put back to that moment, and the probabilities that the model then gives are taken from those it gives now.
  It says whether they learnt the same thing, and in bits what each one's learning did for each text.
"""

import math
from collections.abc import Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from nlcore.models import LanguageModel

Texts = Mapping[str, tuple[Tensor, Tensor]]
"""Inputs and targets, each (B, T), by domain."""


def links(model: LanguageModel) -> list[str]:
    """The levels of the continuum memory, fastest first."""
    return [level.name for level in model.levels() if model.places(level.name)]


@torch.no_grad()
def cosine_added(model: LanguageModel, texts: Texts) -> float | None:
    """Between what the fastest and the slowest link add: the mean over texts, blocks and tokens; None for one link."""
    names = links(model)
    if len(names) < 2:
        return None
    found = [
        F.cosine_similarity(_added(model, names[0], inputs), _added(model, names[-1], inputs), dim=-1).mean()
        for inputs, _ in texts.values()
    ]
    return torch.stack(found).mean().item()


def _added(model: LanguageModel, level: str, inputs: Tensor) -> Tensor:
    """What a level's links add to what they read: (blocks, B, T, dim)."""
    found: list[Tensor] = []
    hooks = [
        model.get_submodule(place).register_forward_hook(lambda _, read, answer: found.append(answer - read[0]))
        for place in model.places(level)
    ]
    model(inputs)
    for hook in hooks:
        hook.remove()
    return torch.stack(found)


@torch.no_grad()
def learnt_since(model: LanguageModel, before: Mapping[str, Tensor], texts: Texts) -> dict[str, Any]:
    """What each level's learning since `before`, the parameters of then, has changed.

    gained: by level, for each text in order, the bits a token by which the model got better (below 0: worse) through
        what that level learnt, the others being as they are now.
    cosine_learnt: between the changes of the answers, (B, T, vocabulary) probabilities taken as one vector, that come
        from the fastest and from the slowest link: the mean over texts; None for one link.
    """
    names = [level.name for level in model.levels() if level.unit == "steps"]
    gained: dict[str, list[float]] = {name: [] for name in names}
    cosines, chain = [], links(model)
    for inputs, targets in texts.values():
        now, changed = _answers(model, {}, inputs), {}
        for name in names:
            then = _answers(model, {key: old for key, old in before.items() if model.level_of(key) == name}, inputs)
            changed[name] = (now.exp() - then.exp()).flatten()
            gained[name].append(((now - then).gather(-1, targets[..., None]).mean() / math.log(2)).item())
        cosines.append(F.cosine_similarity(changed[chain[0]], changed[chain[-1]], dim=0).item())
    return {"gained": gained, "cosine_learnt": sum(cosines) / len(cosines) if len(chain) > 1 else None}


def _answers(model: LanguageModel, parameters: Mapping[str, Tensor], inputs: Tensor) -> Tensor:
    """Logarithms of the next token's probabilities, (B, T, vocabulary), with these parameters in the model's place."""
    return functional_call(model, dict(parameters), (inputs,)).logits.log_softmax(-1)
