"""The learning rate over a run: a linear rise, then a cosine down to a tenth."""

import math

WARMUP = 0.05
FLOOR = 0.1


def factor(done: float) -> float:
    """What multiplies the peak learning rate when a share `done` of the run, in [0, 1], is over."""
    if done < WARMUP:
        return done / WARMUP
    fall = (min(done, 1.0) - WARMUP) / (1 - WARMUP)
    return FLOOR + (1 - FLOOR) * (1 + math.cos(math.pi * fall)) / 2
