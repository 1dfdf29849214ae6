"""The forgetting curve: against plain loops, and what each retention must do."""

import numpy as np
import pytest
import torch

from nlcore.viz.explorers.forgetting_curve import NEW, OLD, RULES, STREAMS, chart, compute

GAMMAS = (0.4, 0.6, 0.8, 1.0)


def change(rule: str, w: np.ndarray, k: np.ndarray, v: np.ndarray, t: int) -> np.ndarray:
    """One unit step of a rule on the matrix w, for the words up to t."""
    if rule == "Hebbian":
        return np.outer(v[t], k[t])
    if rule == "Oja":
        return np.outer(v[t], k[t] - w.T @ v[t])
    if rule == "delta":
        return np.outer(v[t] - w @ k[t], k[t])
    last = range(max(t - 3, 0), t + 1)
    return sum(GAMMAS[3 - (t - i)] * np.outer(v[i] - w @ k[i], k[i]) for i in last)


def by_hand(rule: str, pull: bool, alpha: float, eta: float, width: int) -> tuple[np.ndarray, float]:
    """Recall of the new words by age, and of the old ones, with nothing but numpy."""
    pairs = torch.randn(2, OLD + NEW, STREAMS, width, generator=torch.Generator().manual_seed(0)).double().numpy()
    keys, values = pairs / np.linalg.norm(pairs, axis=-1, keepdims=True)
    recall = np.zeros((STREAMS, OLD + NEW))
    for s in range(STREAMS):
        k, v = keys[:, s], values[:, s]
        start = w = np.linalg.lstsq(k[:OLD], v[:OLD], rcond=None)[0].T
        for t in range(NEW):
            kept = start + alpha * (w - start) if pull else alpha * w
            w = kept + eta * change(rule, w, k[OLD:], v[OLD:], t)
        a = k @ w.T
        recall[s] = (a * v).sum(-1) / np.linalg.norm(a, axis=-1)
    return recall.mean(0)[OLD:][::-1], recall[:, :OLD].mean()


@pytest.mark.parametrize("retention, alpha, eta, width", [("decay", 0.9, 1.0, 16), ("pull to start", 0.95, 0.5, 32)])
def test_it_is_the_plain_loop(retention, alpha, eta, width):
    found = compute(alpha, eta, width)
    for rule in RULES:
        new, old = by_hand(rule, retention != "decay", alpha, eta, width)
        np.testing.assert_allclose(found.new[retention][rule], new, atol=2e-4)
        assert found.old[retention][rule] == pytest.approx(old, abs=2e-4)


def test_pulled_to_its_start_a_memory_keeps_what_it_knew_and_pays_in_new_words():
    found = compute(0.95, 1.0, 32)
    for rule in RULES:
        assert found.old["pull to start"][rule] > found.old["decay"][rule] + 0.3
        assert found.new["pull to start"][rule].mean() < found.new["decay"][rule].mean()


def test_if_nothing_fades_the_retentions_are_one():
    found = compute(1.0, 1.0, 32)
    for rule in RULES:
        np.testing.assert_allclose(found.new["decay"][rule], found.new["pull to start"][rule], atol=1e-4)


def test_the_curves_are_those_of_the_rules_and_not_of_the_draw():
    """Over so many streams recall falls with age, but for what noise remains."""
    for recall in compute(0.95, 1.0, 32).new["decay"].values():
        assert np.diff(recall).max() < 0.06


def test_each_plot_draws_every_rule_in_one_look():
    for plot in chart(compute(0.9, 1.0, 16)):
        curves, points = plot.lines[: len(RULES)], plot.lines[len(RULES) :]
        assert [line.name for line in curves] == list(RULES)
        assert [line.look for line in curves] == [line.look for line in points]


@pytest.mark.parametrize("alpha, width", [(1.1, 32), (-0.1, 32), (0.9, 4)])
def test_bad_arguments_are_one_sentence(alpha, width):
    with pytest.raises(ValueError, match="alpha is 0 to 1, width 8 or more"):
        compute(alpha, 1.0, width)
