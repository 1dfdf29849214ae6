"""Def. 2's order with its tie-break, and nested systems as data."""

import itertools
import math
from fractions import Fraction

import pytest
import torch

from nlcore.levels import KINDS, Component, NestedSystem, Transfer, every, order


def names(levels):
    return [[component.name for component in level] for level in levels]


def components(**frequencies):
    return [Component(name, frequency) for name, frequency in frequencies.items()]


ADAMW = components(weights=1, first_moment=1, second_moment=1)
ADAMW_NEEDS = [("weights", "first_moment"), ("weights", "second_moment")]


def test_the_faster_comes_first_whatever_it_needs():
    found = order(components(weights=1, memory=128, slow=Fraction(1, 16), frozen=0, attention=math.inf), [("memory", "slow")])
    assert names(found) == [["attention"], ["memory"], ["weights"], ["slow"], ["frozen"]]


def test_the_two_moments_of_adamw_share_a_level_and_the_weights_come_after_both():
    assert names(order(ADAMW, ADAMW_NEEDS)) == [["first_moment", "second_moment"], ["weights"]]


def test_of_all_orders_only_those_by_level_compute_adamw():
    """What would kill Def. 2's tie-break: 20 steps of AdamW and an average, its four parts computed in every order."""
    data = torch.randn(20, 2, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    new = {
        "first_moment": lambda s, g, t: 0.9 * s["first_moment"] + 0.1 * g,
        "second_moment": lambda s, g, t: 0.99 * s["second_moment"] + 0.01 * g * g,
        "weights": lambda s, g, t: 0.999 * s["weights"]
        - 0.1 * s["first_moment"] / (1 - 0.9**t) / ((s["second_moment"] / (1 - 0.99**t)).sqrt() + 1e-8),
        "average": lambda s, g, t: 0.9 * s["average"] + 0.1 * s["weights"],
    }
    zero, one = torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)
    found, weights, average = {}, torch.nn.Parameter(one.clone()), one
    for sequence in itertools.permutations(new):
        state = {"first_moment": zero, "second_moment": zero, "weights": one, "average": one}
        for t, (x, y) in enumerate(data, 1):
            g = (state["weights"] * x - y) * x
            for part in sequence:
                state[part] = new[part](state, g, t)
        found[sequence] = torch.cat([state["weights"], state["average"]])
    adamw = torch.optim.AdamW([weights], 0.1, (0.9, 0.99), weight_decay=0.01)
    for x, y in data:
        adamw.zero_grad()
        ((weights * x - y) ** 2 / 2).sum().backward()
        adamw.step()
        average = 0.9 * average + 0.1 * weights.detach()
    truth = torch.cat([weights.detach(), average])
    levels = names(order(components(**dict.fromkeys(new, 1)), [*ADAMW_NEEDS, ("average", "weights")]))
    allowed = {tuple(itertools.chain(*parts)) for parts in itertools.product(*map(itertools.permutations, levels))}
    assert {s for s, at in found.items() if torch.allclose(at, truth, rtol=0, atol=1e-12)} == allowed and len(allowed) == 2


def test_without_a_need_equal_frequencies_are_one_level():
    assert names(order(ADAMW)) == [["weights", "first_moment", "second_moment"]]


def test_the_order_does_not_depend_on_how_components_are_listed():
    for listed in itertools.permutations(ADAMW):
        found = [set(level) for level in names(order(listed, ADAMW_NEEDS[::-1]))]
        assert found == [{"first_moment", "second_moment"}, {"weights"}]


def test_every_level_is_faster_than_the_next_by_definition_2():
    """Read from the definition itself, pair by pair: nothing is faster than what stands in a level above it."""
    some = components(a=2, b=2, c=2, d=1, e=2, f=1)
    needs = {("b", "a"), ("c", "b"), ("e", "a"), ("f", "c")}
    takes = needs | {("c", "a"), ("f", "b"), ("f", "a")}  # with what lies between

    def faster(a, b):
        return a.frequency > b.frequency or a.frequency == b.frequency and (b.name, a.name) in takes

    levels = order(some, needs)
    assert names(levels) == [["a"], ["b", "e"], ["c"], ["d", "f"]]
    for upper, lower in itertools.combinations(levels, 2):
        assert not any(faster(b, a) for a in upper for b in lower)
    for upper, lower in itertools.pairwise(levels):
        assert all(any(faster(a, b) for a in upper) for b in lower)
    assert not any(faster(a, b) for level in levels for a in level for b in level)


def test_being_equal_by_definition_2_is_no_equivalence_and_the_free_one_stands_with_the_fastest():
    assert names(order(components(W=1, m=1, c=1), [("W", "m")])) == [["m", "c"], ["W"]]


def test_a_need_may_lead_through_a_component_of_another_frequency():
    assert names(order(components(W=1, m=1, rate=10), [("W", "rate"), ("rate", "m")])) == [["rate"], ["m"], ["W"]]


def test_fractions_and_whole_numbers_are_compared_exactly():
    assert names(order(components(a=Fraction(2, 2), b=1, c=Fraction(1, 3)))) == [["a", "b"], ["c"]]


def test_a_circle_of_needs_is_one_sentence():
    with pytest.raises(ValueError, match="^(W needs m needs W|m needs W needs m), all at one instant.*instant before$"):
        order(components(W=1, m=1), [("W", "m"), ("m", "W")])
    with pytest.raises(ValueError, match="^W needs W"):
        order(components(W=1), [("W", "W")])


@pytest.mark.parametrize("frequency", [-1, math.nan, "1", None])
def test_a_bad_frequency_is_one_sentence(frequency):
    with pytest.raises(ValueError, match="the frequency of W is .*: give updates per data point, 0 or more"):
        Component("W", frequency)


def test_names_are_checked():
    with pytest.raises(ValueError, match="two components are called 'W'"):
        order(components(W=1) + components(W=2))
    with pytest.raises(ValueError, match="there is no component 'm' here: choose one of W"):
        order(components(W=1), [("W", "m")])
    with pytest.raises(ValueError, match="there is no component 'm' here: choose one of W"):
        NestedSystem(tuple(components(W=1)), transfers=(Transfer("m", "W", "generation"),))


def test_a_system_is_data_with_levels_and_five_kinds_of_transfer():
    transfers = tuple(Transfer("first_moment", "weights", kind) for kind in KINDS)
    system = NestedSystem(tuple(ADAMW), tuple(ADAMW_NEEDS), transfers)
    assert len(KINDS) == 5 and len(system.levels) == 2
    with pytest.raises(ValueError, match="there is no transfer by 'magic': choose one of parametric, "):
        NestedSystem(tuple(ADAMW), transfers=(Transfer("weights", "weights", "magic"),))


def test_periods_in_words():
    said = [every(*period) for period in ((1, "tokens"), (16, "tokens"), (1000, "steps"), (Fraction(1, 5), "steps"),
                                          (Fraction(5, 2), "steps"), (math.inf, "steps"), (0, "steps"))]
    assert said == ["every token", "every 16 tokens", "every 1,000 steps", "5 times a step",
                    "every 2.5 steps, on average", "never", "at every read"]
