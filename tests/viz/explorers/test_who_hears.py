"""Who hears whom: the staircase of every reading, counted by hand, and never a token of the future."""

import numpy as np
import pytest

from nlcore.viz.explorers.who_hears import CHUNKS, FAINTEST, T, chart, compute


def by_hand(reads, chunk):
    """How many earlier tokens each output hears: whole chunks, and with reads inside a chunk all."""
    return [t if reads != "boundary" else t // chunk * chunk for t in range(T)]


@pytest.mark.parametrize("reads", ["boundary", "before", "after"])
@pytest.mark.parametrize("chunk", CHUNKS)
def test_an_output_hears_what_its_reading_says_and_nothing_later(reads, chunk):
    heard = compute(reads, chunk, 2)
    assert heard.earlier.tolist() == by_hand(reads, chunk)
    assert (heard.change[np.triu_indices(T, 1)] == FAINTEST).all()
    assert np.allclose(heard.change.diagonal(), 0)


def test_where_nothing_is_written_the_chart_says_so():
    notes = {chunk: chart(compute("boundary", chunk, 1))[1].note for chunk in CHUNKS}
    assert [chunk for chunk, note in notes.items() if note] == [32]


def test_bad_arguments_are_one_sentence():
    with pytest.raises(ValueError, match="choose one of boundary, before, after"):
        compute("sometimes", 4, 1)
