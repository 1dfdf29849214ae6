"""Store and recall: against plain loops, the stored table against a new measurement, and what must hold in it."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from nlcore.viz.explorers.store_and_recall import (
    COSINES,
    LOADS,
    RULES,
    SHOWN,
    WIDTHS,
    chart,
    compute,
    draw_pairs,
    measure,
    streams,
)

WIDTH = WIDTHS[0]
MATRIX = ("Hebbian", "Oja", "delta", "ridge")


def matrix_by_hand(rule: str, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The matrix after the pairs k and v, (T, width), with nothing but numpy."""
    if rule == "ridge":
        return np.linalg.lstsq(k, v, rcond=None)[0].T
    w = np.zeros((WIDTH, WIDTH))
    for key, value in zip(k, v):
        if rule == "Oja":
            w += np.outer(value, key - w.T @ value)
        else:
            w += np.outer(value if rule == "Hebbian" else value - w @ key, key)
    return w


@pytest.mark.parametrize("keys", COSINES)
@pytest.mark.parametrize("rule", MATRIX)
def test_matrices_are_the_plain_loops(rule, keys):
    k, v = (x.double().numpy() for x in draw_pairs(WIDTH, keys))
    errors, shown = measure(WIDTH, keys, rule)
    for i, load in enumerate(LOADS):
        n = round(load * WIDTH)
        found = [k[:n, s] @ matrix_by_hand(rule, k[:n, s], v[:n, s]).T for s in range(streams(WIDTH))]
        costs = [((a - v[:n, s]) ** 2).sum(-1).mean() for s, a in enumerate(found)]
        assert errors[i] == pytest.approx(np.mean(costs), rel=2e-3, abs=1e-4)
        if n <= SHOWN:
            too_much = v[:n, 0] @ (found[0] - v[:n, 0]).T
            np.testing.assert_allclose(shown[i, :n, :n], too_much + np.eye(n), atol=2e-3)
            assert np.isnan(shown[i, n:]).all()


def test_the_mlp_is_sgd_one_pair_at_a_time():
    k, v = draw_pairs(WIDTH, "random")
    errors, _ = measure(WIDTH, "random", "MLP, 1 pass")
    n = round(LOADS[4] * WIDTH)
    inner = torch.randn(4 * WIDTH, WIDTH, generator=torch.Generator().manual_seed(0))
    costs = []
    for s in range(streams(WIDTH)):
        weights = [torch.zeros(WIDTH, 4 * WIDTH).requires_grad_(), inner.clone().requires_grad_()]
        sgd = torch.optim.SGD(weights, lr=1.5 / (4 * WIDTH))
        for t in range(n):
            sgd.zero_grad()
            ((weights[0] @ F.silu(weights[1] @ k[t, s]) - v[t, s]).square().sum() / 2).backward()
            sgd.step()
        answers = F.silu(k[:n, s] @ weights[1].T) @ weights[0].T
        costs.append((answers - v[:n, s]).square().sum(-1).mean().item())
    assert errors[4] == pytest.approx(np.mean(costs), rel=1e-3)


QUICK = [(rule, keys) for rule in RULES[:-1] for keys in COSINES]


@pytest.mark.parametrize("rule, keys", [*QUICK, (RULES[-1], "random")])
def test_the_stored_table_is_what_is_measured(rule, keys):
    errors, shown = measure(WIDTH, keys, rule)
    for i, load in enumerate(LOADS):
        found = compute(rule, load, WIDTH, keys)
        assert found.errors[rule][i] == pytest.approx(errors[i], abs=2e-3)
        size = len(found.matrix)
        assert size == min(round(load * WIDTH), SHOWN)
        np.testing.assert_allclose(found.matrix, shown[i, :size, :size].clip(-1, 1), atol=0.02)


@pytest.mark.parametrize("width", WIDTHS)
def test_keys_are_of_the_kind_they_are_called(width):
    for keys, cosine in COSINES.items():
        k, v = draw_pairs(width, keys)
        assert torch.allclose(k.norm(dim=-1), torch.ones(())) and torch.allclose(v.norm(dim=-1), torch.ones(()))
        products = torch.einsum("isd,jsd->sij", k, k)
        if cosine is None:
            assert (products[:, :width, :width] - torch.eye(width)).abs().max() < 1e-5
        else:
            apart = ~torch.eye(2 * width, dtype=torch.bool)
            assert products[:, apart].mean().item() == pytest.approx(cosine, abs=0.06)


@pytest.mark.parametrize("width", WIDTHS)
def test_what_theory_says_holds_in_the_table(width):
    full = LOADS.index(1.0)
    exact, drawn = (compute("delta", 1.0, width, keys).errors for keys in ("orthonormal", "random"))
    for rule in ("Hebbian", "delta", "ridge"):
        assert exact[rule][: full + 1].max() < 1e-6 and exact[rule][full + 1] > 0.1
    identity = compute("ridge", 1.0, width, "random").matrix
    np.testing.assert_allclose(identity, np.eye(SHOWN), atol=0.01)
    for keys in COSINES:
        assert compute("delta", 1.0, width, keys).errors["ridge"][: full + 1].max() < 1e-5
    np.testing.assert_allclose(drawn["Hebbian"], LOADS, atol=0.25)  # each other pair adds 1 / width
    assert drawn["ridge"][-1] == pytest.approx(0.5, abs=0.05)  # half of the values lies outside what the keys reach
    assert drawn[RULES[-1]][-1] < 0.15


def test_a_setting_that_is_not_in_the_table_gets_one_sentence():
    with pytest.raises(ValueError, match="that the controls offer"):
        compute("delta", 1.0, 17, "random")


def test_the_rule_that_is_looked_at_is_drawn_strong():
    lines = chart(compute("Oja", 1.0, 32, "random"))[0].lines
    assert [line.name for line in lines if line.strong] == ["Oja"]
