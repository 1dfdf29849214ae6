"""Bits per byte, the windows they are taken on, samples, and surprise over text."""

import numpy as np
import pytest
import torch

from nlcore.models import frozen_memories
from nlcore.tasks.tokenizers import ByteTokenizer
from nlcore.train import device, evaluate, parts
from nlcore.train.evaluate import HeldOut
from nlcore.train.folder import RunFolder
from tests.train.small import small

CPU = device.choose("cpu", "auto")


@pytest.fixture
def made(tmp_path):
    return parts.make(small(), RunFolder(tmp_path), CPU)


def score(made, windows=4):
    return evaluate.score(made.model, made.held_out, windows, CPU, lambda: None)


def test_a_model_that_knows_nothing_needs_eight_bits(made):
    torch.nn.init.zeros_(made.model.embedding.weight)
    found = score(made)
    assert found.bits_per_byte == pytest.approx(8, abs=1e-5) and found.bytes == 4 * 32


def test_the_score_is_the_mean_over_the_fixed_windows(made):
    assert score(made) == score(made)
    nats = [
        torch.nn.functional.cross_entropy(made.model(x).logits.mT, y, reduction="none").flatten()
        for x, y in made.held_out.windows(4)
    ]
    assert score(made).bits_per_byte == pytest.approx(torch.cat(nats).mean().item() / np.log(2), rel=1e-5)


def test_frozen_memories_change_the_score(made):
    with frozen_memories(made.model):
        frozen = score(made)
    assert frozen.bytes == score(made).bytes and frozen.bits_per_byte != score(made).bits_per_byte


def test_the_pieces_hold_exactly_the_pairs_that_are_scored():
    text = bytes(range(65, 65 + 41))
    held_out = HeldOut(np.frombuffer(text, np.uint8), ByteTokenizer(), 10, 3)
    for count in (1, 2, 3, 4):
        scored = [(a, b) for x, y in held_out.windows(count) for a, b in zip(x.flatten().tolist(), y.flatten().tolist())]
        assert [pair for piece in held_out.pieces(count) for pair in zip(piece, piece[1:])] == scored
    assert list(held_out.pieces(2)) == [text[0:11], text[20:31]]


def test_a_tokens_bytes_are_counted_also_where_a_token_is_many():
    class Pairs:
        def decode(self, tokens):
            return "äb" * len(tokens)

    assert evaluate.text_of(np.array([3, 4]), Pairs()) == "äbäb".encode()


def test_a_sample_goes_on_from_the_prompt_and_leaves_the_random_state_alone(made):
    before = torch.get_rng_state()
    prompt, text = evaluate.sample(made.model, made.held_out, 20, CPU, seed=1)
    assert made.corpus.validation[0].content.decode().startswith(prompt) and len(prompt) == 32
    assert evaluate.sample(made.model, made.held_out, 20, CPU, seed=1) == (prompt, text)
    assert len(text) > 0 and torch.equal(torch.get_rng_state(), before)


def test_surprise_has_a_number_for_each_token(made, tmp_path):
    felt = evaluate.surprise(made.model, made.held_out, CPU)
    assert felt.keys() == {"tokens", "surprise", "eta", "alpha"} and {len(v) for v in felt.values()} == {32}
    assert "".join(felt["tokens"]) == made.corpus.validation[0].content.decode()[:32]
    assert min(felt["surprise"]) > 0 and 0 < max(felt["eta"]) <= 0.5
    rival = parts.make(small(model="transformer"), RunFolder(tmp_path), CPU)
    assert evaluate.surprise(rival.model, rival.held_out, CPU) is None
