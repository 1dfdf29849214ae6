"""Shared runs between two texts: found wherever they lie, and cut out by lines."""

import numpy as np
import pytest

from nlcore.tasks import overlap
from nlcore.tasks.overlap import BLOCK


def text(seed: int, lines: int) -> bytes:
    letters = np.random.default_rng(seed).integers(97, 123, (lines, 40), np.uint8)
    return b"".join(row.tobytes() + b"\n" for row in letters)


@pytest.mark.parametrize("ahead", [0, 1, 63, 127, 200])
def test_a_run_of_two_blocks_is_found_at_every_offset(ahead):
    own, run, width = text(0, 20), text(1, 7), 2 * BLOCK - 1
    known = text(3, 8)[:ahead] + run
    kept = overlap.without(own + run + own, overlap.blocks([text(2, 9), known]))
    assert kept.startswith(own) and kept.endswith(own) and len(kept) < 2 * len(own) + len(run)
    assert not any(kept[at : at + width] in known for at in range(len(kept) - width + 1))


def test_every_line_that_touches_a_shared_run_goes_and_no_other():
    run = text(1, 7)
    known = overlap.blocks([run])
    before, after = text(4, 3), text(5, 3)
    kept = overlap.without(before + b"so " + run[:-1] + b" on\n" + after, known)
    assert kept == before + after


def test_short_and_unlike_texts_stay_as_they_are():
    for own in (b"", b"a", text(0, 3)[:BLOCK], text(0, 90)):
        assert overlap.without(own, overlap.blocks([text(1, 90), b"short"])) == own
        assert overlap.without(own, overlap.blocks([])) == own
