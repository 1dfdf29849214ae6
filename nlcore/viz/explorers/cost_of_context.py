"""The cost of context: bytes of state, and multiplications per token, by how long the text is."""

from dataclasses import dataclass

import numpy as np

from nlcore.viz.chart import Chart, Explorer, Line, Plot
from nlcore.viz.controls import stops
from nlcore.viz.family import ATTENTION, LOOKS, WINDOW, window

BYTES = 2
"""Of a number, in bfloat16."""
LENGTHS = np.unique(np.geomspace(1, 1_048_576, 81).round())
SHOWN = (ATTENTION, WINDOW, "sum", "delta")
READS = {"sum": 2, "delta": 3}
"""Rule -> how often a token goes through the whole matrix: to write and to read; and to ask first, where it asks."""


@dataclass(frozen=True)
class Cost:
    """Of one head, when the token after `LENGTHS` others comes."""

    width: int
    length: int
    """Of the window."""
    state: dict[str, np.ndarray]
    """Memory -> (lengths,) bytes that are kept."""
    work: dict[str, np.ndarray]
    """Memory -> (lengths,) multiplications for one token."""


def compute(width: int, length: int) -> Cost:
    """Counts, for keys and values of `width` numbers and a window of `length` tokens.

    A pair is `2 width` numbers, each of which meets the query or its weight once; a matrix is `width` squared, and each
    pass through it as many multiplications. Raises ValueError for a width or a window below 1.
    """
    if width < 1 or length < 1:
        raise ValueError(f"width {width}, window {length}: give 1 or more")
    kept = {ATTENTION: LENGTHS, WINDOW: np.minimum(LENGTHS, length)}
    numbers = {name: 2 * width * n for name, n in kept.items()} | {name: width**2 + 0 * LENGTHS for name in READS}
    work = {name: READS.get(name, 1) * count for name, count in numbers.items()}
    return Cost(width, length, {name: BYTES * count for name, count in numbers.items()}, work)


def chart(cost: Cost) -> Chart:
    """State and work by length, both on logarithmic axes."""
    plots = []
    for title, y, of in (
        (f"State: a matrix is {window(cost.width):,} pairs", "bytes, one head", cost.state),
        (f"Work: attention passes delta after {3 * cost.width // 2:,} tokens", "multiplications per token", cost.work),
    ):
        lines = tuple(Line(name, LENGTHS, of[name], LOOKS[name], strong=name == ATTENTION) for name in SHOWN)
        plots.append(Plot(title, "tokens read", y, lines, x_range=(1, 1e6), y_range=(30, 3e9), x_log=True, y_log=True))
    return tuple(plots)


def cost_of_context() -> Explorer[Cost]:
    """The explorer: the width of a head, and the window's length."""
    return Explorer(
        compute,
        {
            "width": stops("Width of a head", 64, (16, 32, 64, 128, 256)),
            "length": stops("Window (tokens)", 1024, (32, 128, 512, 1024, 4096)),
        },
        chart,
        alt="Left, bytes of state against tokens read, both logarithmic: attention rises without end, its window until 1,024 "
        "tokens; a matrix stays where attention is after 32 pairs. Right, multiplications per token: attention rises likewise, "
        "and passes the sum after 64 tokens and delta after 96.",
        try_this="Double the width: attention's line moves up by two, the matrix by four. At which length are they level now? "
        "And at which window has the window as many bytes as the matrix?",
        name="cost_of_context",
    )
