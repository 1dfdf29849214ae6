"""Bits per byte by position: each reading against a plain loop over tokens."""

import numpy as np
import pytest
import torch

from nlcore.tasks.corpus import DataError
from nlcore.train import device, parts
from nlcore.train.evaluate import HeldOut
from nlcore.train.folder import RunFolder
from nlcore.train.positions import afresh, by_position, reading_on, through_a_window
from tests.train.small import small

CPU = device.choose("cpu", "auto")


@pytest.fixture(scope="module", params=["hope", "transformer"])
def made(request, tmp_path_factory):
    torch.manual_seed(0)
    return parts.make(small(model=request.param, context=9), RunFolder(tmp_path_factory.mktemp("run")), CPU)


def first_seen(reading, position, context):
    """Where the text begins that the token at `position` is predicted from, the token itself left out."""
    piece = position - position % context
    half = context // 2
    if reading is reading_on:
        return 0
    if reading is afresh or piece == 0:
        return piece
    return piece - half if position < piece + context - half else piece


@pytest.mark.parametrize("reading", [reading_on, afresh, through_a_window])
def test_a_reading_is_what_a_loop_over_tokens_finds(made, reading):
    context, pieces = made.held_out.context, 3
    found = by_position(made.model, made.held_out, reading, 3, pieces, CPU)
    assert found.shape == (3, pieces) and found.dtype == np.float64
    tokens, length = made.held_out.tokens, pieces * context
    whole = (len(tokens) - 1) // length
    for row, start in enumerate(i * whole // 3 * length for i in range(3)):
        text = torch.from_numpy(tokens[start : start + length + 1].astype(np.int64))[None]
        bits = []
        for position in range(length):
            begin = first_seen(reading, position, context)
            with torch.no_grad():
                logits = made.model(text[:, begin : position + 1]).logits[0, -1]
            bits.append(-logits.log_softmax(-1)[text[0, position + 1]].item() / np.log(2))
        np.testing.assert_allclose(found[row], np.reshape(bits, (pieces, context)).mean(1), rtol=2e-5)


def test_a_window_never_holds_more_than_the_context(made, monkeypatch):
    lengths, forward = [], type(made.model).forward
    monkeypatch.setattr(type(made.model), "forward", lambda *a: lengths.append(a[1].shape[1]) or forward(*a))
    by_position(made.model, made.held_out, through_a_window, 2, 4, CPU)
    assert set(lengths) == {9}


def test_all_stretches_are_whole_where_more_are_asked_for_than_there_are(made):
    found = by_position(made.model, made.held_out, afresh, 10**6, 4, CPU)
    assert found.shape == ((len(made.held_out.tokens) - 1) // 36, 4) and np.isfinite(found).all()


def test_a_token_of_many_bytes_counts_as_many(made):
    class Pairs:
        def decode(self, tokens):
            return "ab" * len(tokens)

    held_out = made.held_out
    pairs = HeldOut(held_out.tokens, Pairs(), held_out.context, held_out.batch)
    one, two = (by_position(made.model, text, reading_on, 2, 2, CPU) for text in (held_out, pairs))
    np.testing.assert_allclose(one, 2 * two)


def test_a_text_shorter_than_a_stretch_is_refused(made):
    with pytest.raises(DataError, match="give more text"):
        by_position(made.model, made.held_out, reading_on, 1, 10**6, CPU)
