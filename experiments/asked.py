"""Training on tasks that ask at some places only, one way for all experiments about them."""

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlcore.models import LanguageModel
from nlcore.tasks.recall import IGNORE
from nlcore.train.schedule import factor


class Logits(nn.Module):
    """A language model that says its logits alone: tokens (B, T) to (B, T, vocabulary)."""

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.model = model

    def forward(self, tokens: Tensor) -> Tensor:
        """Each text begins fresh."""
        return self.model(tokens).logits


def trained(
    model: nn.Module, batches: Iterable[tuple[Tensor, Tensor]], rate: float, steps: int, decay: float = 0.01
) -> Iterator[float]:
    """Trains a model that maps tokens to logits, and yields each step's loss before its update; ends after `steps`, or
    where a loss is not finite.

    AdamW, the rate on `nlcore.train`'s schedule, gradients clipped at 1. `batches` are tokens and targets, each (B, T),
    the latter IGNORE where nothing is asked; `decay` is that of the weights.
    """
    optimizer = torch.optim.AdamW(model.parameters(), lr=rate, betas=(0.9, 0.95), weight_decay=decay)
    for step, (tokens, targets) in zip(range(1, steps + 1), batches):
        loss = F.cross_entropy(model(tokens).flatten(0, 1), targets.flatten(), ignore_index=IGNORE)
        yield loss.item()
        if not loss.isfinite():
            return
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate * factor(step / steps)
        optimizer.step()
