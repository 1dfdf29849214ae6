"""How recurrent layers begin: a look at the input, and a short causal convolution, in which a token sees the three before it."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH = 4


def near_identity(dim: int) -> nn.Parameter:
    """A convolution's weight, (dim, 1, WIDTH), one filter a channel, its newest tap last; it begins near the identity."""
    weight = torch.randn(dim, 1, WIDTH) * 0.2
    weight[..., -1] += 1
    return nn.Parameter(weight)


def convolve(x: Tensor, tail: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """`x` (B, T, dim) convolved after `tail` (B, WIDTH - 1, dim), the inputs before it; and the tail to go on from."""
    joined = torch.cat([tail.to(x.dtype), x], dim=1)
    y = F.conv1d(joined.mT, weight.to(x.dtype), groups=x.shape[-1]).mT
    return y, joined[:, 1 - weight.shape[-1] :].to(tail.dtype)


def check_call(x: Tensor, tail: Tensor | None, dtype: torch.dtype) -> None:
    """Raises ValueError, in one sentence, for an input without tokens, or a state whose `tail` is not of this dtype."""
    if x.dim() != 3 or x.shape[1] == 0:
        raise ValueError(f"the input has the shape {tuple(x.shape)}: give (sequences, tokens, width), at least one token")
    if tail is not None and tail.dtype != dtype:
        raise ValueError(f"the state is {tail.dtype}, but inputs of {x.dtype} need {dtype}: start(batch, {dtype})")
