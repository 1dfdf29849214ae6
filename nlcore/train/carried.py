"""Truncated backpropagation through time: the state that training carries from one window to the next.

The gradient ends where a window does, so the state is carried without one, and whole in a checkpoint.
"""

from typing import Any

import torch
from torch import Tensor

from nlcore.models import LanguageModel
from nlcore.models.memories import Leaf, leaves, rebuilt
from nlcore.train.device import Choice
from nlcore.train.parallel import Team


@torch.no_grad()
def pattern(model: LanguageModel, choice: Choice) -> tuple[Any, ...]:
    """A detached state of one row and one token: its kinds, dtypes and devices are those of every state."""
    with choice.autocast():
        return model(torch.zeros(1, 1, dtype=torch.int64, device=choice.device), detached=True).state


def gathered(parts: list[tuple[Any, ...]], team: Team) -> list[Leaf]:
    """Leaves of the whole batch, on the CPU, from every process's own states of the batch's parts.

    Rows stand in the batch's order, so that they do not depend on how many processes or parts there were.
    """
    return [_joined([x for leaf in same for x in team.gather(_on_cpu(leaf))]) for same in zip(*map(leaves, parts))]


def shared(given: list[Leaf], like: tuple[Any, ...], at_once: int, team: Team) -> list[tuple[Any, ...]]:
    """This process's own states of the batch's parts of `at_once` rows, from the leaves of the whole batch.

    like: the model's `pattern`.
    """

    def part(rows: slice) -> tuple[Any, ...]:
        pairs = zip(given, leaves(like), strict=True)
        return rebuilt(like, (team.share(x[rows]).to(own, copy=True) if isinstance(x, Tensor) else x for x, own in pairs))

    batch = next(len(leaf) for leaf in given if isinstance(leaf, Tensor))
    return [part(slice(start, start + at_once)) for start in range(0, batch, at_once)]


def _on_cpu(leaf: Leaf) -> Leaf:
    return leaf.cpu() if isinstance(leaf, Tensor) else leaf


def _joined(same: list[Leaf]) -> Leaf:
    return torch.cat(same) if isinstance(same[0], Tensor) else same[0]
