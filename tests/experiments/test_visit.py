"""The visit: its texts, its journey, and that reading it is what the trained model does."""

import math

import pytest
import torch
import torch.nn.functional as F

from experiments import visit
from experiments.visit import (
    AWAY, BEFORE, BIN, EARLIEST, EXPERIMENT, LATEST, MODEL, ROWS, TOKENS, WINDOW, configuration, course, encoded,
    levels_of, read, texts,
)  # fmt: skip
from nlcore.models import InnerLevel
from nlcore.train import load


def test_only_letters_change_and_only_abroad():
    tokens, departures = texts(0)
    assert tokens.shape == (ROWS, TOKENS) and all(EARLIEST <= start < LATEST for start in departures.tolist())
    plain = visit._english()[0][: ROWS * TOKENS].view(ROWS, TOKENS)
    for row, before, start in zip(tokens, plain, departures.tolist()):
        changed = (row != before).nonzero()[:, 0]
        assert changed.min() >= start and changed.max() < start + AWAY and len(changed) > AWAY / 2
        kinds = [[chr(t).isalpha(), chr(t).isupper()] for t in row.tolist()]
        assert kinds == [[chr(t).isalpha(), chr(t).isupper()] for t in before.tolist()]


def test_a_code_is_one_to_one_and_no_two_texts_share_it():
    letters = torch.arange(97, 123)
    codes = [encoded(letters, torch.Generator().manual_seed(seed)) for seed in range(5)]
    assert all(sorted(code.tolist()) == letters.tolist() for code in codes)
    assert len({tuple(code.tolist()) for code in codes}) == 5
    shared = [texts(seed)[0] for seed in range(len(EXPERIMENT.seeds))]
    first = [bytes(row[:EARLIEST].tolist()) for rows in shared for row in rows]
    assert len(set(first)) == len(first)


def test_without_steps_it_is_the_model_window_by_window():
    model, _ = load(MODEL)
    tokens = texts(0)[0][:2, : 2 * WINDOW + 10]
    expected = torch.cat([model(window).logits for window in tokens.split(WINDOW, 1)], 1).detach()
    bits = F.cross_entropy(expected[:, :-1].mT, tokens[:, 1:], reduction="none") / math.log(2)
    for levels in ([InnerLevel("cms-3", TOKENS, 0.0)], levels_of(EXPERIMENT.arms[0].settings, 0.0)):
        torch.testing.assert_close(read(model, tokens, levels), bits, rtol=0, atol=1e-4)


def test_levels_go_on_from_window_to_window():
    model, _ = load(MODEL)
    tokens = texts(0)[0][:1, : 2 * WINDOW]
    levels = [InnerLevel("cms-3", 64, 0.3)]
    both, alone = read(model, tokens, levels), read(model, tokens[:, WINDOW:], levels)
    frozen = read(model, tokens, [InnerLevel("cms-3", TOKENS, 0.0)])
    assert torch.equal(both[:, :63], frozen[:, :63]) and not torch.equal(both[:, 64:128], frozen[:, 64:128])
    assert not torch.allclose(both[:, WINDOW : WINDOW + 60], alone[:, :60], atol=1e-3)


def test_a_curve_counts_from_each_rows_departure():
    bits, departures = torch.zeros(ROWS, TOKENS - 1), torch.tensor([1024, 1100, 1500, 2047])
    for row, start in zip(bits, departures.tolist()):
        row[start - 1 : start - 1 + AWAY] = 1.0  # what a token costs stands one before it
    assert course(bits, departures) == [0.0] * BEFORE + [1.0] * (AWAY // BIN) + [0.0] * (AWAY // BIN)


@pytest.mark.parametrize("name, moves", [
    ("three frequencies", (64, 256, 1024)), ("one frequency", (64, 64, 64)),
    ("one frequency, equal sum of rates", (64, 256, 1024)),
])  # fmt: skip
def test_the_controls_are_as_they_say(name, moves):
    """Tokens in which a level of the arm takes a whole rate."""
    levels = levels_of(EXPERIMENT.arm(name).settings, 0.1)
    assert tuple(round(level.period * 0.1 / level.rate) for level in levels) == moves


def test_a_configuration_names_text_and_model():
    found = configuration(EXPERIMENT.arms[0].settings, 0.1, 0)
    assert len(found["corpus"]) == len(found["model"]) == 64 and found["rate"] == 0.1
