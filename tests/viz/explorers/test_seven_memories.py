"""Seven memories: every answer against the rules written out, and what becomes of the corrected fact."""

import numpy as np
import pytest

from nlcore.viz.explorers.seven_memories import NEW, OLD, STREAMS, TEXT, compute, vectors
from nlcore.viz.family import BANDWIDTH, NAMES


def by_hand(name, k, v, alpha):
    """The matrix after these pairs, (T, d) each, in numpy; the window rule looks back at four."""
    W = np.zeros((k.shape[1], k.shape[1]))
    for t, (key, value) in enumerate(zip(k, v)):
        match name:
            case "sum":
                W = W + np.outer(value, key)
            case "decay":
                W = alpha * W + np.outer(value, key)
            case "delta":
                W = W + np.outer(value - W @ key, key)
            case "gated":
                W = alpha * W + np.outer(value - W @ key, key)
            case "Oja":
                W = W + np.outer(value, key - W.T @ value)
            case "Omega":
                W = W + sum(np.outer(v[i] - W @ k[i], k[i]) for i in range(max(0, t - 3), t + 1))
    return W


def averaged(q, k, v):
    weights = np.exp(k @ q / BANDWIDTH)
    return weights @ v / weights.sum()


@pytest.mark.parametrize("read, width, alpha", [(16, 24, 0.9), (5, 8, 0.6), (9, 16, 1.0)])
def test_recall_is_that_of_the_rules_written_out(read, width, alpha):
    k, v = (part.double().numpy() for part in vectors(width))
    found, cosines = compute(read, width, alpha).recall, np.zeros((read, len(NAMES), STREAMS))
    for s in range(STREAMS):
        for m, name in enumerate(NAMES):
            if name in ("attention", "window"):
                first = max(0, read - width // 2) if name == "window" else 0
                answers = np.stack([averaged(k[i, s], k[first:read, s], v[first:read, s]) for i in range(read)])
            else:
                answers = k[:read, s] @ by_hand(name, k[:read, s], v[:read, s], alpha).T
            lengths = np.linalg.norm(answers, axis=-1) * np.linalg.norm(v[:read, s], axis=-1)
            cosines[:, m, s] = (answers * v[:read, s]).sum(-1) / lengths
    np.testing.assert_allclose(found[:read], cosines.mean(-1), atol=1e-3)
    assert np.isnan(found[read:]).all()


def test_the_sum_blurs_delta_overwrites_and_attention_keeps_both():
    held = compute(len(TEXT), 24, 0.9)
    old, rest, new = (dict(zip(NAMES, part)) for part in held.parts)
    assert old["sum"] == pytest.approx(new["sum"], abs=0.1) and rest["sum"] > 0.5
    assert abs(old["delta"]) < 0.1 and new["delta"] > 0.7
    assert old["attention"] == pytest.approx(0.5, abs=0.01) == new["attention"] and rest["attention"] < 0.01
    assert old["window"] == pytest.approx(0, abs=0.01) and new["window"] == pytest.approx(1, abs=0.01)


def test_oja_takes_a_value_from_its_old_key_and_delta_a_key_from_its_old_value():
    dan, oja, delta = 3, NAMES.index("Oja"), NAMES.index("delta")
    before, after = compute(13, 24, 0.9).recall, compute(14, 24, 0.9).recall
    assert before[dan, oja] > 0.5 and abs(after[dan, oja]) < 0.1 and after[dan, delta] > 0.5
    before, after = compute(NEW, 24, 0.9).recall, compute(NEW + 1, 24, 0.9).recall
    assert before[OLD, delta] > 0.5 and abs(after[OLD, delta]) < 0.1 and after[OLD, oja] > 0.4


def test_before_the_first_statement_nothing_is_held():
    held = compute(0, 24, 0.9)
    assert np.isnan(held.recall).all() and not held.parts.any()


def test_bad_arguments_are_one_sentence():
    with pytest.raises(ValueError, match="there are 16"):
        compute(17, 24, 0.9)
