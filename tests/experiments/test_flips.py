"""The parity learners: the ways to open one tell the truth, and chunks of either objective turn as is said."""

import math
from types import SimpleNamespace

import pytest
import torch

from experiments import flips
from experiments.experiment import introduction
from experiments.flips import ARMS, EXPERIMENT, Pairs, configuration, exchange, held, learner, positive, taught_by_start
from nlcore.layers import SelfModifyingTitans
from nlcore.layers.family import matrix
from nlcore.memory import L2, DotProduct
from nlcore.ops.delta_rule import delta_rule_chunked

DOT = ARMS["dot product, chunks of 16"][0]


@pytest.fixture(autouse=True)
def few(monkeypatch):
    monkeypatch.setattr(flips, "STRINGS", 32)
    monkeypatch.setattr(flips, "PAIRS", 16)
    monkeypatch.setattr(flips, "WINDOWS", {"seen": (2, 12), "longer": (13, 16), "longest": (17, 20), "far": (20, 20)})


@pytest.fixture(scope="module")
def learnt():
    """A learner of parity, which turns by its transition."""
    torch.manual_seed(0)
    model = learner(DOT)
    flips.train(model, DOT | dict(steps=100), 1e-2, 0)
    return model


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_gives_what_the_table_asks_for(name):
    found = flips.run(ARMS[name][0] | dict(steps=2, batch=4), 5e-3, 0, None)
    assert set(EXPERIMENT.columns) | {"nats", "carrier", "loss"} == set(found)
    assert math.isfinite(found["loss"]) and math.isfinite(found["nats"])


def test_a_run_is_decided_by_its_configuration():
    settings = DOT | dict(steps=2, batch=4)
    assert flips.run(settings, 5e-3, 0, None) == flips.run(settings, 5e-3, 0, None)
    assert flips.run(settings, 5e-3, 0, None) != flips.run(settings, 5e-3, 1, None)
    assert flips.run(settings, math.inf, 0, None) == {"nats": None}
    assert configuration(settings, 5e-3, 0)["settings"] == settings
    assert "parity" in introduction(EXPERIMENT, 2)


def test_a_learner_whose_transition_turns_needs_it_and_not_its_own_values(learnt):
    found = flips.measure(learnt)
    assert found["seen"] > 0.9 and found["taught"] > 0.9 and found["positive"] < 0.5


def test_the_parity_stands_in_the_main_memory_alone(learnt):
    found = exchange(learnt)
    assert found["memory"] > 0.9 and found["makers"] < 0.1
    assert found["carrier"].startswith("memory") and found["odd"] < 0 < found["even"]


def test_the_whole_state_of_the_donor_brings_all_its_answers(learnt):
    pairs = Pairs(learnt)
    of_donor, of_other = (learnt(pairs.after, state).logits.argmax(-1) for state in (pairs.first, pairs.second))
    assert pairs.follow("memory", (0, 0, 0)) <= pairs.follow("memory")
    pairs.second = (pairs.second[0]._replace(tail=pairs.first[0].tail, projections=pairs.first[0].projections),)
    right_donor, right_other = ((answers == pairs.labels).float().mean().item() for answers in (of_donor, of_other))
    assert pairs.follow("memory") == right_donor > right_other


def layer_of(objective, **choices):
    torch.manual_seed(0)
    layer = SelfModifyingTitans(8, 2, 4, (4, 4), reads="after", objective=objective, architecture=matrix, **choices)
    torch.nn.init.constant_(layer.bias_eta, 5.0)
    return layer, SimpleNamespace(blocks=[SimpleNamespace(mixer=layer)])


@pytest.mark.parametrize(("objective", "most"), [(L2(), 0.5), (DotProduct(), 1.0)])
def test_held_positive_no_write_turns_what_stood_at_its_key(monkeypatch, objective, most):
    layer, model = layer_of(objective)
    seen, rates = [], type(layer.learning.bound(1)).rates

    def watched(self, opened, eta, budget, decays):
        made = rates(self, opened, eta, budget, decays)
        seen.append((made * opened.overlap.diagonal(dim1=-2, dim2=-1) - most * decays.alpha).max().item())
        return made

    monkeypatch.setattr(type(layer.learning.bound(1)), "rates", watched)
    x = torch.randn(2, 9, 8)
    free = layer(x)[0]
    with held(model, positive):
        seen.clear()
        small = layer(x)[0]
        assert max(seen) < 1e-6
    assert (isinstance(objective, L2) or not torch.allclose(free, small)) and torch.equal(layer(x)[0], free)


def test_taught_by_its_start_a_memory_differs_from_the_second_chunk_on():
    layer, model = layer_of(DotProduct())
    x = torch.randn(2, 12, 8)
    free = layer(x)[0]
    with held(model, taught_by_start):
        taught = layer(x)[0]
    torch.testing.assert_close(taught[:, :4], free[:, :4])
    assert not torch.allclose(taught[:, 4:8], free[:, 4:8])


@pytest.mark.parametrize("ones", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("eta", [0.3, 0.5, 1.0, 1.7, 2.0])
def test_what_ones_in_one_chunk_make_of_what_stood_at_their_key(ones, eta):
    """(1 - eta)^n with the dot product; 2 (1 - eta)^n - 1 with L2, whose gradient stands still: to turn it amplifies."""
    key = torch.zeros(ones, 3, dtype=torch.float64)
    key[:, 0] = 1
    weight = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    rate, kept = torch.full((ones,), eta, dtype=torch.float64), torch.zeros(ones, dtype=torch.float64)
    still = key @ weight.mT  # L2's gradient, for a value of zero; the dot product's is zero then
    dot, l2 = (delta_rule_chunked(key, gradient, rate, kept, weight)[1] for gradient in (0 * still, still))
    torch.testing.assert_close(dot[:, 0], (1 - eta) ** ones * weight[:, 0])
    torch.testing.assert_close(l2[:, 0], (2 * (1 - eta) ** ones - 1) * weight[:, 0])
