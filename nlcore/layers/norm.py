"""The normalisation of every layer and model."""

from torch import nn

EPS = 1e-6  # torch's default depends on the dtype, so that float32 and float64 would not agree


def rms_norm(width: int) -> nn.RMSNorm:
    """Root-mean-square normalisation over the last axis, with a learnt gain and one eps for every dtype."""
    return nn.RMSNorm(width, eps=EPS)
