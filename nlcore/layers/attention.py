"""Causal softmax attention with rotary positions: over all tokens so far, or over a window of the newest."""

from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nlcore.regions import region

WIDEST_HEAD = 256


class AttentionState(NamedTuple):
    """Keys and values of all tokens so far, (B, H, S, d): a memory that keeps everything."""

    k: Tensor
    v: Tensor


def rotate(x: Tensor, first: int, base: float = 10_000.0) -> Tensor:
    """Rotary positions for `x` (B, H, T, d), d even, whose first token stands at `first`."""
    half, dtype = x.shape[-1] // 2, torch.promote_types(x.dtype, torch.float32)
    frequencies = base ** (-torch.arange(half, device=x.device, dtype=dtype) / half)
    angles = torch.arange(first, first + x.shape[-2], device=x.device, dtype=dtype)[:, None] * frequencies
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


class Attention(nn.Module):
    """Multi-head causal attention: `softmax(q k^T / sqrt(d)) v`, by PyTorch's fused kernel.

    Two calls with the state carried between them equal one. Raises ValueError when the
    heads do not divide the width into even parts, or a head is wider than the fused
    kernels take.
    """

    periods: ClassVar[dict[str, int]] = {}
    """It has no memory that is written: what it keeps, it keeps as it came."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        if dim % heads or (dim // heads) % 2:
            raise ValueError(f"{heads} heads do not divide a width of {dim} into even parts: choose a number that does")
        if dim // heads > WIDEST_HEAD:
            raise ValueError(
                f"a head of width {dim // heads} is too wide for fused attention, which takes {WIDEST_HEAD}: "
                "choose more heads"
            )
        self.heads = heads
        self.w_qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.w_out = nn.Linear(dim, dim, bias=False)

    @region
    def forward(self, x: Tensor, state: AttentionState | None = None) -> tuple[Tensor, AttentionState, None]:
        """`x` (B, T, dim) to (B, T, dim), and the state after it; attention has nothing to report."""
        first = 0 if state is None else state.k.shape[2]
        q, k, v = self.projections(x, first)
        if state is not None:
            k, v = torch.cat([state.k, k], dim=2), torch.cat([state.v, v], dim=2)
        mask = None
        if state is not None and q.shape[2] > 1:  # a single new token sees everything and needs no mask
            mask = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=x.device).tril(first)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=state is None)
        return self._merged(y), AttentionState(k, v), None

    def projections(self, x: Tensor, first: int) -> tuple[Tensor, Tensor, Tensor]:
        """Queries, keys and values (B, H, T, d) of tokens of which the first stands at `first`."""
        q, k, v = self.w_qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        return rotate(q, first), rotate(k, first), v

    def _merged(self, y: Tensor) -> Tensor:
        return self.w_out(y.transpose(1, 2).flatten(2))

    def detach(self, state: AttentionState) -> AttentionState:
        """The state without gradient, and without the activations that it is a view of."""
        return AttentionState(state.k.detach().clone(), state.v.detach().clone())

    def attach(self, detached: AttentionState) -> AttentionState:
        """The state that `detach` made is one to go on from: no parameter is part of it."""
        return detached


class WindowState(NamedTuple):
    """Keys and values that the next token still sees, (B, H, S, d), S at most window - 1; and the tokens seen so far."""

    k: Tensor
    v: Tensor
    position: int


class SlidingWindow(Attention):
    """Attention in which a token sees itself and the `window - 1` tokens before it (eq. 63), and forgets the others.

    Two calls with the state carried between them equal one. Raises ValueError for a window below 1, and as `Attention` does.
    """

    def __init__(self, dim: int, heads: int, window: int) -> None:
        if window < 1:
            raise ValueError(f"the window is {window} tokens: give 1 or more")
        super().__init__(dim, heads)
        self.window = window

    @region
    def forward(self, x: Tensor, state: WindowState | None = None) -> tuple[Tensor, WindowState, None]:
        """`x` (B, T, dim) to (B, T, dim), and the state after it; attention has nothing to report."""
        first = 0 if state is None else state.position
        q, k, v = self.projections(x, first)
        if state is not None:
            k, v = torch.cat([state.k, k], dim=2), torch.cat([state.v, v], dim=2)
        kept, seen = k.shape[2] - q.shape[2], k.shape[2]
        age = torch.arange(kept, seen, device=x.device)[:, None] - torch.arange(seen, device=x.device)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=(age >= 0) & (age < self.window))
        newest = slice(max(0, seen - self.window + 1), None)
        return self._merged(y), WindowState(k[:, :, newest], v[:, :, newest], first + x.shape[1]), None

    def detach(self, state: WindowState) -> WindowState:
        """The state without gradient, and without the activations that it is a view of."""
        return state._replace(k=state.k.detach().clone(), v=state.v.detach().clone())
