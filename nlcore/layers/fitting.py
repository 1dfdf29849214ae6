"""Which choices of a self-modifying layer fit together, and what is said of those that do not."""

from nlcore.layers.learning import Learning, Learns, given, own_answer, soft_answer
from nlcore.memory import Architecture

MAKES = ("k", "v", "eta", "alpha", "q")
"""What is made of each token. Each either by a memory of its own, or by a plain matrix of the slow level."""
RATES = ("eta", "alpha")
READS = ("boundary", "before", "after")


def check(
    dim: int,
    heads: int,
    chunks: tuple[int, int],
    reads: str,
    share: float,
    learns: Learns,
    adaptive: tuple[str, ...],
) -> None:
    """Raises ValueError, in one sentence, for arguments of `SelfModifyingTitans` that do not fit together."""
    if dim % heads:
        raise ValueError(f"{heads} heads do not divide a width of {dim}: choose a number of heads that does")
    if min(chunks) < 1 or chunks[1] % chunks[0]:
        raise ValueError(
            f"chunks {tuple(chunks)} do not fit: the memory's chunk must divide that of the projections, as (16, 64) does"
        )
    if reads not in READS:
        raise ValueError(f"reads is {reads!r}: choose one of {', '.join(READS)}")
    if not 0 <= share <= 1:
        raise ValueError(f"projections_share is {share}: choose it between 0 and 1")
    if learns not in (own_answer, soft_answer, given):
        raise ValueError(f"learns is {learns!r}: choose own_answer, soft_answer or given: stable writes need values no longer than one")
    if not isinstance(adaptive, tuple) or any(n not in MAKES for n in adaptive) or len(set(adaptive)) < len(adaptive):
        raise ValueError(f"adaptive is {adaptive!r}: give a tuple of some of {', '.join(MAKES)}, each once")


def largest(eta_max: float | None, memory: Architecture, width: int, learning: Learning) -> float:
    """The largest eta: the one asked for, if memories of this architecture are stable there."""
    shapes = memory.shapes()
    if (shapes[-1][1], shapes[0][0]) != (width, width):
        raise ValueError(f"the memories map {shapes[-1][1]} numbers to {shapes[0][0]}: for these heads both must be {width}")
    most = learning.largest(len(shapes))
    if eta_max is not None and not 0 < eta_max <= most:
        raise ValueError(
            f"eta_max is {eta_max}: choose it above 0 and at most {most:g}, where such memories are stable with "
            f"{learning.objective} and {learning.rule} (to write nothing, set eta_scale to 0)"
        )
    return most if eta_max is None else eta_max
