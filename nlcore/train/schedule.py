"""The learning rate over a run, by the share of it that is over, so that it fits a run of steps and one of seconds."""

import math

SCHEDULES = ("cosine", "wsd")
WARMUP, FLOOR, DECAY = 0.05, 0.1, 0.2


def factor(
    done: float, kind: str = "cosine", warmup: float = WARMUP, floor: float = FLOOR, decay: float = DECAY
) -> float:
    """What multiplies the peak learning rate when a share `done` of the run, in [0, 1], is over.

    Both kinds rise linearly to 1 over the share `warmup`, below 1. "cosine" then falls along a cosine to `floor`. "wsd"
    (warm-up, stable, decay) stays at 1 until the last share `decay`, in which it falls linearly to `floor`. So a run
    that is made longer before its decay has begun goes on at 1, as if it had been asked for that length at once, but
    for the warm-up's; one made longer later goes back to 1.
    """
    done = min(done, 1.0)
    if done < warmup:
        return done / warmup
    if kind == "cosine":
        return floor + (1 - floor) * (1 + math.cos(math.pi * (done - warmup) / (1 - warmup))) / 2
    return 1.0 if done <= 1 - decay else floor + (1 - floor) * (1 - done) / decay
