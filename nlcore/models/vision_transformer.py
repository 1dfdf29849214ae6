"""A small vision transformer, for pictures as small as the digits."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Block(nn.Module):
    """Attention among all patches, then an MLP, each added to what it reads."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_attention, self.norm_mlp = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.qkv, self.out = nn.Linear(dim, 3 * dim, bias=False), nn.Linear(dim, dim, bias=False)
        self.up, self.down = nn.Linear(dim, 4 * dim, bias=False), nn.Linear(4 * dim, dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(self.norm_attention(x)).chunk(3, -1))
        x = x + self.out(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))
        return x + self.down(F.gelu(self.up(self.norm_mlp(x))))


class VisionTransformer(nn.Module):
    """Square patches as tokens, learnt positions, a mean over tokens, and a linear read-out.

    Args:
        size: height and width of a picture, in pixels.
        patch: of a patch; it must divide `size`.
        classes: how many answers.
        dim, heads, depth: width of a token, attention heads, blocks.

    Raises ValueError if patches do not tile the picture or heads do not divide the width.
    """

    def __init__(self, size: int = 8, patch: int = 2, classes: int = 10, dim: int = 48, heads: int = 4, depth: int = 2) -> None:
        super().__init__()
        if size % patch or dim % heads:
            raise ValueError(f"patches of {patch} must tile a picture of {size}, and {heads} heads divide a width of {dim}")
        self.patch = patch
        self.embed = nn.Linear(patch * patch, dim)
        self.positions = nn.Parameter(0.02 * torch.randn((size // patch) ** 2, dim))
        self.blocks = nn.Sequential(*(Block(dim, heads) for _ in range(depth)))
        self.norm, self.read = nn.LayerNorm(dim), nn.Linear(dim, classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits, (B, classes), of pictures (B, size, size)."""
        p = self.patch
        patches = images.unfold(1, p, p).unfold(2, p, p).flatten(3).flatten(1, 2)
        return self.read(self.norm(self.blocks(self.embed(patches) + self.positions)).mean(1))

    def matrices(self) -> list[nn.Parameter]:
        """The weights inside blocks, which map a vector to a vector: what Muon and M3 make orthogonal."""
        return [p for p in self.blocks.parameters() if p.ndim == 2]

    def others(self) -> list[nn.Parameter]:
        """All other parameters: embedding, positions, read-out, gains and biases."""
        inside = {id(p) for p in self.matrices()}
        return [p for p in self.parameters() if id(p) not in inside]
