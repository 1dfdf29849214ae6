"""Attention that knows no positions but what its mask betrays: how many tokens there are to choose among."""

from torch import Tensor

from nlcore.layers import Attention
from nlcore.models import LanguageModel, Preset
from nlcore.models.build import gated


class Unplaced(Attention):
    """`Attention` without the rotary positions of queries and keys, as Irie et al. (2023) train it."""

    def projections(self, x: Tensor, first: int) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (B, H, T, d), the same wherever their tokens stand."""
        q, k, v = self.w_qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return q, k, v


def unplaced(preset: Preset, vocabulary: int) -> LanguageModel:
    """Attention without positions, and SwiGLU in turn, at the other models' number of parameters."""
    return gated(preset, vocabulary, lambda: Unplaced(preset.dim, preset.heads))
