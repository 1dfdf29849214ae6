"""Learning against memorising: closed forms against plain loops over the same pairs, and what must follow."""

import numpy as np
import pytest

from nlcore.viz.explorers.learn_or_memorise import STEPS, STREAMS, STRENGTHS, chart, compute


def drawn(pairs: int, width: int, noise: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Keys, hidden maps and noisy values, as the explorer draws them."""
    draw = np.random.default_rng(pairs)
    shapes = (pairs, width), (width, width), (pairs, width)
    k, a, e = (draw.normal(size=(STREAMS, *shape)) / width**0.5 for shape in shapes)
    return k, a, k @ a.transpose(0, 2, 1) + noise * e


def errors(w: np.ndarray, k: np.ndarray, a: np.ndarray, v: np.ndarray) -> tuple[float, float]:
    """Of memories w: on the pairs stored, and on all keys there could be (the mean over unit Gaussian keys)."""
    pairs, width = k.shape[1:]
    return ((k @ w.transpose(0, 2, 1) - v) ** 2).sum() / pairs / STREAMS, ((w - a) ** 2).sum() / width / STREAMS


@pytest.mark.parametrize("pairs, noise, width", [(5, 0.5, 8), (8, 0.3, 8), (24, 1.0, 8)])
def test_it_is_the_plain_computation(pairs, noise, width):
    k, a, v = drawn(pairs, width, noise)
    found = compute(pairs, noise, width)
    for i in range(0, len(STRENGTHS), 8):
        gram = k.transpose(0, 2, 1) @ k + STRENGTHS[i] * np.eye(width)
        w = np.linalg.solve(gram, k.transpose(0, 2, 1) @ v).transpose(0, 2, 1)
        np.testing.assert_allclose((found.ridge.stored[i], found.ridge.unseen[i]), errors(w, k, a, v), rtol=1e-6)
    w = np.zeros_like(a)
    step = 1 / np.linalg.norm(k, 2, axis=(1, 2))[:, None, None] ** 2
    for n in range(1, 101):
        w -= step * (k @ w.transpose(0, 2, 1) - v).transpose(0, 2, 1) @ k
        if n in STEPS:
            i = int(np.flatnonzero(n == STEPS)[0])
            both = found.descent.stored[i], found.descent.unseen[i]
            np.testing.assert_allclose(both, errors(w, k, a, v), rtol=1e-8)


def test_what_is_unseen_is_the_error_on_fresh_keys():
    found, (k, a, v) = compute(24, 0.5, 8), drawn(24, 8, 0.5)
    fresh = np.random.default_rng(1).normal(size=(STREAMS, 4000, 8)) / 8**0.5
    gram = k.transpose(0, 2, 1) @ k + STRENGTHS[20] * np.eye(8)
    w = np.linalg.solve(gram, k.transpose(0, 2, 1) @ v).transpose(0, 2, 1)
    tried = ((fresh @ (w - a).transpose(0, 2, 1)) ** 2).sum() / 4000 / STREAMS
    assert found.ridge.unseen[20] == pytest.approx(tried, rel=0.02)


def test_with_noise_and_as_many_pairs_as_numbers_in_a_key_it_memorises():
    found = compute(32, 0.5, 32)
    assert found.ridge.stored[0] < 0.01 and found.ridge.unseen[0] > 3
    assert found.ridge.unseen.min() < 0.5 and found.descent.unseen.min() < 0.5
    assert 0 < found.descent.best < len(STEPS) - 1 and 0 < found.ridge.best < len(STRENGTHS) - 1


def test_without_noise_more_steps_are_always_better():
    found = compute(64, 0.0, 32)
    assert (np.diff(found.descent.unseen) <= 0).all() and (np.diff(found.ridge.unseen) >= 0).all()


@pytest.mark.parametrize("pairs, noise, width", [(0, 0.5, 8), (8, -0.1, 8), (8, 0.5, 0)])
def test_bad_arguments_are_one_sentence(pairs, noise, width):
    with pytest.raises(ValueError, match="1 or more"):
        compute(pairs, noise, width)


def test_a_best_at_the_edge_of_the_grid_is_said_to_be_one():
    assert [plot.title.split(", error")[0] for plot in chart(compute(32, 0.0, 32))] == [
        "Ridge: best as weak as possible", "Descent: best after as many steps as you like",
    ]  # fmt: skip
    assert chart(compute(32, 0.5, 32))[1].title == "Descent: best after 8 steps, error 0.41"
