"""Hope-Attention with the links of its first version: an MLP of two matrices where Transformer++ has a gate."""

import torch.nn.functional as F
from torch import Tensor, nn

from nlcore.layers import Attention, ContinuumMemory
from nlcore.layers.norm import rms_norm
from nlcore.models import LanguageModel, Preset
from nlcore.models.build import channel_width


class PlainLink(nn.Module):
    """`x + W_out silu(W_in RMSNorm(x))`."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.norm = rms_norm(dim)
        self.w_in = nn.Linear(dim, hidden, bias=False)
        self.w_out = nn.Linear(hidden, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, T, dim) to (B, T, dim)."""
        return x + self.w_out(F.silu(self.w_in(self.norm(x))))


class PlainContinuum(ContinuumMemory):
    """A continuum memory of plain links."""

    def __init__(self, dim: int, hidden: int, count: int) -> None:
        super().__init__(dim, hidden, count)
        self.levels = nn.ModuleDict({name: PlainLink(dim, hidden) for name in self.levels})


def plain_links(preset: Preset, vocabulary: int) -> LanguageModel:
    """Attention and plain links in turn, at the other models' number of parameters."""

    def mixer() -> nn.Module:
        return Attention(preset.dim, preset.heads)

    count = len(preset.periods)
    width = channel_width(preset, mixer, matrices=2 * count)
    return LanguageModel(preset, vocabulary, mixer, lambda: PlainContinuum(preset.dim, width, count))
