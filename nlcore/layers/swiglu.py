"""The channel layer of Transformer++."""

import torch.nn.functional as F
from torch import Tensor, nn

from nlcore.layers.norm import rms_norm
from nlcore.regions import region


class SwiGLU(nn.Module):
    """`x + W_out (silu(W_gate h) * W_up h)` with `h = RMSNorm(x)`."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.norm = rms_norm(dim)
        self.w_in = nn.Linear(dim, 2 * hidden, bias=False)
        self.w_out = nn.Linear(hidden, dim, bias=False)

    @region
    def forward(self, x: Tensor) -> Tensor:
        """(B, T, dim) to (B, T, dim)."""
        gate, up = self.w_in(self.norm(x)).chunk(2, dim=-1)
        return x + self.w_out(F.silu(gate) * up)
