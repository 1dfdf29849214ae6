"""MAD-Lab's auto-encoder (Poli et al., 2024): a whole text is read out of what a model has at its last token."""

import torch
from torch import Tensor, nn

from nlcore.layers.norm import rms_norm
from nlcore.models import LanguageModel


class AutoEncoder(nn.Module):
    """Tokens (B, T) to logits (B, T, vocabulary): the last token's features plus a sinusoid of a place, by an MLP.

    The model's blocks make the features; its last norm and its head have no part in it, and so get no gradient.
    """

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        vocabulary, dim = model.embedding.weight.shape
        layers = (layer for _ in range(2) for layer in (rms_norm(dim), nn.Linear(dim, dim), nn.GELU()))
        self.model = model
        self.decoder = nn.Sequential(*layers, rms_norm(dim), nn.Linear(dim, vocabulary))

    def forward(self, tokens: Tensor) -> Tensor:
        """All places at once, each from the same features."""
        x = self.model.embedding(tokens)
        for block in self.model.blocks:
            x, _, _ = block(x, None)
        return self.decoder(x[:, -1:] + sinusoids(tokens.shape[1], x.shape[-1]).to(x))


def sinusoids(length: int, dim: int) -> Tensor:
    """Of every place, (length, dim): sines, then cosines, of wavelengths from 2 pi to 10,000 times that."""
    frequency = 10_000.0 ** -torch.linspace(0, 1, dim // 2)
    angle = torch.arange(length)[:, None] * frequency
    return torch.cat([angle.sin(), angle.cos()], 1)
