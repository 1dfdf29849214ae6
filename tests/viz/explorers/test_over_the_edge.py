"""Over the edge: the chunks against memories and ops, and each edge against the theorem."""

import numpy as np
import pytest
import torch

from nlcore.memory import L2, AssociativeMemory, Decay, DeltaGradientDescent, DotProduct, GradientDescent, Linear, Rates
from nlcore.ops.delta_rule import inside_naive, share_budget
from nlcore.viz.explorers import over_the_edge as explorer
from nlcore.viz.explorers.over_the_edge import CHUNK, CHUNKS, CURVE, FORMS, TEXTS, WIDTH, compute, keys, learn, rates

AT_ONCE, BY_TOKEN, DESCENT, DOT = FORMS
PAIRS = {BY_TOKEN: (L2(), DeltaGradientDescent()), DESCENT: (L2(), GradientDescent()), DOT: (DotProduct(), DeltaGradientDescent())}


def drawn():
    draw = np.random.default_rng(1)
    start, v = draw.standard_normal((WIDTH, WIDTH)), draw.standard_normal((CHUNK, WIDTH))
    return start, keys("a turning key"), v, draw.uniform(0, 0.5, CHUNK)


@pytest.mark.parametrize("form", PAIRS)
def test_a_chunk_is_written_as_the_memory_writes_it(form):
    start, k, v, eta = drawn()
    memory = AssociativeMemory(Linear(WIDTH, WIDTH), *PAIRS[form], Decay())
    first = state = memory.start((), (torch.from_numpy(start),))
    for t, (key, value, rate) in enumerate(zip(*(torch.from_numpy(x) for x in (k, v, eta)))):
        given = Rates(rate, torch.tensor(0.3 if t == 0 else 1.0, dtype=torch.float64))
        state, _ = memory.write(state, key, value, given, at=first)
    np.testing.assert_allclose(learn(form, start, k, v, eta, 0.3), state.memory[0].numpy(), atol=1e-10)


def test_all_at_once_is_what_a_read_inside_the_chunk_sees():
    start, k, v, eta = drawn()
    alpha = torch.tensor([0.3] + [1.0] * (CHUNK - 1), dtype=torch.float64)
    x, weight, rate = (torch.from_numpy(a) for a in (k, start, eta))
    delta = x @ weight.mT - torch.from_numpy(v)
    answers = inside_naive(x, delta, rate, 1e9, alpha.log(), weight, x)
    np.testing.assert_allclose(learn(AT_ONCE, start, k, v, eta, 0.3) @ k[-1], answers[-1].numpy(), atol=1e-10)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("form", FORMS)
def test_the_budget_is_share_budget(form, text):
    x, eta = torch.from_numpy(keys(text)), torch.full((CHUNK,), 0.4).double()
    shared = share_budget(x @ x.mT, eta, FORMS[form])
    np.testing.assert_allclose(rates(form, x.numpy(), np.array([0.4]), True)[0], shared.numpy(), atol=1e-12)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
def test_on_one_key_each_edge_stands_where_theory_has_it(alpha):
    edges = {form: compute(form, "one key", 1.0, alpha, False).edge for form in FORMS}
    assert edges[AT_ONCE] == pytest.approx((1 + alpha) / 2, abs=1e-6)
    assert edges[DESCENT] == pytest.approx(1 + alpha, abs=1e-6)
    assert edges[DOT] == np.inf and (edges[BY_TOKEN] == np.inf or edges[BY_TOKEN] > CHUNK / 2)


def test_orthogonal_keys_bear_sixteen_times_as_much_and_a_turning_key_fells_what_one_key_does_not():
    assert compute(AT_ONCE, "orthogonal keys", 1.0, 0.0, False).edge == pytest.approx(CHUNK / 2, abs=1e-6)
    assert compute(BY_TOKEN, "one key", 1.0, 1.0, False).edge == np.inf
    assert compute(BY_TOKEN, "a turning key", 1.0, 1.0, False).edge < 4


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("form", FORMS)
def test_with_the_budget_nothing_grows(form, text, alpha):
    assert compute(form, text, float(CURVE[-1]), alpha, True).growth[True].max() <= 1 + 1e-9


def test_distances_grow_by_the_factor():
    found = compute(AT_ONCE, "one key", 1.25, 0.5, False)
    np.testing.assert_allclose(found.apart, found.factor ** np.arange(CHUNKS + 1), rtol=1e-6)
    assert found.factor == pytest.approx(2.0)
    turning = compute(BY_TOKEN, "a turning key", 8.0, 1.0, False)
    assert turning.apart[CHUNKS] / turning.apart[CHUNKS - 2] == pytest.approx(turning.factor**2, rel=1e-6)


def test_bad_arguments_are_one_sentence():
    with pytest.raises(ValueError, match="take one of Delta GD, all at once"):
        compute("Oja", "one key", 1.0, 1.0, False)


def test_the_title_says_where_the_edge_is():
    assert explorer.chart(compute(AT_ONCE, "one key", 1.0, 0.5, False))[1].title == "Without budget the edge is at Ση = 0.75"
    assert explorer.chart(compute(DOT, "one key", 1.0, 0.5, True))[1].title == "Without budget no Ση in view is too large"
