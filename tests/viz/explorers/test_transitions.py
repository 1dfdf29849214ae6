"""Transitions: factors against memories that are written, and states against a plain loop."""

import pytest
import torch

from nlcore.memory import L2, AssociativeMemory, Decay, DeltaGradientDescent, DotProduct, GradientDescent, Linear, Rates
from nlcore.viz.explorers.transitions import ONES, compute, factor

MEMORIES = {"decay": (DotProduct(), GradientDescent()), "delta": (L2(), GradientDescent()), "Delta GD": (L2(), DeltaGradientDescent())}


@pytest.mark.parametrize("rule", MEMORIES)
@pytest.mark.parametrize("alpha, eta", [(1.0, 1.0), (0.9, 0.3), (0.0, 0.5)])
def test_a_factor_is_what_a_write_of_nothing_multiplies_the_answer_by(rule, alpha, eta):
    memory = AssociativeMemory(Linear(2, 1), *MEMORIES[rule], Decay())
    key, start = torch.tensor([0.6, 0.8]), torch.tensor([[2.0, -1.0]])
    state = memory.start((), (start,))
    after, _ = memory.write(state, key, torch.zeros(1), Rates(torch.tensor(eta), torch.tensor(alpha)))
    assert memory.read(after, key).item() == pytest.approx(factor(rule, alpha, eta) * (start @ key).item(), abs=1e-6)


def test_it_counts_at_one_alternates_at_minus_one_and_settles_in_between():
    assert compute("decay", 1.0, 0.5).state.tolist() == list(range(ONES + 1))
    assert compute("Delta GD", 1.0, 1.0).state.tolist() == [n % 2 for n in range(ONES + 1)]
    settled = compute("delta", 1.0, 0.2)
    assert settled.state[-1] == pytest.approx(1 / (1 - 0.8), abs=0.1) and (settled.state[1:] > settled.state[:-1]).all()
    assert abs(settled.state[-1] - settled.state[-2]) == pytest.approx(0.8 ** (ONES - 1))


def test_bad_arguments_are_one_sentence():
    with pytest.raises(ValueError, match="take one of decay, delta, Delta GD"):
        compute("Oja", 1.0, 0.5)
