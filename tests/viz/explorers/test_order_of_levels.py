"""Order of levels: every setting against Def. 2 read pair by pair, and what a circle does."""

from itertools import product

import pytest

from nlcore.viz.explorers.order_of_levels import NAMES, NEEDS, PERIODS, chart, compute

IN_A_LINE, CIRCLE = list(NEEDS)[:3], list(NEEDS)[3]


def faster(a, b, periods, needs):
    """Def. 2, written out: more updates, or as many and b needs a, through whom it may."""
    rate = {name: 1 / period if period else 0 for name, period in periods.items()}
    takes, found = {b}, set()
    while takes != found:
        found = set(takes)
        takes |= {needed for name, needed in needs if name in takes}
    return rate[a] > rate[b] or rate[a] == rate[b] and a != b and a in takes


@pytest.mark.parametrize("needs", IN_A_LINE)
def test_nothing_stands_above_what_is_faster_and_each_level_has_a_reason(needs):
    for at in product(PERIODS, repeat=4):
        found = compute(*at, needs)
        levels = {n: [name for name in NAMES if found.levels[name] == n] for n in set(found.levels.values())}
        assert sorted(levels) == list(range(1, len(levels) + 1))
        for a, b in product(NAMES, repeat=2):
            if faster(a, b, found.periods, NEEDS[needs]):
                assert found.levels[a] > found.levels[b], (at, a, b)
        for n, names in levels.items():
            above = levels.get(n + 1, [])
            assert not above or all(any(faster(a, b, found.periods, NEEDS[needs]) for a in above) for b in names), at


def test_frequency_alone_sees_as_many_levels_as_there_are_frequencies():
    for at in product(PERIODS, repeat=4):
        assert len(set(compute(*at, IN_A_LINE[2]).alone.values())) == len(set(at))


def test_as_it_opens_the_need_splits_the_level_and_a_slower_momentum_makes_it_void():
    assert compute(1, 16, 16, 16, IN_A_LINE[0]).levels == {"memory": 2, "momentum": 1, "weights": 1, "average": 1}
    assert compute(1, 16, 16, 16, IN_A_LINE[1]).levels == {"memory": 3, "momentum": 2, "weights": 1, "average": 2}
    assert compute(1, 16, 16, 16, IN_A_LINE[2]).levels == {"memory": 4, "momentum": 3, "weights": 2, "average": 1}
    assert compute(1, 64, 16, 16, IN_A_LINE[1]).levels == {"memory": 3, "momentum": 1, "weights": 2, "average": 2}


def test_a_circle_has_no_order_and_says_so():
    for at in ((1, 16, 16, 16), (1, 4, 16, 64)):
        found = compute(*at, CIRCLE)
        assert found.levels == {} and "circle" in chart(found)[1].note and "none" in chart(found)[1].title


def test_bad_arguments_are_one_sentence():
    with pytest.raises(ValueError, match="take one of nobody needs anybody"):
        compute(1, 1, 1, 1, "the weights need love")
    with pytest.raises(ValueError, match="periods of 0 or more"):
        compute(1, -1, 1, 1, IN_A_LINE[0])
