"""Near-duplicates: how much of a document stands in another text, against a count of all its runs."""

import numpy as np
import pytest

from nlcore.tasks import near


def runs(tokens: np.ndarray, width: int) -> set[bytes]:
    return {tokens[at : at + width].tobytes() for at in range(len(tokens) - width + 1)}


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
def test_the_share_is_close_to_that_of_all_runs(kind):
    draw, width = np.random.default_rng(0), near.WIDTHS[np.dtype(kind).itemsize]
    text = draw.integers(0, 200, 40_000).astype(kind)
    documents = []
    for part in (0.0, 0.2, 0.5, 0.8, 1.0):
        document = draw.integers(0, 200, 6000).astype(kind)
        document[: int(6000 * part)] = text[7000 : 7000 + int(6000 * part)]
        documents.append(document)
    found = near.shares(documents, near.pieces(text))
    exact = [len(runs(document, width) & runs(text, width)) / len(runs(document, width)) for document in documents]
    np.testing.assert_allclose(found, exact, atol=0.05)
    assert found[0] == 0 and found[-1] == 1


def test_one_run_in_eight_is_chosen_and_the_same_ones_wherever_they_stand():
    tokens = np.random.default_rng(1).integers(0, 256, 80_000).astype(np.uint8)
    whole = near.chosen(tokens)
    assert 0.12 < len(whole) / len(tokens) < 0.13
    assert set(near.chosen(tokens[1234:5678])) <= set(whole)


def test_no_run_is_lost_between_two_pieces(monkeypatch):
    monkeypatch.setattr(near, "PIECE", 100)
    tokens = np.random.default_rng(2).integers(0, 256, 5000).astype(np.uint16)
    assert sorted(np.concatenate([near.chosen(piece) for piece in near.pieces(tokens)])) == sorted(near.chosen(tokens))


def test_what_is_short_or_empty_has_no_share():
    short, text = np.zeros(5, np.uint16), np.arange(2000, dtype=np.uint16)
    assert near.shares([short, text[:0]], near.pieces(text)).tolist() == [0, 0]
    assert near.shares([], near.pieces(text)).tolist() == []
